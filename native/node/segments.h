// The named segments that one JavaScript environment uses, and their buffers.
#pragma once

#include <node_api.h>

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "node/build_segment.h"
#include "node/mappings.h"

namespace mp::node {

struct Segments;

/// A buffer of this environment over a mapping, used by `users` handles.
///
///   open       users > 0; the mapping is counted
///   closed     detached; the mapping is given back. Waits for its finalizer, which deletes it
///   strayed    closed, but the bytes are in a buffer that somebody made of ours (ArrayBuffer.prototype.transfer):
///              the mapping stays until that one is collected
///   collected  finalized while handles had not closed it: they are gone as well. Deleted at once
struct View {
  Segments* owner;   // valid while there is a mapping
  Mapping* mapping;  // null once given back: by close(), or by the environment's end
  size_t offset;
  size_t length;
  uint32_t index;
  uint32_t users;
  bool closed;
  napi_ref buffer;  // weak
};

struct Job;

struct Segments {
  napi_env env;
  std::vector<View*> views;      // by index; null: free
  std::vector<uint32_t> unused;  // free indices
  std::map<std::pair<const Mapping*, size_t>, View*> by_place;
  std::set<Job*> jobs;  // running, see create_segment.cc
};

/// A view over the segment behind `fd`: the one this environment has, or a new one. Counts one user.
/// Null: *failed says why.
View* view_open(Segments& self, int fd, const platform::FileFacts& file, bool read_only, size_t offset,
                size_t length, platform::Failure* failed);
/// One user less; the last one detaches the buffer and gives the mapping back.
void view_close(Segments& self, View* view);
napi_value view_buffer(Segments& self, const View* view);
/// Gives back everything, without touching JavaScript: the environment is ending.
void views_abandon(Segments& self);

/// What TypeScript gets of an open segment.
napi_value opened_segment(Segments& self, const View* view, const platform::FileFacts& file,
                          const NamedSegment& header);
SegmentRequest segment_request(napi_env env, napi_value options);
/// { problem, version, … } of what was found; the problem is '' if there is none.
napi_value segment_problem(napi_env env, const FoundSegment& found);

/// createSegment and createSegmentLater.
void init_create_segment(Segments* self, napi_value exports);
/// Ends what runs in the background, and waits for it.
void jobs_stop(Segments& self);

}  // namespace mp::node
