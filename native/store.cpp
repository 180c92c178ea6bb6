// Key-value stores of c10d, through which ranks find each other and hear of each other.
#include "group.h"

#ifdef HEADRACE_GLOO

#include <algorithm>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#endif

namespace headrace {

#ifdef HEADRACE_GLOO

namespace {

// The server of libuv is an option of some builds, and Debian's has none. The field came with 2.3.
template <typename Options>
auto withoutLibuv(Options& options, int) -> decltype(options.useLibUV = false, void()) {
  options.useLibUV = false;
}
template <typename Options>
void withoutLibuv(Options&, long) {}

constexpr double kBeatMs = 500;

} // namespace

std::string plainText(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch ? torch->what_without_backtrace() : error.what();
}

std::shared_ptr<StoreLink> StoreLink::open(const std::string& host, uint16_t port, bool serve, double timeoutMs) {
  const std::shared_ptr<StoreLink> link(new StoreLink(host, port, serve));
  const std::string place = host + ":" + std::to_string(port);
  const auto body = [link, serve, timeoutMs] {
    if (!serve) awaitListener(link->host, link->port, timeoutMs);
    c10d::TCPStoreOptions options;
    options.port = link->port;
    options.isServer = serve;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeoutMs));
    withoutLibuv(options, 0);
    link->store = c10::make_intrusive<c10d::TCPStore>(link->host, options);
    link->store->add("headrace/visits", 1); // whether a store listens there shows when it answers
  };
  bool answered = false;
  try {
    answered = withinTime(timeoutMs + 250, body);
  } catch (const std::exception& error) {
    const std::string cause = plainText(error);
    if (serve) {
      const bool taken = cause.find("in use") != std::string::npos || cause.find("EADDRINUSE") != std::string::npos;
      const std::string why = taken ? " is taken by another program" : " cannot be listened at [" + cause + "]";
      throw CodedError("STORE_PORT_TAKEN", "port " + std::to_string(port) + why);
    }
    throw CodedError("STORE_UNREACHABLE", cause);
  }
  if (!answered) throw CodedError("STORE_SILENT", "what listens at " + place + " does not answer as a store does");
  return link;
}

template <typename Result>
Result StoreLink::call(double timeoutMs, std::function<Result(c10d::Store&)> body) {
  const std::string place = host + ":" + std::to_string(port);
  if (stuck_) throw CodedError("STORE_SILENT", "the store at " + place + " has not answered before");
  const auto result = std::make_shared<Result>();
  bool answered = false;
  try {
    answered = withinTime(timeoutMs, [itsStore = store, result, body] { *result = body(*itsStore); });
  } catch (const std::exception& error) {
    throw CodedError("STORE_UNREACHABLE", "the store at " + place + " is gone: " + plainText(error));
  }
  if (!answered) {
    stuck_ = true;
    throw CodedError("STORE_SILENT", "the store at " + place + " did not answer within " + seconds(timeoutMs));
  }
  return *result;
}

int64_t StoreLink::add(const std::string& key, int64_t amount, double timeoutMs) {
  return call<int64_t>(timeoutMs, [=](c10d::Store& each) { return each.add(key, amount); });
}

void StoreLink::set(const std::string& key, const std::string& text, double timeoutMs) {
  call<bool>(timeoutMs, [=](c10d::Store& each) {
    each.set(key, std::vector<uint8_t>(text.begin(), text.end()));
    return true;
  });
}

std::string StoreLink::get(const std::string& key, double timeoutMs) {
  return call<std::string>(timeoutMs, [=](c10d::Store& each) {
    const std::vector<uint8_t> bytes = each.get(key);
    return std::string(bytes.begin(), bytes.end());
  });
}

bool StoreLink::has(const std::vector<std::string>& keys, double timeoutMs) {
  return call<bool>(timeoutMs, [=](c10d::Store& each) { return each.check(keys); });
}

Pulse::Pulse(std::shared_ptr<StoreLink> link, std::string prefix, int rank, int size, double patienceMs, bool keeper,
             bool misses)
    : patienceMs(patienceMs), link_(std::move(link)), prefix_(std::move(prefix)), rank_(rank), size_(size), keeper_(keeper) {
  // Each looks after the next two: all after all would be too much for a store of many ranks.
  for (int k = 1; misses && k <= std::min(2, size - 1); ++k) neighbours_.push_back((rank + k) % size);
  seen_.assign(neighbours_.size(), 0);
  silentMs_.assign(neighbours_.size(), 0);
}

std::string Pulse::key(const char* what, int rank) const { return prefix_ + what + std::to_string(rank); }

void Pulse::start() {
  const auto self = shared_from_this();
  std::thread([self] { self->run(); }).detach();
  everyTick([self](double passedMs) { return self->tick(passedMs); });
}

