#include "core/ring.h"

#include <cstring>

namespace mp {

bool ring_front(const Ring& ring, uint32_t head, uint32_t tail, uint32_t* at, Record* record) {
  uint32_t used = tail - head;
  if (used > ring.units) return false;
  *record = ring.record_at(head);
  *at = head;
  if (record->meta & kWrap) {
    const uint32_t skipped = ring.contiguous(head);
    if (skipped >= used) return false;
    *at = head + skipped;
    used -= skipped;
    *record = ring.record_at(*at);
  }
  const uint64_t units = record_units(*record);
  return !(record->meta & kWrap) && units <= used && units <= ring.contiguous(*at);
}

uint32_t ring_room(const Ring& ring, uint32_t head, uint32_t tail, uint32_t units) {
  const uint32_t rest = ring.contiguous(tail), room = units <= rest ? units : rest + units;
  return room <= ring.units - (tail - head) ? room : 0;
}

void ring_write(const Ring& ring, uint32_t tail, uint32_t room, const void* record, uint32_t units) {
  if (room != units) {
    const Record marker{0, kWrap};
    memcpy(ring.at(tail), &marker, sizeof marker);
  }
  memcpy(ring.at(tail + room - units), record, size_t{units} * kUnit);
}

}  // namespace mp
