// Messages between two ranks: a text and tensors of any kind, in order, at most so many on their way.
#pragma once

#include "group.h"

#ifdef HEADRACE_GLOO

#include <deque>

namespace headrace {

// What both ends of a border know without asking: the sizes in which the parts of a message are expected. They follow the
// messages before, so that receives can be posted long before a message comes.
class Expectation {
 public:
  explicit Expectation(size_t lag) : lag_(lag) {}
  // A message of such parts has passed; it counts when `lag` others have passed after it: the end that receives expects a
  // message when it posts its receives, and by then the other end has sent those posted before.
  void learn(std::vector<int64_t> sizes);
  const std::vector<int64_t>& sizes() const { return sizes_; }
  bool fits(const std::vector<int64_t>& sizes) const;

 private:
  const size_t lag_;
  std::deque<std::vector<int64_t>> recent_;
  std::vector<int64_t> sizes_;
};

// Byte buffers that are used again once nobody else holds their memory.
class BufferPool {
 public:
  at::Tensor take(int64_t bytes);

 private:
  std::vector<at::Tensor> buffers_;
};

struct Message {
  std::string text;
  std::vector<at::Tensor> tensors; // undefined for none
};

// How a message looks on the wire: a head of text, descriptions and small tensors, and the large ones as parts.
struct Encoded {
  at::Tensor head;
  std::vector<at::Tensor> parts; // bytes that share the memory of what is sent
  std::vector<int64_t> sizes() const;
};

constexpr int64_t kHeadBytes = 64 << 10;

enum class Kind : uint32_t { message = 0, end = 1 };

// The first bytes of each head. Its number is never 0, so that a head that has come can be told from one that has not.
struct Preamble {
  uint64_t number;
  Kind kind;
  uint32_t late;      // the parts did not fit what is expected, and follow apart
  uint64_t bytes;     // of the whole head; a longer one than kHeadBytes is the first part
  uint32_t textBytes;
  uint32_t tensors;
};

Encoded encode(const Message& message, BufferPool& pool, bool halve);
// `parts` hold at least what the head says.
Message decode(const uint8_t* head, const std::vector<at::Tensor>& parts);
// The sizes of the parts that belong to a head.
std::vector<int64_t> partSizes(const uint8_t* head);

} // namespace headrace

#endif