// The store's connection may hang with the machine of rank 0; the thread that beats hangs with it then.
bool Pulse::tick(double passedMs) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (leaving_ || breaker.tripped()) return false;
  unansweredMs_ = unansweredMs_ + passedMs;
  if (unansweredMs_ <= patienceMs + kBeatMs) return true;
  breaker.trip("RANK_LOST", whySilent());
  beaten_.notify_all();
  return false;
}

// The server takes one question at a time, and waits for the rest of one that it has half of.
std::string Pulse::whySilent() const {
  const std::string keeper = keeper_ ? "this rank" : "rank 0 or its launcher";
  const std::string blamed = keeper_ ? "another rank," : "it, or a rank";
  return "the store at " + link_->host + ":" + std::to_string(link_->port) + ", which " + keeper +
         " keeps, has not answered for " + seconds(patienceMs) + ": " + blamed +
         " in the middle of a question to it, was stopped or is cut off from the network";
}

void Pulse::run() {
  try {
    for (bool onTime = true;;) {
      beat(onTime);
      std::unique_lock<std::mutex> lock(mutex_);
      const std::chrono::duration<double, std::milli> pause(kBeatMs);
      onTime = !changed_.wait_for(lock, pause, [&] { return leaving_ || asked_ || !failure_.empty(); });
      if (leaving_ && failure_.empty()) break;
    }
    link_->store->add(key("left/", rank_), 1);
  } catch (const std::exception& error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!leaving_) {
      breaker.trip("RANK_LOST", "the store at " + link_->host + ":" + std::to_string(link_->port) +
                                    " is gone, which rank 0 or its launcher keeps: it has ended");
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  over_ = true;
  beaten_.notify_all();
}

// Whoever was silent between two beats on time was so for that time.
void Pulse::beat(bool onTime) {
  c10d::Store& store = *link_->store;
  std::string failure;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++begun_;
    asked_ = false;
    failure = failure_;
  }
  store.add(key("beat/", rank_), 1);
  if (!failure.empty()) tell(failure);
  const std::string told = prefix_ + "failed";
  if (store.check({told})) {
    const std::vector<uint8_t> text = store.get(told);
    breaker.trip("RANK_LOST", std::string(text.begin(), text.end()));
  }
  for (size_t k = 0; onTime && k < neighbours_.size(); ++k) look(static_cast<int>(k));
  lookForKeys();
  unansweredMs_ = 0;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!failure.empty()) failure_.clear();
  ended_ = begun_;
  beaten_.notify_all();
}

void Pulse::watch(std::vector<std::string> keys, const std::shared_ptr<Breaker>& each, std::string reason) {
  for (auto& name : keys) name.insert(0, prefix_);
  const std::lock_guard<std::mutex> lock(mutex_);
  watches_.push_back({std::move(keys), each, std::move(reason)});
}

void Pulse::lookForKeys() {
  std::vector<Watch> watches;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto over = [](const Watch& each) {
      const auto held = each.breaker.lock();
      return !held || held->tripped();
    };
    watches_.erase(std::remove_if(watches_.begin(), watches_.end(), over), watches_.end());
    watches = watches_;
  }
  for (const Watch& each : watches) {
    const auto there = [&](const std::string& name) { return link_->store->check({name}); };
    if (!std::any_of(each.keys.begin(), each.keys.end(), there)) continue;
    if (const auto held = each.breaker.lock()) held->trip("LINK_LOST", each.reason);
  }
}

// Counted in beats seen rather than by the clock: a rank that was suspended itself has missed nothing.
void Pulse::look(int k) {
  c10d::Store& store = *link_->store;
  const int neighbour = neighbours_[k];
  const int64_t beats = store.add(key("beat/", neighbour), 0);
  const bool silent = beats == seen_[k];
  seen_[k] = beats;
  silentMs_[k] = silent ? silentMs_[k] + kBeatMs : 0;
  if (silentMs_[k] < patienceMs || store.add(key("left/", neighbour), 0) > 0) return;
  tell("rank " + std::to_string(neighbour) + " has not been heard of for " + seconds(patienceMs) +
       ": it was killed or stopped, or is cut off from the network");
}

// The first failure is the cause of the rest.
void Pulse::tell(const std::string& reason) {
  c10d::Store& store = *link_->store;
  const std::string told = prefix_ + "failed";
  if (!store.check({told})) store.set(told, std::vector<uint8_t>(reason.begin(), reason.end()));
  breaker.trip("RANK_LOST", reason);
}

void Pulse::leave() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_all();
}

void Pulse::fail(const std::string& reason) {
  breaker.trip("RANK_LOST", reason);
  std::unique_lock<std::mutex> lock(mutex_);
  failure_ = reason;
  changed_.notify_all();
  const std::chrono::duration<double, std::milli> patience(patienceMs);
  beaten_.wait_for(lock, patience, [&] { return failure_.empty() || over_ || unansweredMs_ > patienceMs; });
}

