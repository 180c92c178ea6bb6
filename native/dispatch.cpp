// Boxed operator calls: choose the overload that the frame's arguments fit, convert, call, convert back.
#include <array>
#include <atomic>
#include <mutex>
#include <sstream>

#include "schema.h"

namespace headrace {

namespace {

constexpr size_t kMaxOps = 1 << 14;
constexpr size_t kMaxArguments = 64;
std::array<std::atomic<const OpSet*>, kMaxOps> ops;

// One id for a name, whatever the number of threads that ask: worker threads come and go.
uint32_t idOf(const OpSet* set) {
  static std::mutex mutex;
  static auto* ids = new std::unordered_map<const OpSet*, uint32_t>();
  std::lock_guard<std::mutex> lock(mutex);
  const auto found = ids->find(set);
  if (found != ids->end()) return found->second;
  const auto id = static_cast<uint32_t>(ids->size());
  if (id >= kMaxOps) throw CodedError("ARGUMENTS", "too many operators were resolved");
  ops[id].store(set, std::memory_order_release);
  ids->emplace(set, id);
  return id;
}

// One call's arguments as the frame holds them.
struct Call {
  size_t positional = 0;
  std::array<Cursor*, kMaxArguments> bySlot{};
  std::vector<Cursor> values;
  std::vector<uint32_t> keywordIds;
};

Call readCall(const Frame& frame, size_t positional, size_t keywords) {
  if (positional + keywords > kMaxArguments) throw CodedError("ARGUMENTS", "an operator takes at most 64 arguments");
  Call call;
  call.positional = positional;
  call.values.reserve(positional + keywords);
  Cursor cursor(frame, 0);
  for (size_t i = 0; i < positional; ++i) {
    call.values.push_back(cursor);
    cursor.next();
  }
  for (size_t i = 0; i < keywords; ++i) {
    call.keywordIds.push_back(static_cast<uint32_t>(cursor.value()));
    cursor.next();
    call.values.push_back(cursor);
    cursor.next();
  }
  return call;
}

const std::string& textOf(const Cursor& value) { return interned(static_cast<uint32_t>(value.value())); }

bool enumValue(Kind kind, const Cursor& value, int64_t& out) {
  if (value.tag() != kString) return false;
  if (kind == Kind::DType) return dtypeValue(textOf(value), out);
  return kind == Kind::Layout ? layoutValue(textOf(value), out) : memoryFormatValue(textOf(value), out);
}

bool acceptsOne(Kind kind, const Cursor& value) {
  const int tag = value.tag();
  int64_t unused = 0;
  switch (kind) {
    case Kind::Tensor: return tag == kTensor;
    case Kind::Scalar: return tag == kInt || tag == kDouble || tag == kBool;
    case Kind::Float: return tag == kInt || tag == kDouble;
    case Kind::Bool: return tag == kBool;
    case Kind::String: return tag == kString;
    case Kind::Device: return tag == kString;
    case Kind::Generator: return tag == kGenerator;
    case Kind::Int: return tag == kInt;
    case Kind::DType:
    case Kind::Layout:
    case Kind::MemoryFormat: return enumValue(kind, value, unused);
    default: return false;
  }
}

bool accepts(const Argument& argument, const Cursor& value) {
  if (value.tag() == kNone) return argument.optional || argument.fallback;
  if (!argument.list) return value.tag() != kList && acceptsOne(argument.kind, value);
  if (value.tag() != kList) return argument.fixedCount && acceptsOne(argument.kind, value);
  for (size_t i = 0; i < value.count(); ++i) {
    const Cursor element = value.element(i);
    if (element.tag() == kNone ? !argument.optionalElements : !acceptsOne(argument.kind, element)) return false;
  }
  return true;
}

// Fills call.bySlot for this overload; false where the arguments do not fit.
bool bind(const Overload& overload, Call& call) {
  const auto& arguments = overload.arguments;
  if (call.positional > overload.positional) return false;
  std::fill_n(call.bySlot.begin(), arguments.size(), nullptr);
  for (size_t i = 0; i < call.positional; ++i) call.bySlot[i] = &call.values[i];
  for (size_t k = 0; k < call.keywordIds.size(); ++k) {
    size_t slot = 0;
    while (slot < arguments.size() && arguments[slot].nameId != call.keywordIds[k]) ++slot;
    if (slot == arguments.size() || call.bySlot[slot]) return false;
    call.bySlot[slot] = &call.values[call.positional + k];
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (call.bySlot[i] ? !accepts(arguments[i], *call.bySlot[i]) : !arguments[i].fallback && !arguments[i].optional) {
      return false;
    }
  }
  return true;
}

at::Scalar toScalar(const Cursor& value) {
  if (value.tag() == kInt) return at::Scalar(static_cast<int64_t>(value.value()));
  if (value.tag() == kBool) return at::Scalar(value.value() != 0);
  return at::Scalar(value.value());
}

int64_t toInt(const Cursor& value) { return static_cast<int64_t>(value.value()); }

int64_t toCode(Kind kind, const Cursor& value) {
  int64_t code = 0;
  enumValue(kind, value, code);
  return code;
}

at::Generator toGenerator(Environment& self, const Cursor& value) {
  auto found = self.generators.find(static_cast<uint32_t>(value.value()));
  if (found == self.generators.end()) throw CodedError("FREED", "this generator was freed or belongs to another thread");
  return found->second.generator;
}

c10::IValue toOne(Environment& self, Kind kind, const Cursor& value) {
  switch (kind) {
    case Kind::Tensor: return self.tensors.get(value.value());
    case Kind::Scalar: return toScalar(value);
    case Kind::Int: return toInt(value);
    case Kind::Float: return value.value();
    case Kind::Bool: return value.value() != 0;
    case Kind::String: return textOf(value);
    case Kind::Device: return readDevice(textOf(value));
    case Kind::DType:
    case Kind::Layout:
    case Kind::MemoryFormat: return toCode(kind, value);
    case Kind::Generator: return toGenerator(self, value);
    default: throw CodedError("ARGUMENTS", "this argument has no counterpart in JavaScript");
  }
}

template <typename T, typename Read>
c10::IValue readList(const Argument& argument, const Cursor& value, Read read) {
  c10::List<T> list;
  const size_t count = elementCount(argument, value);
  list.reserve(count);
  const bool each = value.tag() == kList && value.count() == count;
  for (size_t i = 0; i < count; ++i) {
    list.push_back(read(each ? value.element(i) : value.tag() == kList ? value.element(0) : value));
  }
  return list;
}

c10::IValue toList(Environment& self, const Argument& argument, const Cursor& value) {
  switch (argument.kind) {
    case Kind::Tensor:
      if (argument.optionalElements) {
        return readList<Optional<at::Tensor>>(argument, value, [&](const Cursor& e) -> Optional<at::Tensor> {
          if (e.tag() == kNone) return nullOpt;
          return self.tensors.get(e.value());
        });
      }
      return readList<at::Tensor>(argument, value, [&](const Cursor& e) { return self.tensors.get(e.value()); });
    case Kind::Int: return readList<int64_t>(argument, value, toInt);
    case Kind::Float: return readList<double>(argument, value, [](const Cursor& e) { return e.value(); });
    case Kind::Bool: return readList<bool>(argument, value, [](const Cursor& e) { return e.value() != 0; });
    case Kind::Scalar: {
      // List<Scalar> needs its element type told.
      c10::impl::GenericList list(c10::NumberType::get());
      for (size_t i = 0; i < value.count(); ++i) list.push_back(toScalar(value.element(i)));
      return list;
    }
    default: throw CodedError("ARGUMENTS", "lists of this kind have no counterpart in JavaScript");
  }
}

c10::IValue toIValue(Environment& self, const Argument& argument, const Cursor* value) {
  if (!value || value->tag() == kNone) {
    if (value && argument.optional) return c10::IValue();
    return argument.fallback ? *argument.fallback : c10::IValue();
  }
  return argument.list ? toList(self, argument, *value) : toOne(self, argument.kind, *value);
}

bool isOne(const c10::IValue& value) {
  return value.isTensor() || value.isNone() || value.isInt() || value.isDouble() || value.isBool() || value.isString() ||
         value.isDevice();
}

template <typename Visit>
void forEachElement(const c10::IValue& value, Visit visit) {
  if (value.isList()) {
    for (const auto& element : value.toListRef()) visit(element);
  } else {
    for (const auto& element : value.toTupleRef().elements()) visit(element);
  }
}

// The pairs that a result takes. Asked before any is written: a result that is refused must leave no tensor behind.
size_t pairsOf(const c10::IValue& value) {
  if (isOne(value)) return 1;
  if (!value.isList() && !value.isTuple()) {
    throw CodedError("RESULT", "it returns a " + value.tagKind() + ", which has no counterpart in JavaScript");
  }
  size_t pairs = 1;
  forEachElement(value, [&](const c10::IValue& element) { pairs += pairsOf(element); });
  return pairs;
}

void checkFits(const Frame& frame, const torch::jit::Stack& stack) {
  size_t pairs = stack.size() > 1 ? 1 : 0;
  for (const auto& result : stack) pairs += pairsOf(result);
  if (pairs > frame.pairs) {
    throw CodedError("FRAME", "it returns " + std::to_string(pairs) + " values, more than the " +
                                  std::to_string(frame.pairs) + " that one call can hand over");
  }
}

void putResult(Environment& self, Writer& writer, const c10::IValue& value, const at::Tensor* first, double handle) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    // In-place operators return their first argument: it keeps its handle.
    if (first && tensor.is_same(*first)) return writer.put(kTensor, handle);
    return putTensor(self, writer, tensor);
  }
  if (value.isNone()) return writer.put(kNone, 0);
  if (value.isInt()) return writer.put(kInt, static_cast<double>(value.toInt()));
  if (value.isDouble()) return writer.put(kDouble, value.toDouble());
  if (value.isBool()) return writer.put(kBool, value.toBool());
  if (value.isString()) return writer.put(kString, intern(value.toStringRef()));
  if (value.isDevice()) return writer.put(kString, intern(value.toDevice().str()));
  writer.put(kList, static_cast<double>(value.isList() ? value.toListRef().size() : value.toTupleRef().elements().size()));
  forEachElement(value, [&](const c10::IValue& element) { putResult(self, writer, element, nullptr, 0); });
}

