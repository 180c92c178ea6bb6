#include "hooks.h"

#include <torch/csrc/autograd/custom_function.h>

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace headrace {

// A JavaScript thread that has callbacks, and what others ask of it.
struct JavaScriptThread {
  napi_env env = nullptr;
  std::thread::id id = std::this_thread::get_id();
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;              // false once Node closes the thread: its functions are gone then
  std::vector<napi_ref> dropped; // functions to forget at the next chance
  napi_ref thrown = nullptr;     // what a callback threw last
  std::deque<std::function<void()>> jobs;
  int waiting = 0; // passes in which this thread waits for jobs

  bool isHere() const { return std::this_thread::get_id() == id; }

  void forgetDropped() {
    std::vector<napi_ref> all;
    {
      std::lock_guard<std::mutex> lock(mutex);
      all.swap(dropped);
    }
    for (napi_ref reference : all) napi_delete_reference(env, reference);
  }

  // Has `job` run on this thread by serve(), and waits for its end.
  void submit(const std::function<void()>& job) {
    std::exception_ptr failure;
    bool done = false;
    std::unique_lock<std::mutex> lock(mutex);
    if (waiting == 0) throw CodedError("HOOK", "a hook was to run while its thread waits for no backward pass");
    jobs.push_back([&] {
      try {
        job();
      } catch (...) {
        failure = std::current_exception();
      }
      std::lock_guard<std::mutex> finished(mutex);
      done = true;
    });
    changed.notify_all();
    changed.wait(lock, [&] { return done; });
    if (failure) std::rethrow_exception(failure);
  }

  // Runs jobs until `finished`, which is changed under the mutex.
  void serve(const bool& finished) {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return finished || !jobs.empty(); });
      if (jobs.empty()) break;
      const auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
      changed.notify_all();
    }
    --waiting;
  }

  // Before another thread starts that may submit jobs; serve() must follow.
  void expectJobs() {
    std::lock_guard<std::mutex> lock(mutex);
    ++waiting;
  }
};

namespace {

thread_local std::shared_ptr<JavaScriptThread> here;

void closeThread(void* thread) {
  auto* closing = static_cast<std::shared_ptr<JavaScriptThread>*>(thread);
  {
    std::lock_guard<std::mutex> lock((*closing)->mutex);
    (*closing)->open = false;
  }
  delete closing;
}

std::shared_ptr<JavaScriptThread> thisThread(napi_env env) {
  if (!here) {
    here = std::make_shared<JavaScriptThread>();
    here->env = env;
    check(env, napi_add_env_cleanup_hook(env, closeThread, new std::shared_ptr<JavaScriptThread>(here)));
  }
  here->forgetDropped();
  return here;
}

void keepThrown(JavaScriptThread& thread) {
  napi_value error = nullptr;
  check(thread.env, napi_get_and_clear_last_exception(thread.env, &error));
  if (thread.thrown) napi_delete_reference(thread.env, thread.thrown);
  thread.thrown = nullptr;
  // A reference holds objects only, and anything can be thrown.
  napi_value box = nullptr;
  check(thread.env, napi_create_object(thread.env, &box));
  setField(thread.env, box, "error", error);
  check(thread.env, napi_create_reference(thread.env, box, 1, &thread.thrown));
}

struct GradModeGuard {
  explicit GradModeGuard(bool enabled) : before(at::GradMode::is_enabled()) { at::GradMode::set_enabled(enabled); }
  ~GradModeGuard() { at::GradMode::set_enabled(before); }
  bool before;
};

struct HandleScope {
  explicit HandleScope(napi_env e) : env(e) { check(env, napi_open_handle_scope(env, &scope)); }
  ~HandleScope() { napi_close_handle_scope(env, scope); }
  napi_env env;
  napi_handle_scope scope = nullptr;
};

// Frees the tensors that are entered while it lives, save those that JavaScript keeps. Without a table it does nothing.
struct TensorScope {
  explicit TensorScope(TensorTable* t) : table(t) {
    if (table) table->beginScope();
  }
  ~TensorScope() {
    std::vector<double> survivors;
    if (table) table->endScope(survivors);
  }
  TensorScope(const TensorScope&) = delete;
  TensorScope& operator=(const TensorScope&) = delete;
  TensorTable* table;
};

} // namespace

void rethrowJavaScriptError(napi_env env) {
  napi_value box = nullptr;
  napi_value error = nullptr;
  napi_get_reference_value(env, here->thrown, &box);
  napi_get_named_property(env, box, "error", &error);
  napi_delete_reference(env, here->thrown);
  here->thrown = nullptr;
  napi_throw(env, error);
}

