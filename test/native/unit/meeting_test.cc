// Conditions, barriers and events, one step after the other.
#include <sys/wait.h>
#include <unistd.h>

#include "core/barrier.h"
#include "core/bell.h"
#include "core/condition.h"
#include "core/event.h"
#include "support/monitors.h"

using namespace mp;
using namespace mp::test;

TEST("condition: notifies who has waited longest, one task each, and is not remembered") {
  Table t(kCondition);
  const Desk a = t.sit(), b = t.sit();
  CHECK(condition_notify(a, 5) == 0);
  condition_enter(a), condition_enter(a), condition_enter(b);
  CHECK(t.monitor().waiting == 3 && condition_granted(a) == 0);
  CHECK(condition_notify(b, 1) == 1 && t.rung(a) && !t.rung(b));
  CHECK(condition_notify(b, 1) == 1 && t.rung(b));  // participants take turns
  CHECK(condition_granted(a) == 1 && condition_granted(b) == 1);
  CHECK(condition_notify(b, 7) == 1 && condition_granted(a) == 2 && t.monitor().waiting == 0);
  CHECK(condition_done(a, true, 0) && condition_done(a, true, 0) && !condition_done(a, true, 0));
  CHECK(condition_done(b, true, 0));
}

TEST("condition: who gives up is not counted any more, unless a notify was faster") {
  Table t(kCondition);
  const Desk a = t.sit(), b = t.sit();
  condition_enter(a);
  CHECK(condition_done(a, false, 0) && t.monitor().waiting == 0 && condition_notify(b, 1) == 0);
  condition_enter(a);
  CHECK(condition_notify(b, 1) == 1 && !condition_done(a, false, 0) && condition_done(a, true, 0));
}

TEST("condition: the notify of one that dies goes to who waited when it was made, and to no later one (C3)") {
  Table t(kCondition);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  condition_enter(a), condition_enter(b);
  CHECK(condition_notify(c, 1) == 1);
  participant_leave(t.arena, a.me);
  CHECK(condition_granted(b) == 1 && condition_done(b, true, 0));
  condition_enter(b);
  CHECK(condition_notify(c, 1) == 1);
  condition_enter(c);
  participant_leave(t.arena, b.me);
  CHECK(condition_granted(c) == 0 && t.monitor().waiting == 1);
}

TEST("condition: a notify that is passed on does not make a newer one older (C3)") {
  Table t(kCondition);
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  condition_enter(a), condition_enter(b);
  CHECK(condition_notify(c, 1) == 1);      // a has it
  condition_enter(b), condition_enter(c);  // the second task of b, and c, came after it
  CHECK(condition_notify(c, 1) == 1 && condition_granted(b) == 1);
  participant_leave(t.arena, a.me);  // its notify, the older one, goes to b as well
  CHECK(condition_granted(b) == 2 && condition_granted(c) == 0);
  participant_leave(t.arena, b.me);  // what was made after c came is c's
  CHECK(condition_granted(c) == 1 && t.monitor().waiting == 0);
}

TEST("barrier: all go together, with indices of their own") {
  Table t(kBarrier);
  t.monitor().detail = 3;
  const Desk a = t.sit(), b = t.sit();
  uint32_t phase;
  for (uint32_t round = 0; round < 3; round++) {
    CHECK(barrier_arrive(a, &phase) == Arrival::wait && phase == round);
    CHECK(barrier_arrive(a, &phase) == Arrival::wait);
    CHECK(barrier_collect(a).outcome == BarrierOutcome::arrived);
    CHECK(barrier_arrive(b, &phase) == Arrival::collect && t.rung(a));
    const BarrierSeat x = barrier_collect(a), y = barrier_collect(b);
    CHECK(x.outcome == BarrierOutcome::tripped && y.outcome == BarrierOutcome::tripped);
    CHECK(x.parties == 2 && y.parties == 1 && (x.base == 0 ? y.base == 2 : x.base == 1 && y.base == 0));
    CHECK(barrier_collect(a).outcome == BarrierOutcome::nothing);
  }
}

TEST("barrier: a task that comes before its participant has collected stands outside") {
  Table t(kBarrier);
  t.monitor().detail = 2;
  const Desk a = t.sit(), b = t.sit();
  uint32_t phase;
  CHECK(barrier_arrive(a, &phase) == Arrival::wait && barrier_arrive(b, &phase) == Arrival::collect);
  CHECK(barrier_arrive(a, &phase) == Arrival::outside && t.rung(a));
  CHECK(barrier_collect(a).outcome == BarrierOutcome::tripped && barrier_arrive(a, &phase) == Arrival::wait);
}

