#include "node/build_segment.h"

#include <cerrno>
#include <mutex>

namespace mp::node {
namespace {

using platform::Failure;

constexpr size_t kStep = size_t{64} << 20;  // an environment that ends waits for one of these

struct Creator {
  uint32_t pid;
  uint64_t start_time, pid_namespace;
};
/// This process; looked up once, and again in a forked child.
Creator creator() {
  static std::mutex mutex;
  static Creator me{};
  const std::lock_guard guard(mutex);
  const uint32_t pid = platform::process_id();
  if (me.pid != pid) me = {pid, platform::process_start_time(pid), platform::pid_namespace()};
  return me;
}

Failure fill(const SegmentRequest& request, const std::atomic<bool>& stop, BuiltSegment* out) {
  const int fd = out->file.fd;
  uint64_t size = request.size;
  if (request.kind != 0) {
    named_format({request.kind, request.element_type, request.element_bytes,
                  static_cast<uint32_t>(request.shape.size()), request.shape.data(), request.id,
                  is_named_lock(request.kind) ? platform::token_layout() : 0},
                 &out->header);
    size = out->header.segment.size;
    const Creator me = creator();
    out->header.segment.creator_pid = me.pid;
    out->header.segment.pid_namespace = me.pid_namespace;
    out->header.named.creator_start_time = me.start_time;
    named_seal(&out->header);
  }
  if (Failure failed = platform::named_resize(fd, size, request.reserve)) return failed;
  for (uint64_t done = 0; request.reserve && done < size; done += kStep) {
    if (stop.load(std::memory_order_relaxed))
      return {ECANCELED, "fallocate"};  // relaxed: a request to hurry, no more
    const size_t step = size - done < kStep ? size - done : kStep;
    if (Failure failed = platform::named_reserve(fd, done, step)) return failed;
  }
  if (request.kind != 0)
    if (Failure failed = platform::file_write_at(fd, &out->header, sizeof out->header, 0)) return failed;
  if (request.byte_count > 0 && request.byte_count <= size - kPage)
    if (Failure failed = platform::file_write_at(fd, request.bytes, request.byte_count, kPage)) return failed;
  return platform::named_facts(fd, &out->facts);
}

}  // namespace

Failure segment_build(const SegmentRequest& request, Publish how, const std::atomic<bool>& stop,
                      BuiltSegment* out) {
  // Before memory is reserved in vain; publishing decides.
  if (how == Publish::exclusive && platform::named_exists(request.place())) return {EEXIST, "link"};
  if (Failure failed = platform::named_prepare(request.place(), request.mode, &out->file)) return failed;
  Failure failed = fill(request, stop, out);
  if (failed) platform::named_discard(&out->file);
  return failed;
}

Failure segment_find(const SegmentRequest& request, FoundSegment* out) {
  if (Failure failed = platform::named_open(request.place(), !request.read_only, &out->fd)) return failed;
  Failure failed = platform::named_facts(out->fd, &out->facts);
  if (!failed) {
    if (request.kind == 0) {
      out->check = out->facts.size == 0 ? NamedCheck::too_short : NamedCheck::ok;
    } else if (out->facts.size < sizeof out->header) {
      out->check = NamedCheck::too_short;
    } else if ((failed = platform::file_read_at(out->fd, &out->header, sizeof out->header, 0)) &&
               failed.code == EIO) {
      failed = {};
      out->check = NamedCheck::truncated;  // a moment ago
    } else if (!failed) {
      out->check = named_check(out->header, out->facts.size, request.kind);
    }
  }
  if (out->check == NamedCheck::unready) {
    const SegmentHeader& s = out->header.segment;
    out->creator_gone = s.pid_namespace == platform::pid_namespace() &&
                        platform::process_start_time(s.creator_pid) != out->header.named.creator_start_time;
  }
  if (failed || out->check != NamedCheck::ok) {
    platform::close_fd(out->fd);
    out->fd = -1;
  }
  return failed;
}

Failure segment_publish(const SegmentRequest& request, Publish how, const platform::FileFacts& stale,
                        BuiltSegment* built) {
  const platform::Place place = request.place();
  if (how == Publish::exclusive) return platform::named_publish(&built->file, place);
  if (how == Publish::replace) {
    platform::named_sweep(place);
    return platform::named_replace(&built->file, place);
  }
  // Two that found the same stale file: the lock on it lets one replace it, and the other one see that it has changed.
  int fd = -1, again = -1;
  platform::FileFacts locked, named;
  Failure failed = platform::named_open(place, true, &fd);
  if (!failed) failed = platform::named_lock(fd);
  if (!failed) failed = platform::named_facts(fd, &locked);
  if (!failed) failed = platform::named_open(place, true, &again);
  if (!failed) failed = platform::named_facts(again, &named);
  const auto is_stale = [&](const platform::FileFacts& f) {
    return f.device == stale.device && f.inode == stale.inode;
  };
  if (failed.code == ENOENT || failed.code == EBUSY || (!failed && !(is_stale(locked) && is_stale(named))))
    failed = {EEXIST, "rename"};
  else if (!failed)
    failed = platform::named_replace(&built->file, place);
  if (again >= 0) platform::close_fd(again);
  if (fd >= 0) platform::close_fd(fd);
  return failed;
}

}  // namespace mp::node
