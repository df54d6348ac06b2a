// Parking between processes: a semaphore of the system's for each word that somebody sleeps on. WaitOnAddress would be for
// threads of one process only.
//
// A word is named by where it lies: the random id of its section and its offset there; for words that are no section's, a
// random id of this process and the address. The semaphore `Local\multiproc-<id>-<offset>` exists while somebody has it
// open. Beside that, sleepers are counted in beds, so that whoever wakes need not ask the system when nobody sleeps: a bed
// per hash of the offset, in the section's front.
//
//   sleeper                          waker (has changed the word before)
//   1 makes or opens the semaphore   a fence
//   2 bed + 1                        b reads the bed: 0 is nobody
//   3 reads the word: changed? go    c opens the semaphore: fails? nobody
//   4 waits                          d releases it, once for each to be woken
//   5 bed - 1, closes
//
// K1  The sleeper's 2 before 3 and the waker's change before b are sequentially consistent: either the sleeper sees the
//     change, or the waker sees the bed taken; and what the waker then opens was made before the bed was taken.
// K2  A bed is never less than those who sleep on its words. It may be more: neighbours of the same hash, sleepers that died.
//     Then a release may be one too many, and somebody wakes early, which is allowed. A semaphore that nobody has open any
//     more is gone, with what was released too often.
// K3  Who waits for a token's word waits on the process that has it as well: that wakes everybody, not one.
//
// A release may go to who came later, with the value of then, while an earlier sleeper is still between 3 and 4: that one sleeps
// on until the ceiling of waits. Words with a chain of wakes (a lock's) do not notice.
//
// Death    sleeper: its handles go, its bed stays taken (K2); a release that it was to have is lost to whoever slept beside
//          it, until the ceiling of waits. Waker between its change and d: the same; or the token of the dead wakes.
// Views    what is slept on stays mapped, by the contract of park(); an address is looked up anew at each call.
#include "platform/win32/sections.h"
#include "platform/win32/token.h"

namespace mp::platform {
namespace {

constexpr uint32_t kObjectsMax = MAXIMUM_WAIT_OBJECTS;
constexpr int64_t kBriefNs = 5'000'000;  // where not everything can be waited for
constexpr int64_t kLongestMs = 1'000'000;

Word private_beds[kBeds];

uint64_t own_id() {
  static const uint64_t id = [] {
    uint64_t random = 0;
    random_bytes(&random, sizeof random);
    return random;
  }();
  return id;
}

/// Where a word lies, for everybody who has it.
struct Spot {
  uint64_t id, offset;
  Word* bed;
};

Spot spot_of(const Word* word) {
  Mapping m;
  const auto address = reinterpret_cast<uintptr_t>(word);
  Spot spot{own_id(), address, nullptr};
  Word* beds = private_beds;
  if (mapping_find(word, &m)) {
    spot.id = m.front->id;
    spot.offset = m.offset + (address - reinterpret_cast<uintptr_t>(m.base));
    beds = m.front->beds;
  }
  // Words of neighbouring slots lie 64 bytes apart.
  spot.bed = beds + ((spot.offset >> 2 ^ spot.offset >> 14) % kBeds);
  return spot;
}

struct Name {
  wchar_t text[64];
  explicit Name(const Spot& spot) {
    wchar_t* at = text;
    for (const wchar_t* c = L"Local\\multiproc-"; *c != 0; c++) *at++ = *c;
    at = hex(at, spot.id);
    *at++ = L'-';
    at = hex(at, spot.offset);
    *at = 0;
  }
  static wchar_t* hex(wchar_t* at, uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = L"0123456789abcdef"[number >> shift & 15];
    return at;
  }
};

/// The token that has this word, or null. Tokens are aligned and marked: what lies behind other words is read in vain.
const TokenParts* token_at(const Word* word) {
  Mapping m;
  if (reinterpret_cast<uintptr_t>(word) % alignof(Token) != 0 || !mapping_find(word, &m)) return nullptr;
  const auto* token = reinterpret_cast<const TokenParts*>(word);
  return token->magic == kTokenMagic ? token : nullptr;
}

/// All that one thread sleeps on.
class Sleep {
 public:
  Sleep() = default;
  Sleep(const Sleep&) = delete;
  ~Sleep() {
    for (uint32_t i = 0; i < bed_count_; i++) beds_[i]->fetch_sub(1);
    for (uint32_t i = 0; i < own_count_; i++) CloseHandle(own_[i]);
    for (uint32_t i = 0; i < peer_count_; i++) peer_drop(peers_[i]);
  }

