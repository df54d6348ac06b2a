// One buffer per mapping and environment, detached by the last close().
#include <cerrno>

#include "node/segments.h"

namespace mp::node {
namespace {

void forget(Segments& self, View* view) {
  const auto at = self.by_place.find({view->mapping, view->offset});
  if (at != self.by_place.end() && at->second == view) self.by_place.erase(at);
}

void give_index_back(Segments& self, View* view) {
  self.views[view->index] = nullptr;
  self.unused.push_back(view->index);
}

void give_mapping_back(View* view) {
  if (view->mapping == nullptr) return;
  mapping_close(view->mapping);
  view->mapping = nullptr;
}

void drop_reference(napi_env env, View* view) {
  if (view->buffer != nullptr) napi_delete_reference(env, view->buffer);
  view->buffer = nullptr;
}

/// The bytes are nobody's any more: the buffer was detached, or collected, or the environment ends.
void finalize(napi_env env, void*, void* hint) {
  auto* view = static_cast<View*>(hint);
  if (view->mapping != nullptr) {
    forget(*view->owner, view);
    if (!view->closed) give_index_back(*view->owner, view);
    give_mapping_back(view);
  }
  drop_reference(env, view);
  delete view;
}

napi_value value_of(napi_env env, napi_ref ref) {
  napi_value v = nullptr;
  if (ref != nullptr) napi_get_reference_value(env, ref, &v);
  return v;
}

bool is_detached(napi_env env, napi_value buffer) {
  bool detached = true;
  napi_is_detached_arraybuffer(env, buffer, &detached);
  return detached;
}

}  // namespace

View* view_open(Segments& self, int fd, const platform::FileFacts& file, bool read_only, size_t offset,
                size_t length, platform::Failure* failed) {
  Mapping* mapping;
  if ((*failed = mapping_open(fd, file, read_only, false, &mapping))) return nullptr;
  if (const auto known = self.by_place.find({mapping, offset}); known != self.by_place.end()) {
    View* view = known->second;
    napi_value buffer = value_of(self.env, view->buffer);
    const bool usable =
        buffer != nullptr && view->length == length && !view->closed && !is_detached(self.env, buffer);
    mapping_close(mapping);
    if (usable) return view->users++, view;
    // A buffer that is being collected, or has strayed, still counts for V8 at that address: take another one.
    if ((*failed = mapping_open(fd, file, read_only, true, &mapping))) return nullptr;
  }
  auto* view = new View{&self, mapping, offset, length, 0, 1, false, nullptr};
  napi_value buffer = nullptr;
  auto* bytes = static_cast<unsigned char*>(mapping->base) + offset;
  // V8 counts the bytes as if they were heap. They cannot be discounted: since Node 24 it counts them back before any
  // hook of ours, and aborts the process if that makes less than none.
  const napi_status status =
      napi_create_external_arraybuffer(self.env, bytes, length, finalize, view, &buffer);
  if (status != napi_ok) {
    mapping_close(mapping);
    delete view;
    // Electron and other runtimes with a V8 memory cage
    *failed = {EOPNOTSUPP, status == napi_no_external_buffers_allowed
                               ? "external array buffers are not allowed here"
                               : "napi_create_external_arraybuffer"};
    return nullptr;
  }
  napi_create_reference(self.env, buffer, 0, &view->buffer);
  if (self.unused.empty()) {
    view->index = static_cast<uint32_t>(self.views.size());
    self.views.push_back(view);
  } else {
    view->index = self.unused.back();
    self.unused.pop_back();
    self.views[view->index] = view;
  }
  self.by_place[{mapping, offset}] = view;
  return view;
}

void view_close(Segments& self, View* view) {
  if (--view->users > 0) return;
  view->closed = true;
  give_index_back(self, view);
  napi_value buffer = value_of(self.env, view->buffer);
  drop_reference(self.env, view);
  // Detached by somebody else, or collected: the finalizer decides when the bytes are out of use.
  if (buffer == nullptr || is_detached(self.env, buffer)) return;
  forget(self, view);
  Mapping* mapping = view->mapping;
  view->mapping = nullptr;
  napi_detach_arraybuffer(self.env, buffer);  // may finalize, and so delete, the view
  mapping_close(mapping);
}

napi_value view_buffer(Segments& self, const View* view) { return value_of(self.env, view->buffer); }

void views_abandon(Segments& self) {
  // Views that wait for their finalizer only are in no table, and have nothing left to give back.
  for (auto& [place, view] : self.by_place) {
    give_mapping_back(view);
  }
}

}  // namespace mp::node
