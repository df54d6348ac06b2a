// Creating named segments: here and now, or with the reserving done by a native thread (0.24 s per GiB).
#include <cerrno>

#include "node/args.h"
#include "node/segments.h"

namespace mp::node {

/// One creation in the background. Made and deleted on the JavaScript thread.
struct Job {
  Segments* owner;
  SegmentRequest request;
  Publish how = Publish::exclusive;
  platform::FileFacts stale;
  std::atomic<bool> stop{false};
  BuiltSegment built;
  platform::Failure failed;
  platform::Thread thread;
  napi_threadsafe_function finished = nullptr;
};

namespace {

napi_value failure_value(napi_env env, platform::Failure failed) {
  throw_failure(env, failed);
  napi_value error;
  napi_get_and_clear_last_exception(env, &error);
  return error;
}

/// Maps what was built, makes its buffer and only then gives it its name: whoever fails leaves nothing.
napi_value publish(Segments& self, const SegmentRequest& request, Publish how,
                   const platform::FileFacts& stale, BuiltSegment* built, platform::Failure* failed) {
  const size_t offset = request.kind == 0 ? 0 : kPage;
  const size_t length = built->facts.size - offset;
  View* view = view_open(self, built->file.fd, built->facts, false, offset, length, failed);
  if (view != nullptr && (*failed = segment_publish(request, how, stale, built))) {
    view_close(self, view);
    view = nullptr;
  }
  napi_value opened = view == nullptr ? nullptr : opened_segment(self, view, built->facts, built->header);
  platform::named_discard(&built->file);  // named by now, so this closes the descriptor
  return opened;
}

struct Stale {
  Publish how = Publish::exclusive;
  platform::FileFacts file;
};
/// how: 'error', 'replace', or { device, inode } of a file to be replaced.
Stale publish_how(napi_env env, napi_value v) {
  Stale stale;
  napi_valuetype type;
  napi_typeof(env, v, &type);
  if (type == napi_object) {
    napi_value field;
    bool lossless;
    stale.how = Publish::replace_stale;
    napi_get_named_property(env, v, "device", &field);
    napi_get_value_bigint_uint64(env, field, &stale.file.device, &lossless);
    napi_get_named_property(env, v, "inode", &field);
    napi_get_value_bigint_uint64(env, field, &stale.file.inode, &lossless);
  } else {
    char text[16] = "";
    napi_get_value_string_utf8(env, v, text, sizeof text, nullptr);
    if (strcmp(text, "replace") == 0) stale.how = Publish::replace;
  }
  return stale;
}

/// createSegment(request, how) → opened
napi_value create_segment(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  auto& self = *static_cast<Segments*>(args.data);
  const SegmentRequest request = segment_request(env, args[0]);
  const Stale how = publish_how(env, args[1]);
  const std::atomic<bool> stop{false};
  BuiltSegment built;
  if (platform::Failure failed = segment_build(request, how.how, stop, &built))
    return throw_failure(env, failed);
  platform::Failure failed;
  napi_value opened = publish(self, request, how.how, how.file, &built, &failed);
  return failed ? throw_failure(env, failed) : opened;
}

/// On the JavaScript thread; env is null when the environment ended first.
void tell(napi_env env, napi_value done, void*, void* data) {
  auto* job = static_cast<Job*>(data);
  if (env == nullptr) return;  // jobs_stop() has it
  platform::thread_join(job->thread);
  job->owner->jobs.erase(job);
  napi_value argv[2] = {null(env), null(env)};
  platform::Failure failed = job->failed;
  if (!failed) {
    napi_value opened = publish(*job->owner, job->request, job->how, job->stale, &job->built, &failed);
    if (!failed) argv[1] = opened;
  }
  if (failed) argv[0] = failure_value(env, failed);
  napi_release_threadsafe_function(job->finished, napi_tsfn_release);
  delete job;
  napi_value undefined, result;
  napi_get_undefined(env, &undefined);
  napi_call_function(env, undefined, done, 2, argv, &result);
}

void build_in_background(void* data) {
  auto* job = static_cast<Job*>(data);
  job->failed = segment_build(job->request, job->how, job->stop, &job->built);
  // napi_closing: the environment is ending, and jobs_stop() waits for this thread. Nothing more is to be done here.
  napi_call_threadsafe_function(job->finished, job, napi_tsfn_blocking);
}

/// createSegmentLater(request, how, done(error | null, opened))
napi_value create_segment_later(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  auto& self = *static_cast<Segments*>(args.data);
  auto* job = new Job;
  job->owner = &self;
  job->request = segment_request(env, args[0]);
  const Stale how = publish_how(env, args[1]);
  job->how = how.how;
  job->stale = how.file;
  napi_value name = string(env, "multiproc.createSegment");
  // One count for the thread, which the JavaScript side gives back: the thread may be gone by then.
  if (napi_create_threadsafe_function(env, args[2], nullptr, name, 0, 1, nullptr, nullptr, nullptr, tell,
                                      &job->finished) != napi_ok) {
    delete job;
    return throw_failure(env, {ENOMEM, "napi_create_threadsafe_function"});
  }
  self.jobs.insert(job);
  if (auto failed = platform::thread_start("mp-reserve", build_in_background, job, &job->thread)) {
    self.jobs.erase(job);
    napi_release_threadsafe_function(job->finished, napi_tsfn_abort);
    delete job;
    return throw_failure(env, failed);
  }
  return nullptr;
}

}  // namespace

void jobs_stop(Segments& self) {
  for (Job* job : self.jobs) job->stop.store(true, std::memory_order_relaxed);
  for (Job* job : self.jobs) {
    platform::thread_join(job->thread);
    if (!job->failed) platform::named_discard(&job->built.file);
    delete job;
  }
  self.jobs.clear();
}

void init_create_segment(Segments* self, napi_value exports) {
  add_function(self->env, exports, "createSegment", create_segment, self);
  add_function(self->env, exports, "createSegmentLater", create_segment_later, self);
}

}  // namespace mp::node
