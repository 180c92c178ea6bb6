// How messages look on the wire. No part of one is run or built by name: numbers, sizes and bytes.
#include "border.h"

#ifdef HEADRACE_GLOO

#include <cstring>

namespace headrace {

namespace {

constexpr int64_t kSmallBytes = 16 << 10; // copied into the head, rather than sent apart
constexpr size_t kAlign = 16;

enum class Place : uint8_t { none = 0, head = 1, part = 2 };

struct Description {
  Place place;
  int8_t dtype;
  int8_t wire; // the dtype of the bytes
  uint8_t dims;
};

class HeadWriter {
 public:
  template <typename T>
  void put(const T& value) {
    append(&value, sizeof(T));
  }
  void append(const void* data, size_t bytes) {
    const auto* first = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + bytes);
  }
  void align() { bytes_.resize((bytes_.size() + kAlign - 1) / kAlign * kAlign); }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

class HeadReader {
 public:
  explicit HeadReader(const uint8_t* head) : head_(head), at_(sizeof(Preamble)) {}
  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, skip(sizeof(T)), sizeof(T));
    return value;
  }
  const uint8_t* skip(size_t bytes) {
    const uint8_t* here = head_ + at_;
    at_ += bytes;
    return here;
  }
  std::vector<int64_t> numbers(size_t count) {
    std::vector<int64_t> result(count);
    for (auto& each : result) each = take<int64_t>();
    return result;
  }
  void align() { at_ = (at_ + kAlign - 1) / kAlign * kAlign; }

 private:
  const uint8_t* head_;
  size_t at_;
};

int64_t byteCount(const at::Tensor& tensor) { return tensor.numel() * static_cast<int64_t>(tensor.element_size()); }

// On the CPU, its elements side by side in some order of the dimensions: that order travels along.
at::Tensor forWire(const at::Tensor& tensor, bool halve) {
  if (tensor.requires_grad()) throw CodedError("QUEUE_GRAD", "a tensor that requires grad cannot pass a border: detach() it first");
  if (tensor.layout() != at::kStrided || tensor.is_meta() || tensor.is_quantized()) {
    throw CodedError("RANK_TENSOR", "expected a dense tensor with memory, got " + describe(tensor));
  }
  at::Tensor sent = tensor.cpu().resolve_conj().resolve_neg();
  if (!sent.is_non_overlapping_and_dense()) sent = sent.contiguous(sent.suggest_memory_format());
  return halve && sent.scalar_type() == at::kFloat ? sent.to(at::kBFloat16) : sent;
}

at::Tensor viewOf(const at::Tensor& bytes, at::ScalarType dtype, at::IntArrayRef sizes, at::IntArrayRef strides) {
  return at::empty({0}, at::TensorOptions().dtype(dtype)).set_(bytes.storage(), 0, sizes, strides);
}

} // namespace

void Expectation::learn(std::vector<int64_t> sizes) {
  recent_.push_back(std::move(sizes));
  if (recent_.size() <= lag_) return;
  const std::vector<int64_t> passed = std::move(recent_.front());
  recent_.pop_front();
  if (passed.empty()) return; // a message without parts says nothing of those that have some
  const bool alike = passed.size() == sizes_.size();
  if (!alike) sizes_ = passed;
  for (size_t k = 0; alike && k < passed.size(); ++k) sizes_[k] = std::max(sizes_[k], passed[k]);
}

bool Expectation::fits(const std::vector<int64_t>& sizes) const {
  if (sizes.size() != sizes_.size()) return false;
  for (size_t k = 0; k < sizes.size(); ++k) {
    if (sizes[k] > sizes_[k]) return false;
  }
  return true;
}

at::Tensor BufferPool::take(int64_t bytes) {
  auto chosen = buffers_.end();
  for (auto each = buffers_.begin(); each != buffers_.end();) {
    const bool free = each->use_count() == 1 && each->storage().use_count() == 1;
    const bool right = each->numel() >= bytes && each->numel() <= 2 * bytes;
    if (free && right && chosen == buffers_.end()) chosen = each;
    // What is too small or much too large for what passes now would lie here for ever.
    if (free && !right) {
      const auto offset = chosen == buffers_.end() ? -1 : chosen - buffers_.begin();
      each = buffers_.erase(each);
      chosen = offset < 0 ? buffers_.end() : buffers_.begin() + offset;
    } else {
      ++each;
    }
  }
  if (chosen != buffers_.end()) return *chosen;
  buffers_.push_back(at::empty({bytes}, at::TensorOptions().dtype(at::kByte)));
  return buffers_.back();
}

