// Waits for transfers and collectives of Gloo, and what is said when they fail.
#include "group.h"

namespace headrace {

#ifdef HEADRACE_GLOO

namespace {

constexpr std::chrono::milliseconds kForever(std::chrono::hours(24 * 365));
constexpr std::chrono::milliseconds kSlice(25);
constexpr std::chrono::milliseconds kLongSlice(250); // at its end libtorch makes an error with a stack trace
constexpr double kNoticeMs = 5000; // after the patience, for those who miss a rank to say so

} // namespace

std::string firstLine(const std::exception& error) {
  const std::string text = plainText(error);
  return text.substr(0, text.find('\n'));
}

void throwLost(int peer, const Limits& limits, const std::string& what, const std::exception& error) {
  // Why another rank went says more than that its connection broke: who failed has told it before.
  if (limits.pulse) limits.pulse->hear();
  for (const Breaker* breaker : limits.breakers) breaker->check();
  const std::string cause = firstLine(error);
  const bool unanswered = cause.find("timed out") != std::string::npos;
  throw CodedError(limits.pulse ? "RANK_LOST" : "LINK_LOST",
                   "the connection to rank " + std::to_string(peer) + " is lost (" + what + "): " +
                       (unanswered ? "its machine does not answer, the network between the two is cut"
                                   : "it ended or was killed") + " [" + cause + "]");
}

void awaitTransfer(c10d::Work& work, int peer, const Limits& limits, const std::string& what) {
  const Wait wait(limits, [&work] { work.abort(); });
  for (;;) {
    for (const Breaker* breaker : limits.breakers) breaker->check();
    bool done = false;
    try {
      done = work.wait(kForever);
    } catch (const std::exception& error) {
      throwLost(peer, limits, what, error);
    }
    if (done) return;
    for (const Breaker* breaker : limits.breakers) breaker->check();
    if (wait.late()) {
      throw CodedError("RANK_TIMEOUT", "waited " + seconds(limits.timeoutMs) + " for rank " + std::to_string(peer) + " " + what);
    }
  }
}

void awaitCollective(c10d::Work& work, const Limits& limits, const std::string& what) {
  const Wait wait(limits, [] {});
  for (;;) {
    for (const Breaker* breaker : limits.breakers) breaker->check();
    try {
      work.wait(kLongSlice);
      return;
    } catch (const std::exception& error) {
      if (work.isCompleted()) {
        // The connection's error names no rank; who has gone silent is known when the patience is over.
        const Limits silence{limits.pulse->patienceMs + kNoticeMs, limits.breakers};
        for (const Wait waiting(silence, [] {}); !waiting.late(); std::this_thread::sleep_for(kSlice)) {
          for (const Breaker* breaker : limits.breakers) breaker->check();
        }
        throw CodedError("RANK_LOST", "a rank was lost (" + what + ") [" + firstLine(error) + "]");
      }
    }
    if (wait.late()) throw CodedError("RANK_TIMEOUT", "waited " + seconds(limits.timeoutMs) + " for all ranks " + what);
  }
}

at::Tensor bytesOf(const at::Tensor& tensor) {
  const auto length = static_cast<int64_t>(tensor.numel() * tensor.element_size());
  return at::from_blob(tensor.data_ptr(), {length}, [tensor](void*) {}, at::TensorOptions().dtype(at::kByte));
}

#endif

} // namespace headrace