void Pulse::hear() {
  std::unique_lock<std::mutex> lock(mutex_);
  const int64_t next = begun_ + 1; // one that has begun may have asked before
  asked_ = true;
  changed_.notify_all();
  const std::chrono::duration<double, std::milli> patience(patienceMs);
  beaten_.wait_for(lock, patience, [&] { return ended_ >= next || over_ || breaker.tripped(); });
}

namespace {

std::mutex storesMutex;
std::vector<std::shared_ptr<StoreLink>>& stores() {
  static auto* all = new std::vector<std::shared_ptr<StoreLink>>();
  return *all;
}

// storeOpen(host, port, serve, timeoutMs) -> id
napi_value storeOpen(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<4> arguments(env, info);
    auto link = StoreLink::open(arguments.text(0), static_cast<uint16_t>(arguments.integer(1)), arguments.boolean(2),
                                arguments.number(3));
    return fromNumber(env, keepStore(std::move(link)));
  });
}

napi_value storeClose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const auto id = static_cast<size_t>(Arguments<1>(env, info).integer(0));
    std::shared_ptr<StoreLink> link;
    const std::lock_guard<std::mutex> lock(storesMutex);
    if (id < stores().size()) link.swap(stores()[id]);
    return nullptr;
  });
}

napi_value storePort(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const auto link = findStore(Arguments<1>(env, info).number(0));
    return fromNumber(env, static_cast<c10d::TCPStore&>(*link->store).getPort());
  });
}

// storeAdd(id, key, amount, timeoutMs) -> the sum
napi_value storeAdd(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<4> arguments(env, info);
    const auto link = findStore(arguments.number(0));
    return fromNumber(env, static_cast<double>(link->add(arguments.text(1), arguments.integer(2), arguments.number(3))));
  });
}

// storeSet(id, key, text, timeoutMs)
napi_value storeSet(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<4> arguments(env, info);
    findStore(arguments.number(0))->set(arguments.text(1), arguments.text(2), arguments.number(3));
    return nullptr;
  });
}

// storeGet(id, key, timeoutMs) -> text
napi_value storeGet(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<3> arguments(env, info);
    return fromText(env, findStore(arguments.number(0))->get(arguments.text(1), arguments.number(2)));
  });
}

// storeHas(id, key, timeoutMs) -> whether it is there
napi_value storeHas(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<3> arguments(env, info);
    return fromBoolean(env, findStore(arguments.number(0))->has({arguments.text(1)}, arguments.number(2)));
  });
}

// routeTo(host, port) -> this machine's address on the way there
napi_value routeTo(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<2> arguments(env, info);
    const std::string host = arguments.text(0);
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(host.c_str(), std::to_string(arguments.integer(1)).c_str(), &hints, &found);
    if (failed) throw CodedError("STORE_UNREACHABLE", host + " is unknown: " + gai_strerror(failed));
    std::string address;
    for (addrinfo* each = found; each && address.empty(); each = each->ai_next) {
      const int descriptor = socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (descriptor < 0) continue;
      sockaddr_storage own{};
      socklen_t length = sizeof own;
      char text[NI_MAXHOST];
      // A datagram socket connects without sending anything.
      if (connect(descriptor, each->ai_addr, each->ai_addrlen) == 0 &&
          getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
          getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
        address = text;
      }
      close(descriptor);
    }
    freeaddrinfo(found);
    if (address.empty()) throw CodedError("STORE_UNREACHABLE", "no network of this machine leads to " + host);
    return fromText(env, address);
  });
}

} // namespace

std::shared_ptr<StoreLink> findStore(double id) {
  const std::lock_guard<std::mutex> lock(storesMutex);
  const auto index = static_cast<size_t>(id);
  if (index >= stores().size() || !stores()[index]) throw CodedError("STORE_CLOSED", "the store was closed");
  return stores()[index];
}

int keepStore(std::shared_ptr<StoreLink> link) {
  const std::lock_guard<std::mutex> lock(storesMutex);
  stores().push_back(std::move(link));
  return static_cast<int>(stores().size() - 1);
}

void defineStores(napi_env env, napi_value exports) {
  define(env, exports, "storeOpen", storeOpen);
  define(env, exports, "storeClose", storeClose);
  define(env, exports, "storePort", storePort);
  define(env, exports, "storeAdd", storeAdd);
  define(env, exports, "storeSet", storeSet);
  define(env, exports, "storeGet", storeGet);
  define(env, exports, "storeHas", storeHas);
  define(env, exports, "routeTo", routeTo);
}

#else

void defineStores(napi_env, napi_value) {}

#endif

} // namespace headrace
