#include "core/segment.h"

#include <cstring>

namespace mp {
namespace {

/// FNV-1a. Notices accidents, not malice: nothing read after it is trusted without a check of its own.
uint64_t hash(uint64_t h, const void* bytes, size_t size) {
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (size_t i = 0; i < size; i++) h = (h ^ at[i]) * 0x100000001b3;
  return h;
}

uint64_t checksum(const NamedSegment& s) {
  constexpr size_t after_state = offsetof(SegmentHeader, state) + sizeof s.segment.state;
  constexpr size_t after_sum = offsetof(NamedHeader, checksum) + sizeof s.named.checksum;
  const auto* segment = reinterpret_cast<const unsigned char*>(&s.segment);
  const auto* named = reinterpret_cast<const unsigned char*>(&s.named);
  uint64_t h = hash(0xcbf29ce484222325, segment, offsetof(SegmentHeader, state));
  h = hash(h, segment + after_state, sizeof s.segment - after_state);
  h = hash(h, named, offsetof(NamedHeader, checksum));
  return hash(h, named + after_sum, sizeof s.named - after_sum);
}

}  // namespace

uint64_t named_data_bytes(const uint64_t* shape, uint32_t rank, uint32_t element_bytes) {
  uint64_t bytes = element_bytes;
  for (uint32_t i = 0; i < rank; i++) {
    // Half the range of an offset: what is added to it later cannot overflow either.
    if (__builtin_mul_overflow(bytes, shape[i], &bytes) || bytes > (uint64_t{1} << 62)) return 0;
  }
  return bytes;
}

void named_format(const NamedFacts& facts, NamedSegment* out) {
  memset(static_cast<void*>(out), 0, sizeof *out);
  out->named.element_type = facts.element_type;
  out->named.element_bytes = facts.element_bytes;
  out->named.rank = facts.rank;
  memcpy(out->named.shape, facts.shape, facts.rank * sizeof facts.shape[0]);
  out->named.data_offset = kPage;
  out->named.data_bytes = named_data_bytes(facts.shape, facts.rank, facts.element_bytes);
  out->segment.magic = kMagic;
  out->segment.layout_version = kNamedLayoutVersion;
  out->segment.kind = facts.kind;
  out->segment.id = facts.id;
  out->segment.token_layout = facts.token_layout;
  out->segment.size = kPage + out->named.data_bytes;
  out->segment.state.store(kReady, std::memory_order_relaxed);  // relaxed: a private copy
}

void named_seal(NamedSegment* out) { out->named.checksum = checksum(*out); }

NamedCheck named_check(const NamedSegment& copy, uint64_t file_size, uint32_t kind) {
  const SegmentHeader& s = copy.segment;
  const NamedHeader& n = copy.named;
  if (file_size < sizeof copy) return NamedCheck::too_short;
  if (s.magic != kMagic) return NamedCheck::not_ours;
  // The first four fields have their place in every version.
  if (s.layout_version != kNamedLayoutVersion) return NamedCheck::other_version;
  if (s.kind != kind) return NamedCheck::other_kind;
  if (s.state.load(std::memory_order_relaxed) != kReady) return NamedCheck::unready;
  if (n.checksum != checksum(copy)) return NamedCheck::damaged;
  if (n.rank < 1 || n.rank > kRankMax || n.data_offset != kPage || n.data_bytes == 0)
    return NamedCheck::damaged;
  if (n.element_bytes == 0 || n.element_bytes > 8) return NamedCheck::damaged;
  if (named_data_bytes(n.shape, n.rank, n.element_bytes) != n.data_bytes) return NamedCheck::damaged;
  if (s.size != n.data_offset + n.data_bytes) return NamedCheck::damaged;
  return file_size < s.size ? NamedCheck::truncated : NamedCheck::ok;
}

}  // namespace mp