std::vector<int64_t> Encoded::sizes() const {
  std::vector<int64_t> result;
  for (const auto& part : parts) result.push_back(part.numel());
  return result;
}

Encoded encode(const Message& message, BufferPool& pool, bool halve) {
  Encoded encoded;
  HeadWriter writer;
  Preamble preamble{};
  preamble.textBytes = static_cast<uint32_t>(message.text.size());
  preamble.tensors = static_cast<uint32_t>(message.tensors.size());
  writer.put(preamble);
  writer.append(message.text.data(), message.text.size());
  for (const auto& tensor : message.tensors) {
    if (!tensor.defined()) {
      writer.put(Description{Place::none, 0, 0, 0});
      continue;
    }
    const at::Tensor sent = forWire(tensor, halve);
    const int64_t bytes = byteCount(sent);
    const bool small = bytes <= kSmallBytes && static_cast<int64_t>(writer.bytes().size()) + bytes <= kHeadBytes - 4096;
    writer.put(Description{small ? Place::head : Place::part, static_cast<int8_t>(tensor.scalar_type()),
                           static_cast<int8_t>(sent.scalar_type()), static_cast<uint8_t>(sent.dim())});
    for (const int64_t size : sent.sizes()) writer.put(size);
    for (const int64_t stride : sent.strides()) writer.put(stride);
    if (!small) {
      encoded.parts.push_back(bytesOf(sent));
    } else if (bytes > 0) {
      writer.align();
      writer.append(sent.data_ptr(), static_cast<size_t>(bytes));
    }
  }
  const std::vector<uint8_t>& bytes = writer.bytes();
  reinterpret_cast<Preamble*>(writer.bytes().data())->bytes = bytes.size();
  encoded.head = pool.take(std::max<int64_t>(kHeadBytes, static_cast<int64_t>(bytes.size())));
  std::memcpy(encoded.head.data_ptr(), bytes.data(), bytes.size());
  return encoded;
}

std::vector<int64_t> partSizes(const uint8_t* head) {
  std::vector<int64_t> result;
  HeadReader reader(head);
  const auto* preamble = reinterpret_cast<const Preamble*>(head);
  reader.skip(preamble->textBytes);
  for (uint32_t k = 0; k < preamble->tensors; ++k) {
    const auto description = reader.take<Description>();
    if (description.place == Place::none) continue;
    int64_t bytes = static_cast<int64_t>(c10::elementSize(static_cast<at::ScalarType>(description.wire)));
    for (const int64_t size : reader.numbers(description.dims)) bytes *= size;
    reader.numbers(description.dims);
    if (description.place == Place::part) {
      result.push_back(bytes);
    } else if (bytes > 0) {
      reader.align();
      reader.skip(static_cast<size_t>(bytes));
    }
  }
  return result;
}

Message decode(const uint8_t* head, const std::vector<at::Tensor>& parts) {
  Message message;
  HeadReader reader(head);
  const auto* preamble = reinterpret_cast<const Preamble*>(head);
  message.text.assign(reinterpret_cast<const char*>(reader.skip(preamble->textBytes)), preamble->textBytes);
  size_t part = 0;
  for (uint32_t k = 0; k < preamble->tensors; ++k) {
    const auto description = reader.take<Description>();
    if (description.place == Place::none) {
      message.tensors.emplace_back();
      continue;
    }
    const auto dtype = static_cast<at::ScalarType>(description.dtype);
    const auto wire = static_cast<at::ScalarType>(description.wire);
    const std::vector<int64_t> sizes = reader.numbers(description.dims);
    const std::vector<int64_t> strides = reader.numbers(description.dims);
    at::Tensor tensor;
    if (description.place == Place::part) {
      tensor = viewOf(parts[part++], wire, sizes, strides);
    } else {
      tensor = at::empty_strided(sizes, strides, at::TensorOptions().dtype(wire));
      const auto bytes = static_cast<size_t>(byteCount(tensor));
      if (bytes > 0) {
        reader.align();
        std::memcpy(tensor.data_ptr(), reader.skip(bytes), bytes);
      }
    }
    message.tensors.push_back(wire == dtype ? tensor : tensor.to(dtype));
  }
  return message;
}

} // namespace headrace

#endif
