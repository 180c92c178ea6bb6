#include "frame.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <sstream>

namespace headrace {

namespace {

constexpr size_t kMaxStrings = 1 << 16;
std::array<std::atomic<const std::string*>, kMaxStrings> strings;
std::unordered_map<std::string, uint32_t>& stringIds() {
  static auto* ids = new std::unordered_map<std::string, uint32_t>();
  return *ids;
}
std::mutex stringMutex;

struct DTypeName {
  const char* name;
  at::ScalarType type;
};
constexpr DTypeName kDTypes[] = {
    {"float32", at::kFloat},  {"float64", at::kDouble}, {"bfloat16", at::kBFloat16},      {"float16", at::kHalf},
    {"int64", at::kLong},     {"int32", at::kInt},      {"int16", at::kShort},            {"int8", at::kChar},
    {"uint8", at::kByte},     {"bool", at::kBool},      {"complex64", at::kComplexFloat}, {"complex128", at::kComplexDouble}};

using Codes = std::unordered_map<std::string, int64_t>;

bool lookUp(const Codes& codes, const std::string& text, int64_t& out) {
  const auto found = codes.find(text);
  if (found == codes.end()) return false;
  out = found->second;
  return true;
}

} // namespace

uint32_t intern(const std::string& text) {
  std::lock_guard<std::mutex> lock(stringMutex);
  auto& ids = stringIds();
  auto found = ids.find(text);
  if (found != ids.end()) return found->second;
  const uint32_t id = static_cast<uint32_t>(ids.size());
  if (id >= kMaxStrings) throw CodedError("FRAME", "more than 65536 different strings were passed to operators");
  strings[id].store(new std::string(text), std::memory_order_release);
  ids.emplace(text, id);
  return id;
}

const std::string& interned(uint32_t id) {
  const std::string* text = id < kMaxStrings ? strings[id].load(std::memory_order_acquire) : nullptr;
  if (!text) throw CodedError("FRAME", "unknown string id in a call frame");
  return *text;
}

void putTensor(Environment& self, Writer& writer, at::Tensor tensor) {
  if (!tensor.defined()) return writer.put(kNone, 0);
  writer.put(kTensor, self.tensors.add(std::move(tensor)));
}

std::vector<at::Tensor> readTensors(Environment& self, const Cursor& list) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(list.count());
  for (size_t i = 0; i < list.count(); ++i) {
    const Cursor element = list.element(i);
    if (element.tag() != kTensor && element.tag() != kNone) {
      throw CodedError("ARGUMENTS", "expected tensors, or null for none; got a value of another kind");
    }
    tensors.push_back(element.tag() == kTensor ? self.tensors.get(element.value()) : at::Tensor());
  }
  return tensors;
}

bool dtypeValue(const std::string& text, int64_t& out) {
  static const Codes codes = [] {
    Codes result;
    for (const auto& entry : kDTypes) result.emplace(entry.name, static_cast<int64_t>(entry.type));
    return result;
  }();
  return lookUp(codes, text, out);
}

bool layoutValue(const std::string& text, int64_t& out) {
  static const Codes codes = {{"strided", static_cast<int64_t>(at::Layout::Strided)},
                              {"sparseCoo", static_cast<int64_t>(at::Layout::Sparse)},
                              {"sparseCsr", static_cast<int64_t>(at::Layout::SparseCsr)}};
  return lookUp(codes, text, out);
}

bool memoryFormatValue(const std::string& text, int64_t& out) {
  static const Codes codes = {{"contiguous", static_cast<int64_t>(at::MemoryFormat::Contiguous)},
                              {"preserve", static_cast<int64_t>(at::MemoryFormat::Preserve)},
                              {"channelsLast", static_cast<int64_t>(at::MemoryFormat::ChannelsLast)},
                              {"channelsLast3d", static_cast<int64_t>(at::MemoryFormat::ChannelsLast3d)}};
  return lookUp(codes, text, out);
}

std::string dtypeNames() {
  std::string text;
  for (const auto& entry : kDTypes) text += (text.empty() ? "" : ", ") + std::string(entry.name);
  return text;
}

const char* dtypeName(at::ScalarType type) {
  for (const auto& entry : kDTypes) {
    if (type == entry.type) return entry.name;
  }
  return "other";
}

// libtorch's own message is a page about backends.
c10::Device readDevice(const std::string& name) {
  const c10::Device device(name);
  const bool always = device.is_cpu() || device.is_meta();
  if (!always && std::max<int>(device.index(), 0) >= deviceCount(device.type())) {
    throw CodedError("DEVICE", "there is no device '" + name + "' here, or this libtorch was built without its kind; " +
                                   "\"headrace doctor\" lists what there is, and 'cpu' is always there");
  }
  return device;
}

std::string describe(const at::Tensor& tensor) {
  std::ostringstream text;
  text << "Tensor(" << dtypeName(tensor.scalar_type()) << tensor.sizes() << ")";
  return text.str();
}

} // namespace headrace
