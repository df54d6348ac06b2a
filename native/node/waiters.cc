#include "node/waiters.h"

#include "node/args.h"

namespace mp::node {

/// One native thread and the waits it sleeps for. Everything below `mutex_` is guarded by it.
class WaiterThread {
 public:
  explicit WaiterThread(napi_threadsafe_function done) : done_(done) {}
  WaiterThread(const WaiterThread&) = delete;

  platform::Failure start() {
    return platform::thread_start(
        "mp-waiter", [](void* self) { static_cast<WaiterThread*>(self)->run(); }, this, &thread_);
  }

  /// False: full, or retiring.
  bool add(const Wait& wait) {
    const std::lock_guard guard(mutex_);
    if (retired_ || waits_.size() >= kWaitsPerThread) return false;
    waits_.push_back(wait);
    kick();
    return true;
  }

  /// Takes a wait out. False: not one of this thread's.
  bool remove(uint32_t id, WaitState* state) {
    const std::lock_guard guard(mutex_);
    for (size_t i = 0; i < waits_.size(); i++) {
      Wait& w = waits_[i];
      if (w.id != id) continue;
      if (w.state == WaitState::waiting)
        w.state = lock_withdraw(w.contender) ? WaitState::acquired : WaitState::timed_out;
      *state = w.state;
      erase(i);
      kick();
      return true;
    }
    return false;
  }

  /// The next wait whose end has not been told to JavaScript, taken out.
  bool take_finished(uint32_t* id, WaitState* state) {
    const std::lock_guard guard(mutex_);
    for (size_t i = 0; i < waits_.size(); i++) {
      if (waits_[i].state == WaitState::waiting) continue;
      *id = waits_[i].id;
      *state = waits_[i].state;
      erase(i);
      kick();
      return true;
    }
    return false;
  }

  bool retired() {
    const std::lock_guard guard(mutex_);
    return retired_;
  }

  void stop() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
      kick();
    }
    platform::thread_join(thread_);
    for (Wait& w : waits_) {
      Contender& c = w.contender;
      const bool ours = w.state == WaitState::waiting
                            ? lock_withdraw(c)
                            : w.state == WaitState::acquired || w.state == WaitState::abandoned;
      // What a dead owner left behind, nobody has been told of here: the next one must be.
      if (ours && w.state == WaitState::abandoned)
        lock_abandon(c.slot, c.me);
      else if (ours)
        lock_release(c.arena, c.slot, c.me, c.me);
    }
  }

 private:
  void kick() {
    kick_.fetch_add(1, std::memory_order_release);
    platform::unpark(&kick_, 1);
  }

  void erase(size_t i) {
    // Contender holds references and cannot be assigned: rebuild the hole from the last one.
    if (i + 1 != waits_.size()) {
      Wait last = waits_.back();
      waits_[i].~Wait();
      new (&waits_[i]) Wait(last);
    }
    waits_.pop_back();
  }

  /// Steps every wait; fills what to sleep on. True: something ended that JavaScript must hear of.
  bool look(int64_t now, platform::Watch* watches, uint32_t* count, int64_t* wake_at) {
    bool news = false;
    for (Wait& w : waits_) {
      if (w.state == WaitState::waiting) step(w, now, watches, count, wake_at);
      pass_on_if_late(w, now, wake_at);
      if (w.state != WaitState::waiting && !w.announced) w.announced = news = true;
    }
    return news;
  }

  void step(Wait& w, int64_t now, platform::Watch* watches, uint32_t* count, int64_t* wake_at) {
    ParkPlan plan;
    const Step step = lock_step(w.contender, now, &plan);
    if (step == Step::park && now >= w.deadline) {
      w.state = lock_withdraw(w.contender) ? WaitState::acquired : WaitState::timed_out;
      w.granted_at = now;
      return;
    }
    if (step != Step::park) {
      w.state = step == Step::acquired ? WaitState::acquired : WaitState::abandoned;
      w.granted_at = now;
      return;
    }
    for (uint32_t i = 0; i < plan.count; i++) add_watch(plan.watch[i], watches, count);
    if (plan.wake_at < *wake_at) *wake_at = plan.wake_at;
    if (w.deadline < *wake_at) *wake_at = w.deadline;
  }

  /// A lock must not stand still because the loop it was taken for is busy: others who wait get it meanwhile.
  void pass_on_if_late(Wait& w, int64_t now, int64_t* wake_at) {
    if (w.state != WaitState::acquired && w.state != WaitState::abandoned) return;
    const int64_t look_again = w.granted_at + kTakeWithinNs;
    if (now < look_again) {
      if (look_again < *wake_at) *wake_at = look_again;
      return;
    }
    Contender& c = w.contender;
    if (c.slot.word.load(std::memory_order_acquire) & kWaiters) {
      // What the last owner left behind must be told to whoever gets the lock next, since we did not look at it.
      if (w.state == WaitState::abandoned)
        lock_abandon(c.slot, c.me);
      else
        lock_release(c.arena, c.slot, c.me, c.me);
      w.state = WaitState::passed_on;
    } else {
      w.granted_at = now;
      if (now + kTakeWithinNs < *wake_at) *wake_at = now + kTakeWithinNs;
    }
  }

  static void add_watch(const platform::Watch& watch, platform::Watch* watches, uint32_t* count) {
    for (uint32_t i = 0; i < *count; i++)
      if (watches[i].word == watch.word && watches[i].value == watch.value)
        return;  // tokens are shared by many waits
    watches[(*count)++] = watch;
  }

  void run() {
    std::unique_lock guard(mutex_);
    int64_t idle_since = platform::monotonic_now();
    while (!stopping_) {
      const int64_t now = platform::monotonic_now();
      platform::Watch watches[platform::kWatchMax];
      uint32_t count = 0;
      int64_t wake_at = now + kParkCeilingNs;
      watches[count++] = {&kick_, kick_.load(std::memory_order_acquire)};
      if (waits_.empty()) {
        if (now - idle_since >= kRetireAfterNs) break;
        wake_at = idle_since + kRetireAfterNs;
      } else {
        idle_since = now;
      }
      const bool news = look(now, watches, &count, &wake_at);
      guard.unlock();
      if (news) napi_call_threadsafe_function(done_, nullptr, napi_tsfn_nonblocking);
      platform::park(watches, count, wake_at);
      guard.lock();
    }
    retired_ = true;
  }

  static_assert(1 + 3 * kWaitsPerThread <= platform::kWatchMax);

  napi_threadsafe_function done_;
  platform::Thread thread_{};
  std::mutex mutex_;
  Word kick_{0};
  bool stopping_ = false, retired_ = false;
  std::vector<Wait> waits_;
};

