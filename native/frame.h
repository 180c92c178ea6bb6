// The call frame: how JavaScript values and IValues stand in the shared array of (tag, value) pairs.
#pragma once

#include "common.h"

namespace headrace {

enum Tag : int {
  kNone = 0,
  kTensor = 1,   // value: handle
  kInt = 2,      // value: integer
  kDouble = 3,   // value
  kBool = 4,     // value: 0 or 1
  kString = 5,   // value: id of an interned string
  kList = 6,     // value: count; that many entries follow
  kGenerator = 7 // value: id
};

// A position in the frame. Lists hold no lists, so an entry is one pair or 1 + count pairs.
class Cursor {
 public:
  Cursor(const Frame& frame, size_t at) : frame_(frame), at_(at) {}
  int tag() const { return static_cast<int>(frame_.cells[2 * at_]); }
  double value() const { return frame_.cells[2 * at_ + 1]; }
  size_t at() const { return at_; }
  Cursor element(size_t i) const { return Cursor(frame_, at_ + 1 + i); }
  size_t count() const { return tag() == kList ? static_cast<size_t>(value()) : 0; }
  void next() {
    at_ += 1 + count();
    if (at_ > frame_.pairs) throw CodedError("FRAME", "a boxed call has more arguments than its frame holds");
  }

 private:
  const Frame& frame_;
  size_t at_;
};

class Writer {
 public:
  explicit Writer(Frame& frame) : frame_(frame) {}
  void put(Tag tag, double value) {
    if (at_ >= frame_.pairs) throw CodedError("FRAME", "a boxed call has more results than its frame holds");
    frame_.cells[2 * at_] = tag;
    frame_.cells[2 * at_ + 1] = value;
    ++at_;
  }

 private:
  Frame& frame_;
  size_t at_ = 0;
};

// Strings of the process, numbered once; reading needs no lock.
uint32_t intern(const std::string& text);
const std::string& interned(uint32_t id);

void putTensor(Environment& self, Writer& writer, at::Tensor tensor);
std::vector<at::Tensor> readTensors(Environment& self, const Cursor& list);

// The integers that schemas want for 'float32', 'strided', 'channelsLast' and their kind; false for any other name.
bool dtypeValue(const std::string& text, int64_t& out);
bool layoutValue(const std::string& text, int64_t& out);
bool memoryFormatValue(const std::string& text, int64_t& out);
std::string dtypeNames();
const char* dtypeName(at::ScalarType type);
// 'cuda:0'; refused where there is none.
c10::Device readDevice(const std::string& name);
// 'Tensor(float32[2, 3])'
std::string describe(const at::Tensor& tensor);

} // namespace headrace