std::string describeValue(Environment& self, const Cursor& value) {
  std::ostringstream text;
  switch (value.tag()) {
    case kNone: return "null";
    case kTensor: return describe(self.tensors.get(value.value()));
    case kBool: return value.value() ? "true" : "false";
    case kString: return "'" + textOf(value) + "'";
    case kGenerator: return "Generator";
    case kList: {
      text << "[";
      for (size_t i = 0; i < value.count(); ++i) {
        if (i == 8) return text.str() + ", …]";
        text << (i ? ", " : "") << describeValue(self, value.element(i));
      }
      return text.str() + "]";
    }
    default: text << value.value(); return text.str();
  }
}

std::string describeCall(Environment& self, const OpSet& set, const Call& call) {
  std::string text = set.name + "(";
  for (size_t i = 0; i < call.values.size(); ++i) {
    if (i) text += ", ";
    if (i >= call.positional) text += interned(call.keywordIds[i - call.positional]) + ": ";
    text += describeValue(self, call.values[i]);
  }
  return text + ")";
}

// What is wrong with an argument that is named dtype, where it is no dtype.
std::string dtypeHint(const Call& call) {
  static const uint32_t dtype = intern("dtype");
  for (size_t k = 0; k < call.keywordIds.size(); ++k) {
    const Cursor& value = call.values[call.positional + k];
    int64_t unused = 0;
    if (call.keywordIds[k] != dtype || value.tag() != kString || dtypeValue(textOf(value), unused)) continue;
    return " ('" + textOf(value) + "' is no dtype: there are " + dtypeNames() + ")";
  }
  return "";
}

