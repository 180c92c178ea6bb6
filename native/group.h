// Ranks: processes that know each other through a store, and exchange tensors through c10d's Gloo.
#pragma once

#include "common.h"

namespace headrace {

// They add nothing where Gloo's headers were not there.
void defineStores(napi_env env, napi_value exports);
void defineGroups(napi_env env, napi_value exports);
void defineBorders(napi_env env, napi_value exports);
void defineBuckets(napi_env env, napi_value exports);

} // namespace headrace

#ifdef HEADRACE_GLOO

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <atomic>

#include "frame.h"
#include "waits.h"

namespace headrace {

// A connection to the store's server at host:port, or the server itself with one. A call that takes longer than its time
// leaves the connection unusable: libtorch's client waits for the answer with a lock held.
class StoreLink {
 public:
  static std::shared_ptr<StoreLink> open(const std::string& host, uint16_t port, bool serve, double timeoutMs);
  int64_t add(const std::string& key, int64_t amount, double timeoutMs);
  void set(const std::string& key, const std::string& text, double timeoutMs);
  // Of a key that is there.
  std::string get(const std::string& key, double timeoutMs);
  bool has(const std::vector<std::string>& keys, double timeoutMs);

  const std::string host;
  const uint16_t port;
  const bool serves; // this process keeps the store
  c10::intrusive_ptr<c10d::Store> store;

 private:
  StoreLink(std::string itsHost, uint16_t itsPort, bool itServes)
      : host(std::move(itsHost)), port(itsPort), serves(itServes) {}
  template <typename Result>
  Result call(double timeoutMs, std::function<Result(c10d::Store&)> body);
  std::atomic<bool> stuck_{false};
};

// Tells the others through the store, twice a second, that this rank lives; hears what they tell; and trips `breaker` where
// one of them is silent for longer than the patience, or says that it failed. Where ranks are replaced one by one nobody is
// missed: whoever starts them looks after them.
class Pulse : public std::enable_shared_from_this<Pulse> {
 public:
  // `keeper` where this process keeps the store; `misses` where it looks after other ranks.
  Pulse(std::shared_ptr<StoreLink> link, std::string prefix, int rank, int size, double patienceMs, bool keeper,
        bool misses);
  void start();
  // Trips `each` once one of the keys is there, for as long as it lives.
  void watch(std::vector<std::string> keys, const std::shared_ptr<Breaker>& each, std::string reason);
  // This rank goes: nobody shall miss it.
  void leave();
  // Ends the waits of all ranks. Returns when they are told, or cannot be.
  void fail(const std::string& reason);
  // Asks whether a rank has failed, and trips `breaker` if so. Returns when that is known, or cannot be.
  void hear();

  Breaker breaker;
  const double patienceMs;

 private:
  void run();
  void beat(bool onTime);
  void look(int neighbour);
  void lookForKeys();
  void tell(const std::string& reason);
  bool tick(double passedMs);
  std::string whySilent() const;
  std::string key(const char* what, int rank) const;

  const std::shared_ptr<StoreLink> link_;
  const std::string prefix_;
  const int rank_;
  const int size_;
  const bool keeper_;
  std::vector<int> neighbours_;
  std::vector<int64_t> seen_;
  std::vector<double> silentMs_;
  std::atomic<double> unansweredMs_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable beaten_;
  std::string failure_;
  int64_t begun_ = 0; // beats
  int64_t ended_ = 0;
  bool asked_ = false;
  bool leaving_ = false;
  bool over_ = false;
  struct Watch {
    std::vector<std::string> keys;
    std::weak_ptr<Breaker> breaker;
    std::string reason;
  };
  std::vector<Watch> watches_;
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo; // none where each connection is a group of its own
  std::shared_ptr<StoreLink> link; // by which its ranks meet
  std::string prefix;              // of their keys
  std::string address;
  std::shared_ptr<Pulse> pulse; // of the group that it is a part of, where it is one
  bool part = false;
  // Of a connection between two ranks that may be made anew: it broke, or the other rank is another process by now.
  std::shared_ptr<Breaker> broken;
  Breaker ended; // the process ends, or the group was closed
  int rank = 0;
  int size = 0;
  int64_t starts = 0; // how often this rank was started; 0 where all start together
};

// Returns once somebody listens there. Throws STORE_UNREACHABLE where nobody does in time.
void awaitListener(const std::string& host, uint16_t port, double timeoutMs);

// The connections that are opened while it lives, other threads' too, but for those to the store.
class Connections {
 public:
  explicit Connections(int storePort);
  // They break once the other machine has not answered for so long, whether or not something is sent. Its kernel answers for a
  // process that is stopped.
  void limit(double patienceMs) const;

 private:
  std::vector<int> open() const;

  const int storePort_;
  const std::vector<int> before_;
};

using WorkPointer = c10::intrusive_ptr<c10d::Work>;

// What an error says, without libtorch's stack trace.
std::string plainText(const std::exception& error);
std::string firstLine(const std::exception& error);

std::shared_ptr<StoreLink> findStore(double id);
int keepStore(std::shared_ptr<StoreLink> link);
std::shared_ptr<Group> findGroup(double id);

// Waits for a send or receive. Throws RANK_LOST (LINK_LOST where a connection is made anew) where the connection is gone,
// RANK_TIMEOUT with `what`, or a breaker's reason.
void awaitTransfer(c10d::Work& work, int peer, const Limits& limits, const std::string& what);

// Says which rank is gone, and why if it has told that.
[[noreturn]] void throwLost(int peer, const Limits& limits, const std::string& what, const std::exception& error);
// What ends the waits of a group's members.
Limits limitsOf(const Group& group, double timeoutMs);
// Waits for a collective.
void awaitCollective(c10d::Work& work, const Limits& limits, const std::string& what);

// The bytes of a dense tensor in the order of its memory; they share it.
at::Tensor bytesOf(const at::Tensor& tensor);

} // namespace headrace

#endif
