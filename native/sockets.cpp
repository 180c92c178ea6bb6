// Connections of Gloo's, which would wait for ever for an answer that the network lost.
#include "group.h"

#ifdef HEADRACE_GLOO

#include <algorithm>

#if defined(__linux__)
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

namespace headrace {

#if defined(__linux__)

namespace {

// A rank that is silent everywhere is missed by its beats first, which says more.
constexpr double kLaterMs = 1000;

using Name = int (*)(int, sockaddr*, socklen_t*);

// The port of one end of a TCP connection; 0 where this is none.
int portOf(int descriptor, Name name) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (name(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(address).sin6_port);
  return 0;
}

} // namespace

Connections::Connections(int storePort) : storePort_(storePort), before_(open()) {}

std::vector<int> Connections::open() const {
  std::vector<int> found;
  DIR* const all = opendir("/proc/self/fd");
  if (!all) return found;
  while (const dirent* each = readdir(all)) {
    const int descriptor = std::atoi(each->d_name);
    const int peer = portOf(descriptor, getpeername);
    const bool store = peer == storePort_ || portOf(descriptor, getsockname) == storePort_;
    if (peer != 0 && !store) found.push_back(descriptor);
  }
  closedir(all);
  return found;
}

void Connections::limit(double patienceMs) const {
  const int on = 1;
  const int probeSeconds = 1;
  const auto unanswered = static_cast<unsigned int>(patienceMs + kLaterMs);
  for (const int descriptor : open()) {
    if (std::find(before_.begin(), before_.end(), descriptor) != before_.end()) continue;
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &probeSeconds, sizeof probeSeconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &probeSeconds, sizeof probeSeconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
  }
}

#else

Connections::Connections(int storePort) : storePort_(storePort) {}
std::vector<int> Connections::open() const { return {}; }
void Connections::limit(double) const {}

#endif

} // namespace headrace

#endif
