#include "node/mappings.h"

#include <map>
#include <mutex>

namespace mp::node {
namespace {

std::mutex& mutex() {
  static std::mutex m;
  return m;
}

/// By inode; a few may share one: read-only and not, of different sizes, fresh ones.
std::multimap<uint64_t, Mapping*>& mappings() {
  static auto* m =
      new std::multimap<uint64_t, Mapping*>;  // never destroyed: threads may outlive static objects
  return *m;
}

}  // namespace

platform::Failure mapping_open(int fd, const platform::FileFacts& file, bool read_only, bool fresh,
                               Mapping** out) {
  const std::lock_guard guard(mutex());
  if (!fresh) {
    const auto [from, to] = mappings().equal_range(file.inode);
    for (auto i = from; i != to; ++i) {
      Mapping* m = i->second;
      if (m->file.device != file.device || m->file.size != file.size || m->read_only != read_only) continue;
      m->users++;
      *out = m;
      return {};
    }
  }
  Mapping made{file, read_only, nullptr, 0, 1};
  if (auto failed = platform::named_map(fd, file.size, read_only, &made.base, &made.guard)) return failed;
  *out = new Mapping(made);
  mappings().emplace(file.inode, *out);
  return {};
}

void mapping_close(Mapping* mapping) {
  const std::lock_guard guard(mutex());
  if (--mapping->users > 0) return;
  const auto [from, to] = mappings().equal_range(mapping->file.inode);
  for (auto i = from; i != to; ++i) {
    if (i->second != mapping) continue;
    mappings().erase(i);
    break;
  }
  platform::named_unmap(mapping->base, mapping->file.size, mapping->guard);
  delete mapping;
}

uint32_t mapping_count() {
  const std::lock_guard guard(mutex());
  return static_cast<uint32_t>(mappings().size());
}

}  // namespace mp::node
