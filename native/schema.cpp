#include "schema.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>

namespace headrace {

namespace {

Kind kindOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::BoolType: return Kind::Bool;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::ScalarTypeType: return Kind::DType;
    case c10::TypeKind::LayoutType: return Kind::Layout;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    default: return Kind::Other;
  }
}

// Lists that a frame carries; those of strings are lists of named dimensions, which JavaScript has no use for.
bool listable(Kind kind) {
  return kind == Kind::Tensor || kind == Kind::Scalar || kind == Kind::Int || kind == Kind::Float || kind == Kind::Bool;
}

Argument describe(const c10::Argument& source) {
  Argument result;
  result.name = camelCase(source.name());
  result.nameId = intern(result.name);
  result.keywordOnly = source.kwarg_only();
  result.fixedCount = source.N();
  if (source.default_value()) result.fallback = *source.default_value();
  // The type as the schema spells it: `ScalarType`, where type() would say `int`.
  c10::TypePtr type = source.real_type();
  if (auto optional = type->cast<c10::OptionalType>()) {
    result.optional = true;
    type = optional->getElementType();
  }
  if (auto list = type->cast<c10::ListType>()) {
    result.list = true;
    type = list->getElementType();
    if (auto optional = type->cast<c10::OptionalType>()) {
      result.optionalElements = true;
      type = optional->getElementType();
    }
  }
  result.kind = kindOf(type);
  if (result.list && !listable(result.kind)) result.kind = Kind::Other;
  return result;
}

// The plain overload first, then the shorter ones; those that write to `out` last. Before all `stft.center`, which is
// what Python's `torch.stft` does: the plain one never centres its frames.
bool triedBefore(const Overload& a, const Overload& b) {
  auto rank = [](const Overload& o) {
    const bool out = o.name.size() >= 3 && o.name.compare(o.name.size() - 3, 3, "out") == 0;
    return std::make_tuple(out, o.name != "center", !o.name.empty(), o.arguments.size(), o.name);
  };
  return rank(a) < rank(b);
}

using Names = std::map<std::string, std::vector<c10::OperatorName>>;

const Names& overloadNames() {
  static const Names* names = [] {
    auto* result = new Names();
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      if (name.name.rfind("aten::", 0) == 0) (*result)[camelCase(name.name.substr(6))].push_back(name);
      // This package's own keep their namespace: 'headrace::batchNormRelu'.
      if (name.name.rfind("headrace::", 0) == 0) (*result)[camelCase(name.name)].push_back(name);
    }
    return result;
  }();
  return *names;
}

std::unique_ptr<OpSet> build(const std::string& name) {
  const size_t dot = name.find('.');
  const auto found = overloadNames().find(name.substr(0, dot));
  if (found == overloadNames().end()) return nullptr;
  auto set = std::make_unique<OpSet>();
  set->name = name;
  for (const auto& full : found->second) {
    if (dot != std::string::npos && full.overload_name != name.substr(dot + 1)) continue;
    auto handle = c10::Dispatcher::singleton().findSchema(full);
    if (!handle) continue;
    Overload overload(*handle);
    if (overload.callable) set->overloads.push_back(std::move(overload));
  }
  if (set->overloads.empty()) return nullptr;
  std::stable_sort(set->overloads.begin(), set->overloads.end(), triedBefore);
  return set;
}

} // namespace

std::string camelCase(const std::string& snake) {
  std::string result;
  size_t start = 0;
  while (start < snake.size() && snake[start] == '_') result += snake[start++];
  bool upper = false;
  for (size_t i = start; i < snake.size(); ++i) {
    const bool inner = snake[i] == '_' && i + 1 < snake.size() && snake[i + 1] != '_';
    if (inner) {
      upper = true;
    } else {
      result += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(snake[i]))) : snake[i];
      upper = false;
    }
  }
  return result;
}

Overload::Overload(c10::OperatorHandle operatorHandle) : handle(operatorHandle) {
  const auto& schema = handle.schema();
  name = schema.overload_name();
  for (const auto& source : schema.arguments()) {
    arguments.push_back(describe(source));
    const Argument& argument = arguments.back();
    if (!argument.keywordOnly) ++positional;
    if (argument.kind == Kind::Other && !argument.optional && !argument.fallback) callable = false;
  }
}

size_t elementCount(const Argument& argument, const Cursor& value) {
  const auto fixed = static_cast<size_t>(argument.fixedCount.value_or(0));
  if (value.tag() != kList) return fixed;
  const size_t count = value.count();
  const bool emptyByDefault = argument.fallback && argument.fallback->isList() && argument.fallback->toListRef().empty();
  if (fixed < 2 || count == fixed || (count == 0 && emptyByDefault)) return count;
  if (count == 1 && fixed <= 3) return fixed;
  throw CodedError("ARGUMENTS", "expected " + std::to_string(fixed) + " values" + (fixed <= 3 ? ", or one for all" : "") +
                                    ", got " + std::to_string(count));
}

void checkNotEmpty(const std::string& name, const Argument& argument, const Cursor* value) {
  static const std::unordered_set<std::string> names = {
      "alignTensors", "_stack", "histogramdd", "_histogramddBinEdges", "_histogramddFromBinCts", "_histogramddFromBinTensors"};
  if (!argument.list || !value || value->tag() != kList || value->count() > 0) return;
  if (argument.fallback || argument.optional || names.count(name.substr(0, name.find('.'))) == 0) return;
  throw CodedError("ARGUMENTS", "expected a list of at least one");
}

const OpSet* findOpSet(const std::string& name) {
  static std::mutex mutex;
  static auto* sets = new std::unordered_map<std::string, std::unique_ptr<OpSet>>();
  std::lock_guard<std::mutex> lock(mutex);
  auto found = sets->find(name);
  if (found == sets->end()) found = sets->emplace(name, build(name)).first;
  return found->second.get();
}

} // namespace headrace
