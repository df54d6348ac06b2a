#include "node/waiters.h"

#include "core/objects.h"
#include "core/queue.h"
#include "core/rwlock.h"
#include "core/semaphore.h"
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
  bool remove(uint32_t id, WaitState* state, bool* held_loop) {
    const std::lock_guard guard(mutex_);
    for (size_t i = 0; i < waits_.size(); i++) {
      Wait& w = waits_[i];
      if (w.id != id) continue;
      if (w.state == WaitState::waiting) w.state = withdraw(w) ? WaitState::acquired : WaitState::timed_out;
      *state = w.state;
      *held_loop = w.holds_loop;
      erase(i);
      kick();
      return true;
    }
    return false;
  }

  /// The next wait whose end has not been told to JavaScript, taken out.
  bool take_finished(uint32_t* id, WaitState* state, bool* held_loop) {
    const std::lock_guard guard(mutex_);
    for (size_t i = 0; i < waits_.size(); i++) {
      if (waits_[i].state == WaitState::waiting) continue;
      *id = waits_[i].id;
      *state = waits_[i].state;
      *held_loop = waits_[i].holds_loop;
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
      if (!std::holds_alternative<Contender>(w.what)) continue;  // a seat is given up with its participant
      Contender& c = std::get<Contender>(w.what);
      const bool ours = w.state == WaitState::waiting
                            ? lock_withdraw(c)
                            : w.state == WaitState::acquired || w.state == WaitState::abandoned;
      // What a dead owner left behind, nobody has been told of here: the next one must be.
      if (ours && w.state == WaitState::abandoned)
        lock_abandon(c.slot, c.me);
      else if (ours)
        lock_release(c.arena, c.slot, c.me);
    }
  }

  std::mutex& mutex() { return mutex_; }

 private:
  void kick() {
    kick_.fetch_add(1, std::memory_order_release);
    platform::unpark(&kick_, 1);
  }

  static bool withdraw(Wait& w) {
    auto* contender = std::get_if<Contender>(&w.what);
    return contender != nullptr ? lock_withdraw(*contender) : bell_rung(std::get<BellTask>(w.what).wait);
  }

  void erase(size_t i) {
    // What is waited for holds references and cannot be assigned: rebuild the hole from the last one.
    if (i + 1 != waits_.size()) {
      Wait last = waits_.back();
      waits_[i].~Wait();
      new (&waits_[i]) Wait(last);
    }
    waits_.pop_back();
  }

  /// What to sleep on until the next look.
  struct Sleep {
    platform::Watch watches[platform::kWatchMax];
    uint32_t count = 0;
    platform::Watch peers[platform::kWatchMax];  // as many as there is room for
    uint32_t peer_count = 0;
    int64_t wake_at;
  };

  /// Steps every wait; fills what to sleep on. True: something ended that JavaScript must hear of.
  bool look(int64_t now, Sleep& sleep) {
    bool news = false, swept = false;
    for (Wait& w : waits_) {
      if (w.state == WaitState::waiting) {
        if (auto* contender = std::get_if<Contender>(&w.what))
          step(w, *contender, now, sleep);
        else
          step(w, std::get<BellTask>(w.what), now, sleep, &swept);
      }
      pass_on_if_late(w, now, &sleep.wake_at);
      if (w.state == WaitState::waiting)
        w.announced = false;
      else if (!w.announced)
        w.announced = news = true;
    }
    for (uint32_t i = 0; i < sleep.peer_count && sleep.count < platform::kWatchMax; i++)
      add_watch(sleep.peers[i], sleep.watches, &sleep.count);
    return news;
  }

  static void step(Wait& w, BellTask& bell, int64_t now, Sleep& sleep, bool* swept) {
    // Once for all that lie in the tree's arena.
    if (bell.parked && !bell_rung(bell.wait) && !(*swept && bell.wait.arena.plan->has_objects)) {
      bell_sweep(bell.wait, bell.wait.me | kHelper);
      *swept = *swept || bell.wait.arena.plan->has_objects;
    }
    platform::Watch peers[kPeersMax];
    const uint32_t count = bell_peers(bell.wait, peers);
    bell_expect(bell.wait);
    bell.parked = true;
    if (bell_rung(bell.wait)) {
      w.state = WaitState::acquired;
      w.granted_at = now;
      return;
    }
    add_watch({&bell.wait.word, bell.wait.value}, sleep.watches, &sleep.count);
    for (const platform::Watch& w : bell.wait.also)
      if (w.word != nullptr) add_watch(w, sleep.watches, &sleep.count);
    for (uint32_t i = 0; i < count && sleep.peer_count < platform::kWatchMax; i++)
      add_watch(peers[i], sleep.peers, &sleep.peer_count);
  }

  static void step(Wait& w, Contender& contender, int64_t now, Sleep& sleep) {
    ParkPlan plan;
    const Step step = lock_step(contender, now, &plan);
    if (step == Step::park && now >= w.deadline) {
      w.state = lock_withdraw(contender) ? WaitState::acquired : WaitState::timed_out;
      w.granted_at = now;
      return;
    }
    if (step != Step::park) {
      w.state = step == Step::acquired ? WaitState::acquired : WaitState::abandoned;
      w.granted_at = now;
      return;
    }
    for (uint32_t i = 0; i < plan.count; i++) add_watch(plan.watch[i], sleep.watches, &sleep.count);
    if (plan.wake_at < sleep.wake_at) sleep.wake_at = plan.wake_at;
    if (w.deadline < sleep.wake_at) sleep.wake_at = w.deadline;
  }

  /// A lock must not stand still because the loop it was taken for is busy: others who wait get it meanwhile.
  void pass_on_if_late(Wait& w, int64_t now, int64_t* wake_at) {
    if (w.state != WaitState::acquired && w.state != WaitState::abandoned) return;
    const int64_t look_again = w.granted_at + kTakeWithinNs;
    if (now < look_again) {
      if (look_again < *wake_at) *wake_at = look_again;
      return;
    }
    if (auto* bell = std::get_if<BellTask>(&w.what)) {
      if (pass_on(*bell)) {
        w.state = WaitState::waiting;
        *wake_at = now;
      } else {
        w.granted_at = now;
        if (now + kTakeWithinNs < *wake_at) *wake_at = now + kTakeWithinNs;
      }
      return;
    }
    Contender& c = std::get<Contender>(w.what);
    if (c.slot.word.load(std::memory_order_acquire) & kWaiters) {
      // What the last owner left behind must be told to whoever gets the lock next, since we did not look at it.
      if (w.state == WaitState::abandoned)
        lock_abandon(c.slot, c.me);
      else
        lock_release(c.arena, c.slot, c.me);
      w.state = WaitState::passed_on;
    } else {
      w.granted_at = now;
      if (now + kTakeWithinNs < *wake_at) *wake_at = now + kTakeWithinNs;
    }
  }

  /// Gives what the seat has been granted to somebody else who waits; it stands in line again.
  static bool pass_on(BellTask& bell) {
    if (bell.seat == nullptr) return false;
    if (bell.kind == kQueue) {
      if (!queue_pass_on(bell.wait.arena, bell.wait.index, bell.wait.me, *bell.seat)) return false;
      bell.wait.value = bell.seat->heard.load(std::memory_order_acquire);
      return true;
    }
    const Desk desk{bell.wait.arena, bell.wait.index, monitor_at(bell.wait.arena, bell.wait.index),
                    *bell.seat, bell.wait.me};
    const bool passed = bell.kind == kSemaphore ? semaphore_pass_on(desk)
                        : bell.kind == kRWLock  ? rwlock_pass_on(desk)
                                                : false;
    if (passed) bell.wait.value = bell.seat->heard.load(std::memory_order_acquire);
    return passed;
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
      Sleep sleep;
      sleep.wake_at = now + kParkCeilingNs;
      sleep.watches[sleep.count++] = {&kick_, kick_.load(std::memory_order_acquire)};
      if (waits_.empty()) {
        if (now - idle_since >= kRetireAfterNs) break;
        sleep.wake_at = idle_since + kRetireAfterNs;
      } else {
        idle_since = now;
      }
      const bool news = look(now, sleep);
      guard.unlock();
      if (news) napi_call_threadsafe_function(done_, nullptr, napi_tsfn_nonblocking);
      platform::park(sleep.watches, sleep.count, sleep.wake_at);
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

platform::Failure Waiters::add(const std::variant<Contender, BellTask>& what, int64_t deadline, uint32_t* id,
                               bool holds_loop) {
  const Wait wait{next_id_, what, deadline, holds_loop};
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
  if (holds_loop && waits_++ == 0) napi_ref_threadsafe_function(env_, done_);
  return {};
}

void Waiters::forget(bool held_loop) {
  if (held_loop && --waits_ == 0) napi_unref_threadsafe_function(env_, done_);
}

Outcome Waiters::cancel(uint32_t id) {
  WaitState state;
  bool held_loop;
  for (WaiterThread* t : threads_) {
    if (!t->remove(id, &state, &held_loop)) continue;
    forget(held_loop);
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
    bool held_loop;
    while (t < self->threads_.size() && self->threads_[t]->take_finished(&id, &state, &held_loop)) {
      self->forget(held_loop);
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

void Waiters::before_fork() {
  for (WaiterThread* t : threads_) t->mutex().lock();
}

void Waiters::in_parent() {
  for (WaiterThread* t : threads_) t->mutex().unlock();
}

void Waiters::in_child() {
  // Left as they are: their threads do not exist, and what they hold is the parent's.
  threads_.clear();
  if (waits_ > 0 && done_ != nullptr) napi_unref_threadsafe_function(env_, done_);
  waits_ = 0;
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