TensorCallback::TensorCallback(napi_env env, napi_value function, Ownership ownership)
    : thread_(thisThread(env)), ownership_(ownership) {
  check(env, napi_create_reference(env, function, 1, &function_));
}

TensorCallback::~TensorCallback() {
  std::lock_guard<std::mutex> lock(thread_->mutex);
  // Deleted later, not here: this may be any thread, and any moment.
  if (thread_->open) thread_->dropped.push_back(function_);
}

std::vector<at::Tensor> TensorCallback::call(const std::vector<at::Tensor>& tensors) {
  if (thread_->isHere()) return callHere(tensors);
  std::vector<at::Tensor> result;
  const bool recording = at::GradMode::is_enabled();
  thread_->submit([&] {
    GradModeGuard mode(recording);
    result = callHere(tensors);
  });
  return result;
}

std::vector<at::Tensor> TensorCallback::callHere(const std::vector<at::Tensor>& tensors) {
  const napi_env env = thread_->env;
  HandleScope scope(env);
  Environment& self = environment(env);
  const TensorScope owner(ownership_ == Ownership::Call ? &self.tensors : nullptr);
  Writer writer(self.frame);
  writer.put(kList, static_cast<double>(tensors.size()));
  for (const auto& tensor : tensors) putTensor(self, writer, tensor);
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  check(env, napi_get_reference_value(env, function_, &function));
  check(env, napi_get_undefined(env, &receiver));
  const napi_status status = napi_call_function(env, receiver, function, 0, nullptr, nullptr);
  if (status == napi_pending_exception) {
    keepThrown(*thread_);
    throw JavaScriptError();
  }
  check(env, status);
  return readTensors(self, Cursor(self.frame, 0));
}

void runBackward(const std::function<void()>& pass) {
  if (!here || !(at::hasCUDA() || at::hasMPS())) return pass();
  const auto thread = here;
  const at::ThreadLocalState state;
  const int threads = at::get_num_threads();
  std::exception_ptr failure;
  bool finished = false;
  thread->expectJobs();
  std::thread worker([&] {
    try {
      at::ThreadLocalStateGuard guard(state);
      at::set_num_threads(threads);
      pass();
    } catch (...) {
      failure = std::current_exception();
    }
    std::lock_guard<std::mutex> lock(thread->mutex);
    finished = true;
    thread->changed.notify_all();
  });
  thread->serve(finished);
  worker.join();
  if (failure) std::rethrow_exception(failure);
}

namespace {

// Keeps a callback in the graph.
struct Held : torch::CustomClassHolder {
  explicit Held(std::shared_ptr<TensorCallback> given) : callback(std::move(given)) {}
  std::shared_ptr<TensorCallback> callback;
};

// The identity of a list of tensors, whose gradients pass through a callback, all at once.
struct Watch : torch::autograd::Function<Watch> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static Tensors forward(Context* context, at::TensorList tensors, c10::intrusive_ptr<Held> held) {
    context->saved_data["callback"] = c10::IValue::make_capsule(std::move(held));
    context->set_materialize_grads(false);
    return tensors.vec();
  }

  static Tensors backward(Context* context, Tensors gradients) {
    const auto held = context->saved_data["callback"].toCapsule();
    auto changed = static_cast<Held*>(held.get())->callback->call(gradients);
    if (changed.size() != gradients.size()) throw CodedError("HOOK", "a callback left another number of tensors");
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!changed[i].defined()) changed[i] = gradients[i];
    }
    changed.emplace_back(); // the callback has no gradient
    return changed;
  }
};

// watchGrads(function): a list of tensors becomes the list of their identities.
napi_value watchGrads(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<1> arguments(env, info);
    const auto tensors = readTensors(self, Cursor(self.frame, 0));
    auto held = c10::make_intrusive<Held>(std::make_shared<TensorCallback>(env, arguments.values[0]));
    auto watched = Watch::apply(at::TensorList(tensors), std::move(held));
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(watched.size()));
    for (auto& tensor : watched) putTensor(self, writer, std::move(tensor));
    return nullptr;
  });
}

// registerHook(handle, function): the tensor's gradient passes through a function, once it is complete.
napi_value registerHook(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const at::Tensor& tensor = environment(env).tensors.get(arguments.number(0));
    if (!tensor.requires_grad()) throw CodedError("GRAD", "a hook needs a tensor that requires grad");
    auto callback = std::make_shared<TensorCallback>(env, arguments.values[1]);
    tensor.register_hook([callback](const at::Tensor& gradient) {
      return gradient.defined() ? callback->call({gradient}).at(0) : at::Tensor();
    });
    return nullptr;
  });
}

} // namespace

void defineHooks(napi_env env, napi_value exports) {
  define(env, exports, "watchGrads", watchGrads);
  define(env, exports, "registerHook", registerHook);
}

} // namespace headrace
