// Making a named segment, up to the point where it only lacks its name. No JavaScript: this runs on any thread.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/segment.h"
#include "platform/platform.h"

namespace mp::node {

/// What TypeScript asks for. `kind` 0: plain bytes without a header (`size` of them), else a NamedKind.
struct SegmentRequest {
  std::string name;
  bool is_path = false;
  bool read_only = false;
  bool reserve = true;
  uint32_t mode = 0600;
  uint32_t kind = 0;
  uint64_t size = 0;
  uint64_t size_max = 0;  // what a buffer of this runtime can hold
  uint64_t id = 0;
  uint32_t element_type = 0;
  uint32_t element_bytes = 0;
  std::vector<uint64_t> shape;
  const void* bytes =
      nullptr;  // what the data starts with, else zeros; the caller's, so only for calls that return at once
  size_t byte_count = 0;

  platform::Place place() const { return {name.c_str(), is_path}; }
};

enum class Publish { exclusive, replace, replace_stale };

struct BuiltSegment {
  platform::Unnamed file;
  NamedSegment header{};
  platform::FileFacts facts;
};

/// Makes the file, gives it its size, its pages and its header. `stop` is looked at between two steps (ECANCELED).
platform::Failure segment_build(const SegmentRequest& request, Publish how, const std::atomic<bool>& stop,
                                BuiltSegment* out);

/// Opens what has the name and reads its header, if the request says that there is one. The descriptor is the caller's
/// unless the check is not ok.
struct FoundSegment {
  int fd = -1;
  NamedSegment header{};
  platform::FileFacts facts;
  NamedCheck check = NamedCheck::ok;
  bool creator_gone = false;  // of an unready one
};
platform::Failure segment_find(const SegmentRequest& request, FoundSegment* out);

/// Names it. replace_stale: only in the place of the very file `stale`; EEXIST if another has the name by now.
platform::Failure segment_publish(const SegmentRequest& request, Publish how,
                                  const platform::FileFacts& stale, BuiltSegment* built);

}  // namespace mp::node