  /// False: there is no sense in sleeping.
  bool add(const Watch& watch) {
    if (watch.word->load() != watch.value) return false;
    if (const TokenParts* token = token_at(watch.word)) {
      if (!add_taker(*token, watch.value)) return false;
    }
    if (count_ == kObjectsMax) {
      all_ = false;
      return true;
    }
    const Spot spot = spot_of(watch.word);
    HANDLE semaphore = CreateSemaphoreW(nullptr, 0, 0x7fffffff, Name(spot).text);
    if (semaphore == nullptr) {  // somebody else has that name, or nothing is left
      all_ = false;
      return true;
    }
    objects_[count_++] = own_[own_count_++] = semaphore;
    spot.bed->fetch_add(1);
    beds_[bed_count_++] = spot.bed;
    return true;
  }

  void wait(int64_t wake_at) const {
    int64_t left = wake_at - monotonic_now();
    if (!all_ && left > kBriefNs) left = kBriefNs;
    if (left <= 0) return;
    const int64_t ms = (left + 999'999) / 1'000'000;
    const auto timeout = static_cast<DWORD>(ms < kLongestMs ? ms : kLongestMs);
    if (count_ == 0)
      ::Sleep(timeout);
    else
      WaitForMultipleObjects(count_, objects_, FALSE, timeout);
  }

 private:
  bool add_taker(const TokenParts& token, uint32_t word) {
    const uint32_t pid = word & kPidMask;
    if (word == 0 || pid == process_id()) return true;
    const Peer peer = peer_hold(pid, started_of(token, word));
    if (peer.ended) return false;
    if (peer.process == nullptr) {
      all_ = false;
      return true;
    }
    bool known = false;
    for (uint32_t i = 0; i < peer_count_; i++) known = known || peers_[i].process == peer.process;
    if (known || count_ == kObjectsMax) {
      all_ = all_ && known;
      peer_drop(peer);
      return true;
    }
    objects_[count_++] = peer.process;
    peers_[peer_count_++] = peer;
    return true;
  }

  HANDLE objects_[kObjectsMax], own_[kObjectsMax];
  Word* beds_[kObjectsMax];
  Peer peers_[kObjectsMax];
  uint32_t count_ = 0, own_count_ = 0, bed_count_ = 0, peer_count_ = 0;
  bool all_ = true;
};

}  // namespace

void park(const Watch* watches, uint32_t count, int64_t wake_at) {
  Sleep sleep;
  for (uint32_t i = 0; i < count; i++)
    if (!sleep.add(watches[i])) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (uint32_t i = 0; i < count; i++)
    if (watches[i].word->load() != watches[i].value) return;  // K1
  sleep.wait(wake_at);
}

void unpark(Word* word, uint32_t count) {
  const Spot spot = spot_of(word);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // K1
  const uint32_t sleepers = spot.bed->load();
  if (sleepers == 0) return;
  HANDLE semaphore = OpenSemaphoreW(SEMAPHORE_MODIFY_STATE, FALSE, Name(spot).text);
  if (semaphore == nullptr) return;
  ReleaseSemaphore(semaphore, static_cast<LONG>(count < sleepers ? count : sleepers), nullptr);
  CloseHandle(semaphore);
}

void yield() { SwitchToThread(); }

void pause() { YieldProcessor(); }

}  // namespace mp::platform