[[noreturn]] void throwNoMatch(Environment& self, const OpSet& set, const Call& call) {
  std::ostringstream text;
  text << describeCall(self, set, call) << " fits no overload of the operator" << dtypeHint(call) << ". Expected one of:";
  for (const auto& overload : set.overloads) text << "\n  " << overload.handle.schema();
  throw CodedError("ARGUMENTS", text.str());
}

torch::jit::Stack stackOf(Environment& self, const OpSet& set, const Overload& overload, const Call& call) {
  torch::jit::Stack stack;
  stack.reserve(overload.arguments.size());
  for (size_t i = 0; i < overload.arguments.size(); ++i) {
    const Argument& argument = overload.arguments[i];
    try {
      checkNotEmpty(set.name, argument, call.bySlot[i]);
      stack.push_back(toIValue(self, argument, call.bySlot[i]));
    } catch (const CodedError& error) {
      throw CodedError(error.code, set.name + "(), argument '" + argument.name + "': " + error.what());
    } catch (const c10::Error& error) {
      throw CodedError("ARGUMENTS", set.name + "(), argument '" + argument.name + "': " + error.what_without_backtrace());
    }
  }
  return stack;
}

// resolve(name) -> id of the operator, or -1 where libtorch has none of that name.
napi_value resolve(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const OpSet* set = findOpSet(Arguments<1>(env, info).text(0));
    if (!set) return fromNumber(env, -1);
    return fromNumber(env, idOf(set));
  });
}

