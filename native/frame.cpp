#include "frame.h"

#include <array>
#include <atomic>
#include <mutex>

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
    tensors.push_back(element.tag() == kTensor ? self.tensors.get(element.value()) : at::Tensor());
  }
  return tensors;
}

bool enumValue(const std::string& text, int64_t& out) {
  for (const auto& entry : kDTypes) {
    if (text == entry.name) {
      out = static_cast<int64_t>(entry.type);
      return true;
    }
  }
  static const std::unordered_map<std::string, int64_t> others = {
      {"contiguous", static_cast<int64_t>(at::MemoryFormat::Contiguous)},
      {"preserve", static_cast<int64_t>(at::MemoryFormat::Preserve)},
      {"channelsLast", static_cast<int64_t>(at::MemoryFormat::ChannelsLast)},
      {"channelsLast3d", static_cast<int64_t>(at::MemoryFormat::ChannelsLast3d)},
      {"strided", static_cast<int64_t>(at::Layout::Strided)},
      {"sparseCoo", static_cast<int64_t>(at::Layout::Sparse)}};
  auto found = others.find(text);
  if (found == others.end()) return false;
  out = found->second;
  return true;
}

const char* dtypeName(at::ScalarType type) {
  for (const auto& entry : kDTypes) {
    if (type == entry.type) return entry.name;
  }
  return "other";
}

} // namespace headrace
