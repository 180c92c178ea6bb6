// Borders between ranks: bounded channels of messages over sends and receives of Gloo, which completes a send only once its
// receive is posted. So receives are posted first, as many as the border may hold; and a send that must wait for one means
// that the border is full. No message of credits is needed, and no thread.
#include "border.h"

#include <cstring>

namespace headrace {

#ifdef HEADRACE_GLOO

namespace {

// Users' tags lie below.
constexpr int kFirstTag = 1 << 30;
enum Lane { kHeads = 0, kParts = 1, kLate = 2, kAnswer = 3 };

class End {
 public:
  End(std::shared_ptr<Group> group, int peer, int number, int64_t capacity, bool sends)
      : group_(std::move(group)),
        peer_(peer),
        tag_(kFirstTag + 4 * number),
        posted_(static_cast<size_t>(std::max<int64_t>(1, capacity - 1))),
        expectation_(sends ? posted_ - 1 : 0) {}
  virtual ~End() = default;

  virtual void put(const Message&, double) { throw CodedError("RANK_TENSOR", "this end of the border receives"); }
  virtual Message get(double) { throw CodedError("RANK_TENSOR", "this end of the border sends"); }
  virtual void close(const std::string& reason, double timeoutMs) = 0;
  virtual size_t depth() const = 0;
  void abort(const std::string& reason) { breaker_.trip("QUEUE_CLOSED", reason); }

 protected:
  WorkPointer send(const at::Tensor& bytes, Lane lane) {
    std::vector<at::Tensor> one{bytes};
    return begin("to take a message", [&] { return group_->gloo->send(one, peer_, tag_ + lane); });
  }
  WorkPointer receive(const at::Tensor& bytes, Lane lane) {
    std::vector<at::Tensor> one{bytes};
    return begin("to send a message", [&] { return group_->gloo->recv(one, peer_, tag_ + lane); });
  }
  // On a connection that is known to be lost a transfer does not even begin.
  template <typename Body>
  WorkPointer begin(const char* what, Body body) {
    try {
      return body();
    } catch (const std::exception& error) {
      throwLost(peer_, limits(0), what, error);
    }
  }
  Limits limits(double timeoutMs) const {
    Limits all{timeoutMs, {&breaker_, &group_->ended, &group_->pulse->breaker}};
    if (group_->broken) all.breakers.push_back(group_->broken.get());
    else all.pulse = group_->pulse.get();
    return all;
  }
  void await(WorkPointer& work, const Limits& limits, const char* what) {
    if (!work) return;
    awaitTransfer(*work, peer_, limits, what);
    work.reset();
  }

  const std::shared_ptr<Group> group_;
  const int peer_;
  const int tag_;
  const size_t posted_; // receives that are posted ahead
  Expectation expectation_;
  BufferPool heads_;
  Breaker breaker_;
};

class Sender : public End {
 public:
  Sender(std::shared_ptr<Group> group, int peer, int number, int64_t capacity, bool halve)
      : End(std::move(group), peer, number, capacity, true), ahead_(capacity > 1), halve_(halve) {
    answer_ = receive(answerByte_, kAnswer);
  }

  void put(const Message& message, double timeoutMs) override {
    const Limits waiting = limits(timeoutMs);
    for (const Breaker* breaker : waiting.breakers) breaker->check();
    if (closed_) throw CodedError("QUEUE_CLOSED", "the border was closed");
    Encoded encoded = encode(message, heads_, halve_);
    if (ahead_) makeRoom(waiting);
    post(std::move(encoded), Kind::message);
    if (ahead_) return;
    try {
      makeRoom(waiting);
    } catch (...) {
      breaker_.trip("QUEUE_CLOSED", "a message was not taken in time before"); // it may still be: twice would be wrong
      throw;
    }
  }

  // Returns once the other end has taken everything.
  void close(const std::string& reason, double timeoutMs) override {
    const Limits waiting = limits(timeoutMs);
    if (!closed_) post(encode(Message{reason, {}}, heads_, false), Kind::end);
    closed_ = true;
    while (!flights_.empty()) land(waiting);
    await(answer_, waiting, "to take what was sent, and to close the border");
  }

  size_t depth() const override { return flights_.size(); }

 private:
  struct Flight {
    Encoded encoded;
    WorkPointer head;
    std::vector<WorkPointer> rest;
  };

  // The last head is on its way once its receive is posted; then what lies `posted_` before it has been taken.
  void makeRoom(const Limits& waiting) {
    if (flights_.empty()) return;
    await(flights_.back().head, waiting, "to take a message");
    while (flights_.size() > posted_) land(waiting);
  }

  void land(const Limits& waiting) {
    Flight& first = flights_.front();
    await(first.head, waiting, "to take a message");
    for (WorkPointer& work : first.rest) await(work, waiting, "to take a message");
    flights_.pop_front();
  }

