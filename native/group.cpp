// Process groups: sends, receives and collectives between ranks, each begun at once and waited for apart.
#include "group.h"

namespace headrace {

#ifdef HEADRACE_GLOO

namespace {

constexpr std::chrono::milliseconds kForever(std::chrono::hours(24 * 365));

std::mutex registryMutex;
std::unordered_map<uint32_t, std::shared_ptr<Group>>& groups() {
  static auto* all = new std::unordered_map<uint32_t, std::shared_ptr<Group>>();
  return *all;
}

struct Pending {
  WorkPointer work;
  std::shared_ptr<Group> group;
  int peer; // -1 for a collective
  std::string what;
};
// One that nobody waits for stays: Gloo may still write into its tensor.
std::unordered_map<uint32_t, Pending>& works() {
  static auto* all = new std::unordered_map<uint32_t, Pending>();
  return *all;
}
uint32_t lastGroup = 0;
uint32_t lastWork = 0;

} // namespace

std::shared_ptr<Group> findGroup(double id) {
  const std::lock_guard<std::mutex> lock(registryMutex);
  const auto found = groups().find(static_cast<uint32_t>(id));
  if (found == groups().end()) throw CodedError("QUEUE_CLOSED", "the process group was closed");
  return found->second;
}

Limits limitsOf(const Group& group, double timeoutMs) {
  return {timeoutMs, {&group.ended, &group.pulse->breaker}, group.pulse.get()};
}

namespace {

// Connects a rank to all others of a group, whose key prefix and address are set.
void connect(const std::shared_ptr<Group>& group, int rank, int size, double timeoutMs, double patienceMs,
             const std::vector<const Breaker*>& breakers = {}) {
  group->rank = rank;
  group->size = size;
  const Connections connections(group->link->port);
  const auto body = [=] {
    const auto options = c10d::ProcessGroupGloo::Options::create(kForever);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(group->address));
    options->threads = 2;
    const auto store = c10::make_intrusive<c10d::PrefixStore>(group->prefix + "gloo", group->link->store);
    store->setTimeout(std::chrono::milliseconds(static_cast<int64_t>(timeoutMs)));
    group->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  };
  bool connected = false;
  try {
    connected = withinTime(timeoutMs, body, breakers);
  } catch (const CodedError&) {
    throw;
  } catch (const std::exception& error) {
    throw CodedError(group->broken ? "LINK_LOST" : "RANK_LOST",
                     "another rank ended while all connected to each other [" + firstLine(error) + "]");
  }
  if (!connected) throw CodedError(group->broken ? "LINK_LOST" : "RANK_TIMEOUT", "the ranks were not connected within " + seconds(timeoutMs));
  connections.limit(patienceMs);
}

napi_value keepGroup(napi_env env, std::shared_ptr<Group> group) {
  const std::lock_guard<std::mutex> lock(registryMutex);
  groups().emplace(++lastGroup, std::move(group));
  return fromNumber(env, lastGroup);
}

// groupCreate(store, prefix, rank, size, address, timeoutMs, patienceMs, starts) -> id. Returns when all ranks are connected; where
// they are started one by one (`starts` says how often this one was) each connection is made apart.
napi_value groupCreate(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<8> arguments(env, info);
    const auto group = std::make_shared<Group>();
    group->link = findStore(arguments.number(0));
    group->prefix = arguments.text(1);
    group->address = arguments.text(4);
    const double timeoutMs = arguments.number(5);
    group->rank = static_cast<int>(arguments.integer(2));
    group->size = static_cast<int>(arguments.integer(3));
    group->starts = arguments.integer(7);
    const bool together = group->starts == 0;
    if (together) connect(group, group->rank, group->size, timeoutMs, arguments.number(6));
    auto own = StoreLink::open(group->link->host, group->link->port, false, timeoutMs);
    group->pulse = std::make_shared<Pulse>(std::move(own), group->prefix, group->rank, group->size, arguments.number(6),
                                           group->link->serves, together);
    group->pulse->start();
    return keepGroup(env, group);
  });
}

// groupLink(whole, name, rank, broken, replaced, timeoutMs) -> id: a connection between two ranks, which breaks as well when one of
// two keys is set.
napi_value groupLink(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<6> arguments(env, info);
    const auto whole = findGroup(arguments.number(0));
    const double timeoutMs = arguments.number(5);
    const auto group = std::make_shared<Group>();
    group->link = StoreLink::open(whole->link->host, whole->link->port, false, timeoutMs);
    group->prefix = whole->prefix + "links/" + arguments.text(1) + "/";
    group->address = whole->address;
    group->pulse = whole->pulse;
    group->part = true;
    group->broken = std::make_shared<Breaker>();
    group->pulse->watch({arguments.text(3), arguments.text(4)}, group->broken, "the connection was given up by the other rank");
    connect(group, static_cast<int>(arguments.integer(2)), 2, timeoutMs, whole->pulse->patienceMs,
            {&whole->ended, &whole->pulse->breaker, group->broken.get()});
    return keepGroup(env, group);
  });
}

