// Gradients of replicas in several ranks, added up in buckets: each is on its way while the backward pass makes the rest.
#include "group.h"

#ifdef HEADRACE_GLOO

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <functional>

#endif

namespace headrace {

#ifdef HEADRACE_GLOO

namespace {

// All ranks have the same parameters in the same order, so the same buckets, which they begin in the same order: a bucket that is
// ready waits for those before it.
class Buckets {
 public:
  // A pass makes the gradients of the last layers first: so buckets go from the last parameter to the first.
  Buckets(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, int64_t bytes)
      : group_(std::move(group)), parameters_(std::move(parameters)) {
    int64_t filled = 0;
    for (size_t k = parameters_.size(); k-- > 0;) {
      const at::Tensor& parameter = parameters_[k];
      const auto size = static_cast<int64_t>(parameter.numel() * parameter.element_size());
      const bool fits = !buckets_.empty() && buckets_.back().dtype == parameter.scalar_type() && filled + size <= bytes;
      if (!fits) {
        buckets_.push_back({parameter.scalar_type(), {}, 0, 0, {}, {}});
        filled = 0;
      }
      filled += size;
      buckets_.back().members.push_back(k);
      buckets_.back().length += parameter.numel();
    }
  }

  // Has each gradient tell `self` that it is made.
  static void listen(const std::shared_ptr<Buckets>& self) {
    for (size_t b = 0; b < self->buckets_.size(); ++b) {
      for (const size_t k : self->buckets_[b].members) {
        // A parameter holds what accumulates its gradient only weakly.
        auto accumulator = torch::autograd::impl::grad_accumulator(self->parameters_[k]);
        const auto told = [weak = std::weak_ptr<Buckets>(self), b, k] {
          if (const auto buckets = weak.lock()) buckets->made(b, k);
        };
        accumulator->add_post_hook(std::make_unique<Hook>(told));
        self->accumulators_.push_back(std::move(accumulator));
      }
    }
  }

  // What the next backward pass makes is complete: the last of a batch.
  void expect() {
    for (Bucket& bucket : buckets_) {
      bucket.missing = bucket.members.size();
      bucket.work.reset();
    }
    made_.assign(parameters_.size(), false);
    next_ = 0;
    expects_ = true;
    again_ = false;
  }

  // Whether a gradient grew when its bucket was on its way already, as there was another pass.
  bool again() const { return again_; }

  // Adds up what has not been begun, a gradient that is not there as zeros, and waits for all; where `again` says so, of any rank,
  // all once more. Then every parameter has the sum.
  void finish(double timeoutMs, bool again) {
    if (!expects_) expect();
    expects_ = false;
    while (next_ < buckets_.size()) begin(buckets_[next_++]);
    const Limits limits = limitsOf(*group_, timeoutMs);
    const auto await = [&](Bucket& bucket) { awaitCollective(*bucket.work, limits, "to add up gradients"); };
    if (again) {
      for (Bucket& bucket : buckets_) await(bucket);
      for (Bucket& bucket : buckets_) begin(bucket);
    }
    const at::NoGradGuard noGrad;
    for (Bucket& bucket : buckets_) {
      await(bucket);
      eachSlice(bucket, [&](const at::Tensor& parameter, const at::Tensor& slice) {
        at::Tensor& gradient = parameter.mutable_grad();
        if (gradient.defined()) gradient.copy_(slice);
        else gradient = slice.to(parameter.device(), /*non_blocking=*/false, /*copy=*/true);
      });
    }
  }

 private:
  struct Bucket {
    at::ScalarType dtype;
    std::vector<size_t> members;
    int64_t length;
    size_t missing;
    std::vector<at::Tensor> buffer; // one, on the CPU: it stays from step to step
    WorkPointer work;
  };

  struct Hook : torch::autograd::FunctionPostHook {
    explicit Hook(std::function<void()> itsCall) : call(std::move(itsCall)) {}
    torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                              const torch::autograd::variable_list&) override {
      call();
      return outputs;
    }
    const std::function<void()> call;
  };

  void made(size_t b, size_t k) {
    if (!expects_) return;
    if (made_[k]) {
      again_ = again_ || buckets_[b].work;
      return;
    }
    made_[k] = true;
    --buckets_[b].missing;
    while (next_ < buckets_.size() && buckets_[next_].missing == 0) begin(buckets_[next_++]);
  }

  void begin(Bucket& bucket) {
    const at::NoGradGuard noGrad;
    if (bucket.buffer.empty()) bucket.buffer.push_back(at::empty({bucket.length}, at::TensorOptions().dtype(bucket.dtype)));
    eachSlice(bucket, [](const at::Tensor& parameter, at::Tensor slice) {
      const at::Tensor& gradient = parameter.grad();
      if (gradient.defined()) slice.copy_(gradient);
      else slice.zero_();
    });
    bucket.work = group_->gloo->allreduce(bucket.buffer);
  }

  // With each parameter of a bucket its place in the buffer, in its shape.
  template <typename Call>
  void eachSlice(const Bucket& bucket, Call call) {
    int64_t from = 0;
    for (const size_t k : bucket.members) {
      const at::Tensor& parameter = parameters_[k];
      call(parameter, bucket.buffer[0].narrow(0, from, parameter.numel()).view(parameter.sizes()));
      from += parameter.numel();
    }
  }

  const std::shared_ptr<Group> group_;
  const std::vector<at::Tensor> parameters_;
  std::vector<std::shared_ptr<torch::autograd::Node>> accumulators_;
  std::vector<Bucket> buckets_;
  std::vector<bool> made_;
  size_t next_ = 0; // the first that was not begun
  bool again_ = false;
  bool expects_ = false;
};

std::mutex bucketsMutex;
uint32_t lastBuckets = 0;
std::unordered_map<uint32_t, std::shared_ptr<Buckets>>& all() {
  // Gloo may still write into the buffers of those that are at work when the process ends.
  static auto* each = new std::unordered_map<uint32_t, std::shared_ptr<Buckets>>();
  return *each;
}

std::shared_ptr<Buckets> find(double id) {
  const std::lock_guard<std::mutex> lock(bucketsMutex);
  return all().at(static_cast<uint32_t>(id));
}

// bucketsCreate(group, bytes) -> id; the frame holds the parameters, all of which require grad.
napi_value bucketsCreate(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    const auto buckets = std::make_shared<Buckets>(findGroup(arguments.number(0)),
                                                   readTensors(self, Cursor(self.frame, 0)), arguments.integer(1));
    Buckets::listen(buckets);
    const std::lock_guard<std::mutex> lock(bucketsMutex);
    all().emplace(++lastBuckets, buckets);
    return fromNumber(env, lastBuckets);
  });
}

napi_value bucketsExpect(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    find(Arguments<1>(env, info).number(0))->expect();
    return nullptr;
  });
}

// bucketsAgain(id) -> whether all are to be added up once more
napi_value bucketsAgain(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return fromBoolean(env, find(Arguments<1>(env, info).number(0))->again()); });
}

// bucketsFinish(id, timeoutMs, again)
napi_value bucketsFinish(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    find(arguments.number(0))->finish(arguments.number(1), arguments.boolean(2));
    return nullptr;
  });
}

} // namespace

void defineBuckets(napi_env env, napi_value exports) {
  define(env, exports, "bucketsCreate", bucketsCreate);
  define(env, exports, "bucketsExpect", bucketsExpect);
  define(env, exports, "bucketsAgain", bucketsAgain);
  define(env, exports, "bucketsFinish", bucketsFinish);
}

#else

void defineBuckets(napi_env, napi_value) {}

#endif

} // namespace headrace