  void post(Encoded encoded, Kind kind) {
    auto* preamble = static_cast<Preamble*>(encoded.head.data_ptr());
    const auto bytes = static_cast<int64_t>(preamble->bytes);
    const std::vector<int64_t> sizes = encoded.sizes();
    const bool spilled = bytes > kHeadBytes;
    const bool expected = !spilled && !sizes.empty() && expectation_.fits(sizes);
    preamble->number = ++count_;
    preamble->kind = kind;
    preamble->late = spilled || (!sizes.empty() && !expected);
    Flight flight;
    flight.head = send(encoded.head.narrow(0, 0, spilled ? static_cast<int64_t>(sizeof(Preamble)) : bytes), kHeads);
    if (!expected) {
      for (size_t k = 0; k < expectation_.sizes().size(); ++k) flight.rest.push_back(send(answerByteOut_, kParts));
    }
    if (spilled) flight.rest.push_back(send(encoded.head.narrow(0, 0, bytes), kLate));
    for (const at::Tensor& part : encoded.parts) flight.rest.push_back(send(part, expected ? kParts : kLate));
    expectation_.learn(sizes);
    flight.encoded = std::move(encoded);
    flights_.push_back(std::move(flight));
  }

  const bool ahead_; // one message may wait here for its receive
  const bool halve_;
  uint64_t count_ = 0;
  bool closed_ = false;
  std::deque<Flight> flights_;
  at::Tensor answerByte_ = at::zeros({1}, at::TensorOptions().dtype(at::kByte));
  at::Tensor answerByteOut_ = at::zeros({1}, at::TensorOptions().dtype(at::kByte));
  WorkPointer answer_;
};

class Receiver : public End {
 public:
  Receiver(std::shared_ptr<Group> group, int peer, int number, int64_t capacity)
      : End(std::move(group), peer, number, capacity, false) {
    for (size_t k = 0; k < posted_; ++k) post();
  }

  Message get(double timeoutMs) override {
    const Limits waiting = limits(timeoutMs);
    for (const Breaker* breaker : waiting.breakers) breaker->check();
    if (ended_) throw CodedError("QUEUE_CLOSED", reason_);
    // A time-out leaves the slot as it is: the next get goes on from there.
    Slot& slot = slots_.front();
    await(slot.headWork, waiting, "to send a message");
    const std::vector<int64_t> sizes = takeParts(slot, waiting);
    const auto* head = static_cast<const uint8_t*>((slot.spilled.defined() ? slot.spilled : slot.head).data_ptr());
    const Kind kind = reinterpret_cast<const Preamble*>(slot.head.data_ptr())->kind;
    Message message = decode(head, slot.parts);
    expectation_.learn(sizes);
    slots_.pop_front();
    if (kind == Kind::end) {
      ended_ = true;
      reason_ = message.text;
      answer_ = send(answerByte_, kAnswer);
      throw CodedError("QUEUE_CLOSED", reason_);
    }
    post();
    return message;
  }

  // Drops what still comes, until the other end closes.
  void close(const std::string&, double timeoutMs) override {
    while (!ended_) {
      try {
        get(timeoutMs);
      } catch (const CodedError&) {
        if (!ended_) throw;
      }
    }
    await(answer_, limits(timeoutMs), "to hear that the border is closed");
  }

  size_t depth() const override {
    size_t come = 0;
    for (const Slot& slot : slots_) {
      const auto* preamble = static_cast<const volatile Preamble*>(slot.head.data_ptr());
      if (preamble->number == 0) break;
      ++come;
    }
    return come;
  }

 private:
  struct Slot {
    at::Tensor head;
    WorkPointer headWork;
    std::vector<at::Tensor> parts;
    std::vector<WorkPointer> partWorks;
    at::Tensor spilled; // the whole head, where it is a long one
    WorkPointer spilledWork;
    bool flushed = false; // what was expected did not come, and `parts` are what does
  };

  void post() {
    Slot slot;
    slot.head = heads_.take(kHeadBytes);
    static_cast<Preamble*>(slot.head.data_ptr())->number = 0;
    slot.headWork = receive(slot.head, kHeads);
    for (const int64_t size : expectation_.sizes()) {
      slot.parts.push_back(pool_.take(size));
      slot.partWorks.push_back(receive(slot.parts.back(), kParts));
    }
    slots_.push_back(std::move(slot));
  }