platform::Failure Waiters::start(napi_env env, napi_value on_done) {
  env_ = env;
  napi_value name = string(env, "multiproc waits");
  const napi_status made = napi_create_threadsafe_function(env, on_done, nullptr, name, 0, 1, nullptr,
                                                           nullptr, this, deliver, &done_);
  if (made != napi_ok) return {12 /* ENOMEM */, "napi_create_threadsafe_function"};
  napi_unref_threadsafe_function(env, done_);  // referenced only while something waits
  return {};
}

platform::Failure Waiters::add(const Contender& contender, int64_t deadline, uint32_t* id) {
  const Wait wait{next_id_, contender, deadline};
  bool taken = false;
  for (size_t i = 0; i < threads_.size();) {
    if (threads_[i]->retired()) {
      threads_[i]->stop();
      delete threads_[i];
      threads_.erase(threads_.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    if ((taken = threads_[i]->add(wait))) break;
    i++;
  }
  if (!taken) {
    auto* thread = new WaiterThread(done_);
    thread->add(wait);
    if (auto failed = thread->start()) {
      delete thread;
      return failed;
    }
    threads_.push_back(thread);
  }
  *id = next_id_++;
  if (waits_++ == 0) napi_ref_threadsafe_function(env_, done_);
  return {};
}

void Waiters::forget_one() {
  if (--waits_ == 0) napi_unref_threadsafe_function(env_, done_);
}

Outcome Waiters::cancel(uint32_t id) {
  WaitState state;
  for (WaiterThread* t : threads_) {
    if (!t->remove(id, &state)) continue;
    forget_one();
    if (state == WaitState::acquired) return Outcome::acquired;
    return state == WaitState::abandoned ? Outcome::abandoned : Outcome::timed_out;
  }
  return Outcome::timed_out;
}

void Waiters::deliver(napi_env env, napi_value on_done, void* context, void*) {
  if (env == nullptr) return;  // the environment is ending; stop() has released everything
  auto* self = static_cast<Waiters*>(context);
  for (size_t t = 0; t < self->threads_.size(); t++) {
    uint32_t id;
    WaitState state;
    while (t < self->threads_.size() && self->threads_[t]->take_finished(&id, &state)) {
      self->forget_one();
      napi_value global, arguments[2] = {uint32(env, id), uint32(env, static_cast<uint32_t>(state))};
      napi_get_global(env, &global);
      // An error thrown by the callback is the program's own (it comes out of user code): report it as uncaught.
      if (napi_call_function(env, global, on_done, 2, arguments, nullptr) == napi_pending_exception) {
        napi_value error;
        napi_get_and_clear_last_exception(env, &error);
        napi_fatal_exception(env, error);
      }
    }
  }
}

void Waiters::stop() {
  for (WaiterThread* t : threads_) {
    t->stop();
    delete t;
  }
  threads_.clear();
  if (done_ != nullptr) napi_release_threadsafe_function(done_, napi_tsfn_abort);
  done_ = nullptr;
}

}  // namespace mp::node