// groupDrop(id): gives up a connection whose borders were dropped; that may take Gloo some time.
napi_value groupDrop(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const auto id = static_cast<uint32_t>(Arguments<1>(env, info).integer(0));
    const std::lock_guard<std::mutex> lock(registryMutex);
    const auto found = groups().find(id);
    if (found == groups().end()) return nullptr;
    std::thread([dropped = std::move(found->second)]() mutable { dropped.reset(); }).detach();
    groups().erase(found);
    return nullptr;
  });
}

// groupCheck(id): throws the reason for which all waits of the group end, if there is one.
napi_value groupCheck(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const auto group = findGroup(Arguments<1>(env, info).number(0));
    group->ended.check();
    group->pulse->breaker.check();
    if (group->broken) group->broken->check();
    return nullptr;
  });
}

// groupStore(id) -> the store by which its ranks meet
napi_value groupStore(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromNumber(env, keepStore(findGroup(Arguments<1>(env, info).number(0))->link)); });
}

// groupPrefix(id) -> what its keys begin with
napi_value groupPrefix(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromText(env, findGroup(Arguments<1>(env, info).number(0))->prefix); });
}

napi_value groupStarts(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromNumber(env, static_cast<double>(findGroup(Arguments<1>(env, info).number(0))->starts));
  });
}

c10d::ProcessGroupGloo& glooOf(const Group& group) {
  if (group.gloo) return *group.gloo;
  throw CodedError("RANK_TENSOR", "ranks that are started one by one have no connection of all: expected borders of a run alone");
}

// groupPart(whole, name, rank, size, timeoutMs) -> id: some of a group's ranks, for collectives of their own. It has its own
// connection to the store, since a thread that waits there for its peers keeps the connection to itself.
napi_value groupPart(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Arguments<5> arguments(env, info);
    const auto whole = findGroup(arguments.number(0));
    const double timeoutMs = arguments.number(4);
    const auto group = std::make_shared<Group>();
    group->link = StoreLink::open(whole->link->host, whole->link->port, false, timeoutMs);
    group->prefix = whole->prefix + "parts/" + arguments.text(1) + "/";
    group->address = whole->address;
    group->pulse = whole->pulse;
    group->part = true;
    connect(group, static_cast<int>(arguments.integer(2)), static_cast<int>(arguments.integer(3)), timeoutMs,
            whole->pulse->patienceMs, {&whole->ended, &whole->pulse->breaker});
    return keepGroup(env, group);
  });
}

napi_value groupRank(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromNumber(env, findGroup(Arguments<1>(env, info).number(0))->rank); });
}

napi_value groupSize(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromNumber(env, findGroup(Arguments<1>(env, info).number(0))->size); });
}

// groupFail(id, reason): ends the waits of all ranks.
napi_value groupFail(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    findGroup(arguments.number(0))->pulse->fail(arguments.text(1));
    return nullptr;
  });
}

// groupLeave(id): this rank is missed no longer. The connections stay until the process ends: Gloo cannot give up what has
// not come yet.
napi_value groupLeave(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const double id = Arguments<1>(env, info).number(0);
    const auto group = findGroup(id);
    if (!group->part) group->pulse->leave();
    group->ended.trip("QUEUE_CLOSED", "the process group was closed");
    return nullptr;
  });
}

napi_value groupsEnd(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const std::string reason = Arguments<1>(env, info).text(0);
    const std::lock_guard<std::mutex> lock(registryMutex);
    for (const auto& entry : groups()) entry.second->ended.trip("QUEUE_CLOSED", reason);
    return nullptr;
  });
}

napi_value keepWork(napi_env env, std::shared_ptr<Group> group, WorkPointer work, int peer, std::string what) {
  const std::lock_guard<std::mutex> lock(registryMutex);
  works().emplace(++lastWork, Pending{std::move(work), std::move(group), peer, std::move(what)});
  return fromNumber(env, lastWork);
}

std::vector<at::Tensor> oneTensor(Environment& self) {
  auto tensors = readTensors(self, Cursor(self.frame, 0));
  for (const auto& tensor : tensors) {
    if (!tensor.device().is_cpu() || !tensor.is_contiguous()) {
      throw CodedError("RANK_TENSOR", "expected contiguous tensors on the CPU, got " + describe(tensor) + " on " +
                                          tensor.device().str() + (tensor.is_contiguous() ? "" : ", not contiguous"));
    }
    if (tensor.requires_grad()) throw CodedError("QUEUE_GRAD", "a tensor that requires grad cannot travel: detach() it first");
  }
  return tensors;
}