  std::vector<int64_t> takeParts(Slot& slot, const Limits& waiting) {
    const auto* preamble = static_cast<const Preamble*>(slot.head.data_ptr());
    if (!slot.flushed) awaitAll(slot.partWorks, waiting);
    if (preamble->bytes > kHeadBytes && !slot.spilled.defined()) {
      slot.spilled = at::empty({static_cast<int64_t>(preamble->bytes)}, at::TensorOptions().dtype(at::kByte));
      slot.spilledWork = receive(slot.spilled, kLate);
    }
    await(slot.spilledWork, waiting, "to send the rest of a message");
    const at::Tensor& head = slot.spilled.defined() ? slot.spilled : slot.head;
    const std::vector<int64_t> sizes = partSizes(static_cast<const uint8_t*>(head.data_ptr()));
    if (!preamble->late) return sizes;
    if (!slot.flushed) {
      slot.flushed = true;
      slot.parts.clear();
      slot.partWorks.clear();
      for (const int64_t size : sizes) {
        slot.parts.push_back(pool_.take(size));
        slot.partWorks.push_back(receive(slot.parts.back(), kLate));
      }
    }
    awaitAll(slot.partWorks, waiting);
    return sizes;
  }

  void awaitAll(std::vector<WorkPointer>& works, const Limits& waiting) {
    for (WorkPointer& work : works) await(work, waiting, "to send the rest of a message");
  }

  std::deque<Slot> slots_;
  BufferPool pool_;
  bool ended_ = false;
  std::string reason_;
  at::Tensor answerByte_ = at::zeros({1}, at::TensorOptions().dtype(at::kByte));
  WorkPointer answer_;
};

std::mutex bordersMutex;
uint32_t lastBorder = 0;
std::unordered_map<uint32_t, std::shared_ptr<End>>& borders() {
  // Gloo may still write into the buffers of those that were not closed when the process ends.
  static auto* all = new std::unordered_map<uint32_t, std::shared_ptr<End>>();
  return *all;
}

// Gloo lets go of buffers that are gone: what is still to come for them is dropped.
void dropBorder(double id) {
  const std::lock_guard<std::mutex> lock(bordersMutex);
  borders().erase(static_cast<uint32_t>(id));
}

std::shared_ptr<End> findBorder(double id) {
  const std::lock_guard<std::mutex> lock(bordersMutex);
  const auto found = borders().find(static_cast<uint32_t>(id));
  if (found == borders().end()) throw CodedError("QUEUE_CLOSED", "the border was closed");
  return found->second;
}

// borderOpen(group, peer, number, capacity, receives, halve) -> id
napi_value borderOpen(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<6> arguments(env, info);
    const auto group = findGroup(arguments.number(0));
    const auto peer = static_cast<int>(arguments.integer(1));
    const auto number = static_cast<int>(arguments.integer(2));
    const int64_t capacity = arguments.integer(3);
    std::shared_ptr<End> end;
    if (arguments.boolean(4)) {
      end = std::make_shared<Receiver>(group, peer, number, capacity);
    } else {
      end = std::make_shared<Sender>(group, peer, number, capacity, arguments.boolean(5));
    }
    const std::lock_guard<std::mutex> lock(bordersMutex);
    borders().emplace(++lastBorder, std::move(end));
    return fromNumber(env, lastBorder);
  });
}

// borderPut(id, text, timeoutMs): the frame holds one list of tensors. Blocks this thread while the border is full.
napi_value borderPut(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    const Message message{arguments.text(1), readTensors(self, Cursor(self.frame, 0))};
    findBorder(arguments.number(0))->put(message, arguments.number(2));
    return nullptr;
  });
}

// borderGet(id, timeoutMs) -> text; the frame holds one list of tensors. Blocks this thread while the border is empty.
napi_value borderGet(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    Message message = findBorder(arguments.number(0))->get(arguments.number(1));
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(message.tensors.size()));
    for (auto& tensor : message.tensors) putTensor(self, writer, std::move(tensor));
    return fromText(env, message.text);
  });
}

napi_value borderDepth(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromNumber(env, static_cast<double>(findBorder(Arguments<1>(env, info).number(0))->depth()));
  });
}

// borderClose(id, reason, timeoutMs): both ends call it, and it returns when all has passed.
napi_value borderClose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    findBorder(arguments.number(0))->close(arguments.text(1), arguments.number(2));
    dropBorder(arguments.number(0));
    return nullptr;
  });
}

// borderDrop(id): for one whose connection is lost.
napi_value borderDrop(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    dropBorder(Arguments<1>(env, info).number(0));
    return nullptr;
  });
}

// borderAbort(id, reason): fails this end's waits, from any thread.
napi_value borderAbort(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    findBorder(arguments.number(0))->abort(arguments.text(1));
    return nullptr;
  });
}

} // namespace

void defineBorders(napi_env env, napi_value exports) {
  define(env, exports, "borderOpen", borderOpen);
  define(env, exports, "borderPut", borderPut);
  define(env, exports, "borderGet", borderGet);
  define(env, exports, "borderDepth", borderDepth);
  define(env, exports, "borderClose", borderClose);
  define(env, exports, "borderDrop", borderDrop);
  define(env, exports, "borderAbort", borderAbort);
}

#else

void defineBorders(napi_env, napi_value) {}

#endif

} // namespace headrace
