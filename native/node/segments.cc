// Named segments for TypeScript: open, inspect, close, delete, list. Requests and answers are plain objects; nothing here
// is on a hot path.
#include "node/segments.h"

#include <cerrno>
#include <cinttypes>

#include "node/args.h"

namespace mp::node {
namespace {

napi_value get(napi_env env, napi_value o, const char* key) {
  napi_value v;
  napi_get_named_property(env, o, key, &v);
  return v;
}

std::string text(napi_env env, napi_value v) {
  size_t length = 0;
  napi_get_value_string_utf8(env, v, nullptr, 0, &length);
  std::string s(length, '\0');
  napi_get_value_string_utf8(env, v, s.data(), length + 1, &length);
  return s;
}

uint64_t to_big(napi_env env, napi_value v) {
  uint64_t r = 0;
  bool lossless;
  napi_get_value_bigint_uint64(env, v, &r, &lossless);
  return r;
}

void set_file(napi_env env, napi_value target, const platform::FileFacts& file) {
  set(env, target, "device", bigint(env, file.device));
  set(env, target, "inode", bigint(env, file.inode));
  set(env, target, "fileSize", number(env, static_cast<double>(file.size)));
}

void set_header(napi_env env, napi_value target, const NamedSegment& header) {
  const NamedHeader& n = header.named;
  napi_value shape;
  const uint32_t rank = n.rank <= kRankMax ? n.rank : 0;
  napi_create_array_with_length(env, rank, &shape);
  for (uint32_t i = 0; i < rank; i++)
    napi_set_element(env, shape, i, number(env, static_cast<double>(n.shape[i])));
  set(env, target, "id", bigint(env, header.segment.id));
  set(env, target, "elementType", uint32(env, n.element_type));
  set(env, target, "elementBytes", uint32(env, n.element_bytes));
  set(env, target, "size", number(env, static_cast<double>(n.data_bytes)));
  set(env, target, "shape", shape);
}

const char* problem_name(const FoundSegment& found) {
  switch (found.check) {
    case NamedCheck::ok:
      return "";
    case NamedCheck::too_short:
      return "too_short";
    case NamedCheck::not_ours:
      return "not_ours";
    case NamedCheck::other_version:
      return "other_version";
    case NamedCheck::other_kind:
      return "other_kind";
    case NamedCheck::unready:
      return found.creator_gone ? "abandoned" : "unready";
    case NamedCheck::damaged:
      return "damaged";
    case NamedCheck::truncated:
      return "truncated";
    case NamedCheck::other_libc:
      return "other_libc";
  }
  return "damaged";
}

napi_value problem(napi_env env, const char* name, const FoundSegment& found) {
  napi_value o = object(env);
  set(env, o, "problem", string(env, name));
  set(env, o, "version", uint32(env, found.header.segment.layout_version));
  set_file(env, o, found.facts);
  return o;
}

/// openSegment(request) → opened, or { problem }
napi_value open_segment(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto& self = *static_cast<Segments*>(args.data);
  const SegmentRequest request = segment_request(env, args[0]);
  FoundSegment found;
  if (auto failed = segment_find(request, &found)) return throw_failure(env, failed);
  if (found.check != NamedCheck::ok) return problem(env, problem_name(found), found);
  const bool plain = request.kind == 0;
  const uint64_t length = plain ? found.facts.size : found.header.named.data_bytes;
  platform::Failure failed;
  View* view = nullptr;
  if (length <= request.size_max)
    view = view_open(self, found.fd, found.facts, request.read_only, plain ? 0 : kPage, length, &failed);
  platform::close_fd(found.fd);
  if (failed) return throw_failure(env, failed);
  if (view == nullptr) return problem(env, "too_big", found);
  return opened_segment(self, view, found.facts, found.header);
}

/// inspectSegment(request) → what its header says, without mapping it
napi_value inspect_segment(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  SegmentRequest request = segment_request(env, args[0]);
  request.read_only = true;
  FoundSegment found;
  if (auto failed = segment_find(request, &found)) return throw_failure(env, failed);
  if (found.check != NamedCheck::ok) return problem(env, problem_name(found), found);
  platform::close_fd(found.fd);
  napi_value o = problem(env, "", found);
  if (request.kind != 0) set_header(env, o, found.header);
  return o;
}

View* view_at(napi_env env, napi_value index, Segments& self) {
  const uint32_t i = to_uint32(env, index);
  return i < self.views.size() ? self.views[i] : nullptr;
}

napi_value close_segment(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  auto& self = *static_cast<Segments*>(args.data);
  if (View* view = view_at(env, args[0], self)) view_close(self, view);
  return nullptr;
}

napi_value sync_segment(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  View* view = view_at(env, args[0], *static_cast<Segments*>(args.data));
  if (view == nullptr || view->mapping == nullptr) return nullptr;
  if (auto failed = platform::named_sync(view->mapping->base, view->mapping->file.size))
    return throw_failure(env, failed);
  return nullptr;
}

napi_value restore_segment(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  View* view = view_at(env, args[0], *static_cast<Segments*>(args.data));
  if (view != nullptr && view->mapping != nullptr) platform::guard_restore(view->mapping->guard);
  return nullptr;
}

/// unlinkSegment(name, isPath, device, inode): only that very file; device and inode undefined: whatever has the name
napi_value unlink_segment(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  const std::string name = text(env, args[0]);
  napi_valuetype type;
  napi_typeof(env, args[2], &type);
  const platform::FileFacts file{to_big(env, args[2]), to_big(env, args[3]), 0};
  const platform::Place place{name.c_str(), to_bool(env, args[1])};
  if (auto failed = platform::named_unlink(place, type == napi_bigint ? &file : nullptr))
    return throw_failure(env, failed);
  return nullptr;
}

/// listSegments() → names of all shared memory objects; removes first what dead creators left beside them
napi_value list_segments(napi_env env, napi_callback_info) {
  platform::named_sweep({"", false});
  std::vector<std::string> names;
  auto failed = platform::named_list(
      [](void* to, const char* name) { static_cast<std::vector<std::string>*>(to)->emplace_back(name); },
      &names);
  if (failed) return throw_failure(env, failed);
  napi_value array;
  napi_create_array_with_length(env, names.size(), &array);
  for (uint32_t i = 0; i < names.size(); i++) napi_set_element(env, array, i, string(env, names[i].c_str()));
  return array;
}

/// segmentFlags() → ArrayBuffer of the fault guard's flags
napi_value segment_flags(napi_env env, napi_callback_info) {
  constexpr size_t bytes = size_t{platform::kGuardMax} * sizeof(platform::Word);
  napi_value buffer;
  const auto nothing = [](napi_env, void*, void*) {};
  const napi_status status =
      napi_create_external_arraybuffer(env, platform::guard_flags(), bytes, nothing, nullptr, &buffer);
  if (status != napi_ok)
    return throw_failure(env, {EOPNOTSUPP, "external array buffers are not allowed here"});
  return buffer;
}

/// segmentCensus() → what is in use: for tests of leaks
napi_value segment_census(napi_env env, napi_callback_info info) {
  Args<0> args(env, info);
  const auto& self = *static_cast<Segments*>(args.data);
  napi_value o = object(env);
  set(env, o, "mappings", uint32(env, mapping_count()));
  set(env, o, "buffers", uint32(env, static_cast<uint32_t>(self.views.size() - self.unused.size())));
  return o;
}

void leave(void* data) {
  auto* self = static_cast<Segments*>(data);
  jobs_stop(*self);
  views_abandon(*self);
  delete self;
}

}  // namespace

napi_value segment_problem(napi_env env, const FoundSegment& found) {
  return problem(env, problem_name(found), found);
}

SegmentRequest segment_request(napi_env env, napi_value options) {
  SegmentRequest r;
  r.name = text(env, get(env, options, "name"));
  r.is_path = to_bool(env, get(env, options, "isPath"));
  r.read_only = to_bool(env, get(env, options, "readOnly"));
  r.reserve = to_bool(env, get(env, options, "reserve"));
  r.mode = to_uint32(env, get(env, options, "mode"));
  r.kind = to_uint32(env, get(env, options, "kind"));
  r.size = static_cast<uint64_t>(to_int64(env, get(env, options, "size")));
  r.size_max = static_cast<uint64_t>(to_int64(env, get(env, options, "sizeMax")));
  r.id = to_big(env, get(env, options, "id"));
  r.element_type = to_uint32(env, get(env, options, "elementType"));
  r.element_bytes = to_uint32(env, get(env, options, "elementBytes"));
  napi_value bytes = get(env, options, "bytes");
  bool is_buffer = false;
  napi_is_buffer(env, bytes, &is_buffer);
  if (is_buffer && r.kind != 0) napi_get_buffer_info(env, bytes, const_cast<void**>(&r.bytes), &r.byte_count);
  napi_value shape = get(env, options, "shape");
  uint32_t rank = 0;
  bool is_array = false;
  napi_is_array(env, shape, &is_array);
  if (is_array) napi_get_array_length(env, shape, &rank);
  for (uint32_t i = 0; i < rank && i < kRankMax; i++) {
    napi_value length;
    napi_get_element(env, shape, i, &length);
    r.shape.push_back(static_cast<uint64_t>(to_int64(env, length)));
  }
  return r;
}

napi_value opened_segment(Segments& self, const View* view, const platform::FileFacts& file,
                          const NamedSegment& header) {
  napi_env env = self.env;
  napi_value o = object(env);
  set(env, o, "problem", string(env, ""));
  set(env, o, "index", uint32(env, view->index));
  set(env, o, "guard", uint32(env, view->mapping->guard));
  set(env, o, "buffer", view_buffer(self, view));
  set_file(env, o, file);
  if (header.segment.kind != 0) set_header(env, o, header);
  return o;
}

void init_segments(napi_env env, napi_value exports) {
  auto* self = new Segments{env, {}, {}, {}, {}};
  napi_add_env_cleanup_hook(env, leave, self);
  add_function(env, exports, "openSegment", open_segment, self);
  add_function(env, exports, "inspectSegment", inspect_segment, self);
  add_function(env, exports, "closeSegment", close_segment, self);
  add_function(env, exports, "syncSegment", sync_segment, self);
  add_function(env, exports, "restoreSegment", restore_segment, self);
  add_function(env, exports, "unlinkSegment", unlink_segment, self);
  add_function(env, exports, "listSegments", list_segments, self);
  add_function(env, exports, "segmentFlags", segment_flags, self);
  add_function(env, exports, "segmentCensus", segment_census, self);
  init_create_segment(self, exports);
}

}  // namespace mp::node
