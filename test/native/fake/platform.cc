// platform.h for coroutines: see scheduler.h.
#include "platform/platform.h"

#include <setjmp.h>
#include <ucontext.h>

#include "fake/scheduler.h"

namespace mp::fake {
namespace {

using platform::Token;
using platform::Watch;
using platform::Word;

constexpr int kMost = 64;
constexpr size_t kStackBytes = 256 * 1024;
constexpr uint64_t kStepsAtMost = 3'000'000;

enum class State { unused, runnable, parked, ended };
struct Coroutine {
  State state = State::unused;
  bool started = false;
  void (*body)(uint64_t) = nullptr;
  uint64_t argument = 0;
  jmp_buf where;
  ucontext_t start;
  char* stack = nullptr;
  Watch watches[48];
  uint32_t watch_count = 0;
  int64_t wake_at = 0;
  uint64_t stalled_until = 0;  // a step number
  uint64_t parked_since = 0;
  std::vector<Token*> tokens;
};

World world;
Coroutine all[kMost + 1];
int count = 0, current = 0;
uint64_t steps, state_of_random, parks;
uint32_t killed;
int64_t time_now;
jmp_buf scheduler;

uint64_t next_random() {
  uint64_t z = (state_of_random += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
bool one_in(uint32_t n) { return n != 0 && next_random() % n == 0; }

void switch_away() {
  if (_setjmp(all[current].where) == 0) _longjmp(scheduler, 1);
}

void trampoline() {
  Coroutine& me = all[current];
  me.body(me.argument);
  die();
}

void resume(int id) {
  current = id;
  Coroutine& c = all[id];
  if (_setjmp(scheduler) == 0) {
    if (c.started) _longjmp(c.where, 1);
    c.started = true;
    getcontext(&c.start);
    if (c.stack == nullptr) c.stack = static_cast<char*>(malloc(kStackBytes));
    c.start.uc_stack.ss_sp = c.stack;
    c.start.uc_stack.ss_size = kStackBytes;
    c.start.uc_link = nullptr;
    makecontext(&c.start, trampoline, 0);
    setcontext(&c.start);
  }
  current = 0;
}

// A token's word: the taker's id (all of the outside is kOutside), and a mark when it died.
constexpr uint32_t kOutside = kMost + 1, kDead = 1u << 30;
uint32_t& raw_token(Token* t) { return *reinterpret_cast<uint32_t*>(t->opaque); }

void wake(const void* word, uint32_t at_most) {
  while (at_most-- > 0) {
    Coroutine* first = nullptr;
    for (int i = 1; i <= count; i++) {
      Coroutine& c = all[i];
      if (c.state != State::parked) continue;
      for (uint32_t w = 0; w < c.watch_count; w++)
        if (c.watches[w].word == word && (first == nullptr || c.parked_since < first->parked_since))
          first = &c;
    }
    if (first == nullptr) return;
    first->state = State::runnable;
  }
}

}  // namespace

void fail(const char* what) {
  fprintf(stderr, "seed %llu, step %llu, coroutine %d: %s\n", static_cast<unsigned long long>(world.seed),
          static_cast<unsigned long long>(steps), current, what);
  abort();
}

void begin(const World& w) {
  world = w;
  for (int i = 1; i <= count; i++) {
    all[i].state = State::unused;
    all[i].started = false;
    all[i].tokens.clear();
  }
  count = current = 0;
  steps = parks = 0;
  killed = 0;
  time_now = 1'000'000'000;
  state_of_random = w.seed;
}

int spawn(void (*body)(uint64_t), uint64_t argument) {
  if (count == kMost) fail("too many coroutines");
  Coroutine& c = all[++count];
  c.state = State::runnable;
  c.started = false;
  c.body = body;
  c.argument = argument;
  c.stalled_until = 0;
  c.tokens.clear();
  return count;
}

void die() {
  Coroutine& me = all[current];
  const int id = current;
  me.state = State::ended;
  for (Token* t : me.tokens) {
    raw_token(t) |= kDead;
    wake(t->opaque, 1);
  }
  me.tokens.clear();
  if (world.on_death) world.on_death(id);
  _longjmp(scheduler, 1);
}

void step() {
  if (current == 0) return;
  if (++steps > kStepsAtMost) fail("no end in sight: somebody waits for ever");
  time_now += world.step_ns;
  if (killed < world.kills_at_most && one_in(world.kill_one_in)) {
    killed++;
    die();
  }
  if (one_in(world.switch_one_in)) {
    if (one_in(world.stall_one_in)) all[current].stalled_until = steps + 1 + next_random() % 400;
    switch_away();
  }
}

void run() {
  for (;;) {
    int candidates[kMost], stalled[kMost], n = 0, s = 0;
    bool left = false;
    int64_t next_wake = INT64_MAX;
    for (int i = 1; i <= count; i++) {
      Coroutine& c = all[i];
      if (c.state == State::parked && c.wake_at <= time_now) c.state = State::runnable;
      if (c.state == State::runnable) (c.stalled_until > steps ? stalled[s++] : candidates[n++]) = i;
      if (c.state == State::parked && c.wake_at < next_wake) next_wake = c.wake_at;
      left |= c.state == State::runnable || c.state == State::parked;
    }
    if (!left) return;
    if (n + s == 0) {
      if (world.on_idle) world.on_idle();
      if (next_wake == INT64_MAX) fail("everybody sleeps for ever");
      time_now = next_wake;
      continue;
    }
    resume(n > 0 ? candidates[next_random() % n] : stalled[next_random() % s]);
  }
}

int self() { return current; }
bool alive(int id) { return all[id].state == State::runnable || all[id].state == State::parked; }
uint32_t random(uint32_t below) { return static_cast<uint32_t>(next_random() % below); }
uint32_t kills() { return killed; }

void nap(int64_t ns) { platform::park(nullptr, 0, time_now + ns); }

uint32_t parked(Parked* out, uint32_t capacity) {
  uint32_t n = 0;
  for (int i = 1; i <= count && n < capacity; i++)
    if (all[i].state == State::parked) out[n++] = {i, all[i].watches, all[i].watch_count};
  return n;
}

}  // namespace mp::fake

namespace mp::test {
void at_point(const char*) { fake::step(); }
}  // namespace mp::test

namespace mp::platform {

using namespace mp::fake;

int64_t monotonic_now() { return time_now; }
uint32_t process_id() { return static_cast<uint32_t>(current); }
uint32_t thread_id() { return static_cast<uint32_t>(current); }
uint64_t pid_namespace() { return 1; }
/// As enter() gives it while the coroutine lives; another one afterwards: it has vanished.
uint64_t process_start_time(uint32_t pid) { return pid == 0 || alive(static_cast<int>(pid)) ? 0 : 1; }

void park(const Watch* watches, uint32_t n, int64_t wake_at) {
  step();
  Coroutine& me = all[current];
  for (uint32_t i = 0; i < n; i++) {
    if (watches[i].word->peek() != watches[i].value) return;
    me.watches[i] = watches[i];
  }
  me.watch_count = n;
  me.wake_at = wake_at;
  me.parked_since = ++parks;
  me.state = State::parked;
  switch_away();
}
void unpark(Word* word, uint32_t n) { step(), wake(word, n); }
void yield() {
  if (current != 0) step(), switch_away();
}
void pause() {}

void token_init(Token* t) { raw_token(t) = 0; }
TokenTake token_take(Token* t, TokenForm) {
  step();
  uint32_t& word = raw_token(t);
  if (word != 0 && !(word & kDead)) return TokenTake::busy;
  const bool dead = word != 0;
  word = current == 0 ? kOutside : static_cast<uint32_t>(current);
  if (current != 0) all[current].tokens.push_back(t);
  return dead ? TokenTake::from_dead : TokenTake::fresh;
}
void token_release(Token* t, TokenForm) {
  step();
  raw_token(t) = 0;
  if (current != 0) std::erase(all[current].tokens, t);
  wake(t->opaque, kAll);
}
Word* token_word(Token* t, TokenForm) { return reinterpret_cast<Word*>(t->opaque); }
bool token_dead(const Token*, uint32_t value) { return value == 0 || (value & kDead) != 0; }
bool token_is_polled() { return false; }
uint32_t token_layout() { return 1; }
void confirm_death(uint32_t, uint64_t) { step(); }
Failure memory_reserve(int, size_t, size_t) { return step(), Failure{}; }
void memory_populate(void*, size_t) {}
Failure memory_discard(int, size_t, size_t) { return step(), Failure{}; }

}  // namespace mp::platform