// call(id, positional, keywords): arguments in the frame, results in the frame.
napi_value call(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    const OpSet& set = *ops[static_cast<size_t>(arguments.number(0))].load(std::memory_order_acquire);
    Call request = readCall(self.frame, static_cast<size_t>(arguments.number(1)), static_cast<size_t>(arguments.number(2)));
    const Overload* chosen = nullptr;
    for (const auto& overload : set.overloads) {
      if (bind(overload, request)) {
        chosen = &overload;
        break;
      }
    }
    if (!chosen) throwNoMatch(self, set, request);
    torch::jit::Stack stack = stackOf(self, set, *chosen, request);
    at::Tensor first;
    double handle = 0;
    if (request.positional > 0 && request.values[0].tag() == kTensor) {
      handle = request.values[0].value();
      first = self.tensors.get(handle);
    }
    try {
      chosen->handle.callBoxed(&stack);
      checkFits(self.frame, stack);
    } catch (const c10::Error& error) {
      throw CodedError("TORCH", describeCall(self, set, request) + ": " + error.what_without_backtrace());
    } catch (const CodedError& error) {
      throw CodedError(error.code, describeCall(self, set, request) + ": " + error.what());
    } catch (const std::exception& error) {
      throw CodedError("TORCH", describeCall(self, set, request) + ": " + error.what());
    }
    Writer writer(self.frame);
    if (stack.empty()) writer.put(kNone, 0);
    if (stack.size() > 1) writer.put(kList, static_cast<double>(stack.size()));
    for (const auto& result : stack) putResult(self, writer, result, first.defined() ? &first : nullptr, handle);
    return nullptr;
  });
}

napi_value internString(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromNumber(env, intern(Arguments<1>(env, info).text(0))); });
}

napi_value stringOf(napi_env env, napi_callback_info info) {
  return guarded(
      env, [&] { return fromText(env, interned(static_cast<uint32_t>(Arguments<1>(env, info).number(0)))); });
}

// schemas() -> every aten schema of this libtorch, as text.
napi_value schemas(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    napi_value result = nullptr;
    check(env, napi_create_array(env, &result));
    uint32_t index = 0;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      if (name.name.rfind("aten::", 0) != 0) continue;
      auto handle = c10::Dispatcher::singleton().findSchema(name);
      if (!handle) continue;
      std::ostringstream text;
      text << handle->schema();
      check(env, napi_set_element(env, result, index++, fromText(env, text.str())));
    }
    return result;
  });
}

} // namespace

void defineDispatch(napi_env env, napi_value exports) {
  define(env, exports, "resolve", resolve);
  define(env, exports, "call", call);
  define(env, exports, "intern", internString);
  define(env, exports, "stringOf", stringOf);
  define(env, exports, "schemas", schemas);
}

} // namespace headrace
