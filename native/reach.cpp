// Whether another machine can be reached.
#include "group.h"

#ifdef HEADRACE_GLOO

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace headrace {

namespace {

// One try to connect, and the pause after one that failed.
constexpr double kConnectMs = 1000;
constexpr double kPauseMs = 100;

// What a connection to an address fails by; 0 where somebody listens there.
int faultOf(const addrinfo& at, double timeoutMs) {
  const int descriptor = socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return errno;
  int fault = connect(descriptor, at.ai_addr, at.ai_addrlen) == 0 ? 0 : errno;
  if (fault == EINPROGRESS) {
    pollfd waiting{descriptor, POLLOUT, 0};
    socklen_t length = sizeof fault;
    if (poll(&waiting, 1, static_cast<int>(timeoutMs)) <= 0) fault = ETIMEDOUT;
    else getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &length);
  }
  close(descriptor);
  return fault;
}

} // namespace

// c10d itself would write a line to the log for each of its tries.
void awaitListener(const std::string& host, uint16_t port, double timeoutMs) {
  using Clock = std::chrono::steady_clock;
  using Ms = std::chrono::duration<double, std::milli>;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(Ms(timeoutMs));
  for (std::string why;;) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failed) why = host + " is unknown: " + gai_strerror(failed);
    bool listens = false;
    for (addrinfo* each = found; each && !listens; each = each->ai_next) {
      const double left = Ms(until - Clock::now()).count();
      const int fault = faultOf(*each, std::max(1.0, std::min(left, kConnectMs)));
      listens = fault == 0;
      if (!listens) why = "nothing answers at " + host + ":" + std::to_string(port) + " (" + std::strerror(fault) + ")";
    }
    if (found) freeaddrinfo(found);
    if (listens) return;
    if (Clock::now() + Ms(kPauseMs) > until) throw CodedError("STORE_UNREACHABLE", why);
    std::this_thread::sleep_for(Ms(kPauseMs));
  }
}


} // namespace headrace

#endif
