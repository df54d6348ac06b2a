// Rings by themselves: one writer and one reader, one step after the other, beside a list that says what must be there.
#include "core/ring.h"

#include <deque>

#include <random>
#include <vector>

#include "core/queue.h"
#include "support/check.h"

using namespace mp;

namespace {

/// A ring in memory of exactly its size, so that AddressSanitizer sees who goes beyond.
struct Bytes {
  std::vector<uint64_t> memory;
  Ring ring;
  explicit Bytes(uint32_t units)
      : memory(units), ring{reinterpret_cast<unsigned char*>(memory.data()), units} {}
};

/// The units of a record with a payload of so many, each of which says `number`.
std::vector<uint64_t> record_of(uint32_t payload, uint64_t number) {
  std::vector<uint64_t> units(payload + 1, number);
  const Record r{payload * kUnit, 0};
  memcpy(units.data(), &r, sizeof r);
  return units;
}

bool put(const Ring& ring, uint32_t head, uint32_t* tail, uint32_t payload, uint64_t number) {
  const auto record = record_of(payload, number);
  const auto units = static_cast<uint32_t>(record.size());
  const uint32_t room = ring_room(ring, head, *tail, units);
  if (room == 0) return false;
  ring_write(ring, *tail, room, record.data(), units);
  *tail += room;
  return true;
}

}  // namespace

TEST("ring: what is put comes in order, whatever the lengths, past the end and past 2^32") {
  std::mt19937 random(1);
  for (const uint32_t units : {16u, 64u, 512u}) {
    Bytes b(units);
    uint32_t head = 0u - 40 * units, tail = head;
    std::deque<std::pair<uint32_t, uint64_t>> model;
    uint64_t next = 1, wraps = 0, fulls = 0;
    for (int i = 0; i < 20'000; i++) {
      if (random() % 2 == 0) {
        const uint32_t payload = random() % (units / 4);
        if (put(b.ring, head, &tail, payload, next))
          model.emplace_back(payload, next++);
        else
          fulls++;
        CHECK(tail - head <= units);
      } else if (!model.empty()) {
        uint32_t at;
        Record r;
        CHECK(head != tail && ring_front(b.ring, head, tail, &at, &r));
        wraps += at != head;
        CHECK(r.length == model.front().first * kUnit && r.meta == 0);
        for (uint32_t u = 1; u <= model.front().first; u++)
          CHECK(*reinterpret_cast<uint64_t*>(b.ring.at(at + u)) == model.front().second);
        head = at + static_cast<uint32_t>(record_units(r));
        model.pop_front();
      }
      uint32_t records = 0;
      CHECK(each_record(b.ring, head, tail, [&](uint32_t, const Record&) { records++; }));
      CHECK(records == model.size());
    }
    CHECK(wraps > 10 && fulls > 10 && head < 1u << 31);
  }
}

TEST("ring: it takes records until every unit is used, and none beyond") {
  for (uint32_t start = 0; start < 64; start++) {
    Bytes b(64);
    uint32_t tail = start, count = 0;
    while (put(b.ring, start, &tail, 0, 0)) count++;
    CHECK(count == 64 && tail - start == 64);
    CHECK(ring_room(b.ring, start, tail, 1) == 0 && ring_room(b.ring, start + 1, tail, 1) == 1);
  }
}

TEST("ring: an empty one has room for a quarter of it, wherever it stands") {
  for (const uint32_t units : {16u, 128u}) {
    for (uint32_t start = 0; start < 2 * units; start++) {
      Bytes b(units);
      uint32_t tail = start, at;
      Record r;
      CHECK(put(b.ring, start, &tail, units / 4 - 1, 7));
      CHECK(ring_front(b.ring, start, tail, &at, &r) && r.length == (units / 4 - 1) * kUnit);
      CHECK(at + units / 4 == tail);
    }
  }
}

TEST("ring: a record that fits before the end has no marker, the next one has") {
  Bytes b(16);
  uint32_t tail = 0;
  CHECK(put(b.ring, 0, &tail, 11, 1) && tail == 12);
  CHECK(put(b.ring, 12, &tail, 3, 2) && tail == 16);  // to the last unit
  uint32_t head = 12;
  tail = 14 + 16;
  CHECK(put(b.ring, tail, &tail, 2, 3) && tail == 16 + 16 + 3);
  CHECK(b.ring.record_at(14).meta == kWrap);
  uint32_t at;
  Record r;
  head = 14 + 16;
  CHECK(ring_front(b.ring, head, tail, &at, &r) && at == 32 && r.length == 16);
  CHECK(!ring_front(b.ring, head, head + 2, &at, &r));  // a marker, and nothing behind it
}

TEST("ring: whatever its bytes are, nothing outside is read, and every look ends") {
  std::mt19937_64 random(2);
  uint64_t whole = 0, records = 0;
  for (int i = 0; i < 200'000; i++) {
    const uint32_t units = 16u << i % 4;
    Bytes b(units);
    for (uint64_t& u : b.memory) {
      // Small lengths and few references now and then, so that it is not the first record that is refused.
      const Record r{static_cast<uint32_t>(random() % (random() % 3 == 0 ? ~0u : 64)),
                     static_cast<uint32_t>(random() & (random() % 4 == 0 ? ~0u : 0x4000f))};
      memcpy(&u, &r, sizeof r);
    }
    const auto head = static_cast<uint32_t>(random());
    const uint32_t tail = head + static_cast<uint32_t>(random() % (random() % 8 == 0 ? ~0u : units + 1));
    uint32_t seen = 0;
    const bool sound = each_record(b.ring, head, tail, [&](uint32_t at, const Record& r) {
      seen += static_cast<uint32_t>(record_units(r));
      uint64_t sum = 0;
      for (uint32_t u = 0; u < record_units(r); u++) sum += b.ring.at(at)[u * kUnit + 7];
      const Reference* references = ring_references(b.ring, at, r);
      for (uint32_t n = 0; n < references_in(r.meta); n++) sum += references[n].index;
      records += sum != 0;
    });
    CHECK(seen <= units);
    whole += sound;
  }
  CHECK(whole > 100 && records > 10'000);
}