TEST("barrier: withdrawn is as if never come; broken and reset wait in vain") {
  Table t(kBarrier);
  t.monitor().detail = 2;
  const Desk a = t.sit(), b = t.sit();
  uint32_t phase;
  CHECK(barrier_arrive(a, &phase) == Arrival::wait && barrier_withdraw(a) && !barrier_withdraw(a));
  CHECK(barrier_fields(t.monitor()).arrived == 0);
  CHECK(barrier_arrive(a, &phase) == Arrival::wait);
  barrier_break(b, phase + 1);  // not this one
  CHECK(barrier_collect(a).outcome == BarrierOutcome::arrived);
  barrier_break(b, phase);
  CHECK(t.rung(a) && barrier_collect(a).outcome == BarrierOutcome::broken);
  CHECK(barrier_arrive(b, &phase) == Arrival::broken);
  barrier_reset(b);
  CHECK(barrier_arrive(a, &phase) == Arrival::wait);
  barrier_reset(b);
  CHECK(barrier_collect(a).outcome == BarrierOutcome::broken && barrier_arrive(a, &phase) == Arrival::wait);
}

TEST(
    "barrier: with an action newcomers stand outside; if the actor dies it breaks, a waiter's death does not "
    "count") {
  Table t(kBarrier);
  t.monitor().detail = 2 | kBarrierActs;
  const Desk a = t.sit(), b = t.sit(), c = t.sit();
  uint32_t phase;
  CHECK(barrier_arrive(a, &phase) == Arrival::wait && barrier_arrive(b, &phase) == Arrival::act);
  CHECK(barrier_arrive(c, &phase) == Arrival::outside && !barrier_withdraw(a));
  CHECK(!barrier_trip(a, phase) && barrier_trip(b, phase) && t.rung(a) && t.rung(c));
  CHECK(barrier_collect(a).outcome == BarrierOutcome::tripped);
  CHECK(barrier_collect(b).outcome == BarrierOutcome::tripped && barrier_arrive(c, &phase) == Arrival::wait);
  participant_leave(t.arena, c.me);
  CHECK(barrier_fields(t.monitor()).arrived == 0);
  CHECK(barrier_arrive(a, &phase) == Arrival::wait && barrier_arrive(b, &phase) == Arrival::act);
  participant_leave(t.arena, b.me);
  CHECK(t.rung(a) && barrier_collect(a).outcome == BarrierOutcome::broken);
}

TEST("event: a clear after a set takes no wake-up back, and who sleeps has said so") {
  Table t(kEvent);
  Slot& e = t.arena.slot(t.index);
  CHECK(!event_clear(e) && event_set(e) && !event_set(e) && event_set_in(event_word(e)));
  CHECK(event_clear(e));
  const uint32_t from = event_word(e);
  const BellWait wait = event_wait(t.arena, t.index, from, t.keeper);
  CHECK(!event_set_in(from) && !bell_rung(wait));
  CHECK(bell_wait(wait, in(kMs), nullptr) == Outcome::timed_out);
  CHECK(e.word == (from | 1));
  CHECK(event_set(e) && event_clear(e) && bell_rung(wait));
  CHECK(bell_wait(wait, in(kSecond), nullptr) == Outcome::acquired && e.word == (from | 1));
  const BellWait later = event_wait(t.arena, t.index, event_word(e), t.keeper);
  bell_expect(later);
  bell_expect(wait);  // one that comes too late does not take it back
  CHECK(e.word == (later.value | 1));
}

TEST("bell: who waits for one that is killed notices at once, and gets what that one held") {
  Table t(kBarrier);
  t.monitor().detail = 2 | kBarrierActs;
  const Desk a = t.sit();
  uint32_t phase;
  CHECK(barrier_arrive(a, &phase) == Arrival::wait);
  const pid_t child = fork();
  if (child == 0) {
    const Desk c = t.sit();
    if (barrier_arrive(c, &phase) != Arrival::act) _exit(1);
    usleep(20'000);
    kill(getpid(), SIGKILL);
  }
  while (barrier_fields(t.monitor()).mode != kActing) platform::yield();
  const int64_t since = platform::monotonic_now();
  const BellWait wait{t.arena, t.index, a.seat.bell, a.seat.heard, a.me};
  CHECK(bell_wait(wait, in(5 * kSecond), nullptr) == Outcome::acquired);
  CHECK(platform::monotonic_now() - since < 200 * kMs);
  CHECK(barrier_collect(a).outcome == BarrierOutcome::broken);
  waitpid(child, nullptr, 0);
}
