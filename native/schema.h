// Operators as JavaScript sees them: every overload of a name, with its arguments reduced to what a call frame can hold.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "frame.h"

namespace headrace {

enum class Kind { Tensor, Scalar, Int, Float, Bool, String, Device, DType, Layout, MemoryFormat, Generator, Other };

struct Argument {
  uint32_t nameId = 0; // interned camelCase name
  std::string name;
  Kind kind = Kind::Other; // of the elements, where it is a list
  bool list = false;
  bool optionalElements = false;
  bool optional = false;
  bool keywordOnly = false;
  Optional<int32_t> fixedCount; // int[2]: one number stands for all
  Optional<c10::IValue> fallback;
};

struct Overload {
  explicit Overload(c10::OperatorHandle handle);
  c10::OperatorHandle handle;
  std::string name;
  std::vector<Argument> arguments;
  size_t positional = 0;
  bool callable = true; // false where a required argument has no counterpart in JavaScript
};

struct OpSet {
  std::string name;
  std::vector<Overload> overloads;
};

// Finds 'logSoftmax' (all overloads, in the order they are tried) or 'logSoftmax.int' (that one) by its camelCase
// name; null where libtorch has none.
const OpSet* findOpSet(const std::string& name);
std::string camelCase(const std::string& snake);

// How many elements the operator gets. Kernels read as many as the schema says without asking whether they are there. One
// stands for all: of two or three, in a list, too, as with kernel sizes; those of dimensions (`int[1]`) may be any number.
size_t elementCount(const Argument& argument, const Cursor& value);
// Operators that end the process where their list is empty; libtorch does not look.
void checkNotEmpty(const std::string& name, const Argument& argument, const Cursor* value);

} // namespace headrace