int checkPeer(const Group& group, int64_t peer) {
  if (peer >= 0 && peer < group.size && peer != group.rank) return static_cast<int>(peer);
  throw CodedError("RANK_TENSOR", "expected another rank of 0 to " + std::to_string(group.size - 1) + ", got " +
                                      std::to_string(peer) + " in rank " + std::to_string(group.rank));
}

// groupSend(id, peer, tag, receive) -> work; the frame holds the tensor.
napi_value groupTransfer(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<4> arguments(env, info);
    const auto group = findGroup(arguments.number(0));
    const int peer = checkPeer(*group, arguments.integer(1));
    const auto tag = static_cast<int>(arguments.integer(2));
    std::vector<at::Tensor> bytes{bytesOf(oneTensor(self).at(0))};
    const bool receive = arguments.boolean(3);
    const std::string what = std::string(receive ? "to send" : "to receive") + " tag " + std::to_string(tag);
    c10d::ProcessGroupGloo& gloo = glooOf(*group);
    WorkPointer work;
    try {
      work = receive ? gloo.recv(bytes, peer, tag) : gloo.send(bytes, peer, tag);
    } catch (const std::exception& error) {
      throwLost(peer, limitsOf(*group, 0), what, error);
    }
    return keepWork(env, group, std::move(work), peer, what);
  });
}

c10d::ReduceOp operation(const std::string& name) {
  if (name == "sum") return c10d::ReduceOp::SUM;
  if (name == "product") return c10d::ReduceOp::PRODUCT;
  if (name == "min") return c10d::ReduceOp::MIN;
  if (name == "max") return c10d::ReduceOp::MAX;
  throw CodedError("RANK_TENSOR", "expected sum, product, min or max, got '" + name + "'");
}

// groupReduce(id, operation) -> work; the frame holds the tensors, which are reduced in place.
napi_value groupReduce(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    const auto group = findGroup(arguments.number(0));
    auto tensors = oneTensor(self);
    c10d::AllreduceCoalescedOptions options;
    options.reduceOp = operation(arguments.text(1));
    c10d::ProcessGroupGloo& gloo = glooOf(*group);
    auto work = tensors.size() == 1 ? gloo.allreduce(tensors, options) : gloo.allreduce_coalesced(tensors, options);
    return keepWork(env, group, std::move(work), -1, "in allReduce");
  });
}

// groupBroadcast(id, root) -> work; the frame holds the tensor.
napi_value groupBroadcast(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    const auto group = findGroup(arguments.number(0));
    std::vector<at::Tensor> bytes{bytesOf(oneTensor(self).at(0))};
    c10d::BroadcastOptions options;
    options.rootRank = arguments.integer(1);
    return keepWork(env, group, glooOf(*group).broadcast(bytes, options), -1, "in broadcast");
  });
}

napi_value groupBarrier(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const auto group = findGroup(Arguments<1>(env, info).number(0));
    return keepWork(env, group, glooOf(*group).barrier(), -1, "in barrier");
  });
}

// workWait(id, timeoutMs): one that is late can be waited for again.
napi_value workWait(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const auto id = static_cast<uint32_t>(arguments.integer(0));
    Pending pending;
    {
      const std::lock_guard<std::mutex> lock(registryMutex);
      const auto found = works().find(id);
      if (found == works().end()) return nullptr; // done before
      pending = found->second;
    }
    Group& group = *pending.group;
    const Limits limits = limitsOf(group, arguments.number(1));
    if (pending.peer < 0) {
      awaitCollective(*pending.work, limits, pending.what);
    } else {
      awaitTransfer(*pending.work, pending.peer, limits, pending.what);
    }
    const std::lock_guard<std::mutex> lock(registryMutex);
    works().erase(id);
    return nullptr;
  });
}

} // namespace

void defineGroups(napi_env env, napi_value exports) {
  define(env, exports, "groupCreate", groupCreate);
  define(env, exports, "groupPart", groupPart);
  define(env, exports, "groupLink", groupLink);
  define(env, exports, "groupDrop", groupDrop);
  define(env, exports, "groupCheck", groupCheck);
  define(env, exports, "groupStore", groupStore);
  define(env, exports, "groupPrefix", groupPrefix);
  define(env, exports, "groupStarts", groupStarts);
  define(env, exports, "groupRank", groupRank);
  define(env, exports, "groupSize", groupSize);
  define(env, exports, "groupFail", groupFail);
  define(env, exports, "groupLeave", groupLeave);
  define(env, exports, "groupsEnd", groupsEnd);
  define(env, exports, "groupTransfer", groupTransfer);
  define(env, exports, "groupReduce", groupReduce);
  define(env, exports, "groupBroadcast", groupBroadcast);
  define(env, exports, "groupBarrier", groupBarrier);
  define(env, exports, "workWait", workWait);
}

#else

void defineGroups(napi_env, napi_value) {}

#endif

} // namespace headrace
