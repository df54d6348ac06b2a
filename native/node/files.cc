// Descriptors for TypeScript: the letter between a parent and its child, doorbells, pipes.
#include <node_api.h>
#include <uv.h>

#include "node/args.h"

namespace mp::node {
namespace {

using platform::Failure;

struct Bytes {
  void* data = nullptr;
  size_t size = 0;
  Bytes(napi_env env, napi_value v) { napi_get_buffer_info(env, v, &data, &size); }
};

napi_value file_create(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  char label[64] = "";
  napi_get_value_string_utf8(env, args[0], label, sizeof label, nullptr);
  int fd = -1;
  if (Failure f = platform::memory_file(label, &fd)) return throw_failure(env, f);
  return int32(env, fd);
}

/// fileRead(fd, buffer, offset): fills the buffer, or throws EIO.
napi_value file_read(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const Bytes bytes(env, args[1]);
  const auto offset = static_cast<size_t>(to_int64(env, args[2]));
  if (Failure f = platform::file_read_at(to_int32(env, args[0]), bytes.data, bytes.size, offset)) {
    return throw_failure(env, f);
  }
  return nullptr;
}

napi_value file_write(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  const Bytes bytes(env, args[1]);
  const auto offset = static_cast<size_t>(to_int64(env, args[2]));
  if (Failure f = platform::file_write_at(to_int32(env, args[0]), bytes.data, bytes.size, offset)) {
    return throw_failure(env, f);
  }
  return nullptr;
}

napi_value file_resize(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  if (Failure f =
          platform::file_resize(to_int32(env, args[0]), static_cast<size_t>(to_int64(env, args[1])))) {
    return throw_failure(env, f);
  }
  return nullptr;
}

napi_value file_size(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  size_t size = 0;
  if (Failure f = platform::memory_size(to_int32(env, args[0]), &size)) return throw_failure(env, f);
  return number(env, static_cast<double>(size));
}

napi_value bell_create(napi_env env, napi_callback_info) {
  int fd = -1;
  if (Failure f = platform::doorbell_create(&fd)) return throw_failure(env, f);
  return int32(env, fd);
}

napi_value bell_ring(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::doorbell_ring(to_int32(env, args[0]));
  return nullptr;
}

/// pipeCreate(): [readEnd, writeEnd].
napi_value pipe_create(napi_env env, napi_callback_info) {
  int ends[2];
  if (Failure f = platform::pipe_create(&ends[0], &ends[1])) return throw_failure(env, f);
  napi_value list;
  napi_create_array_with_length(env, 2, &list);
  for (uint32_t i = 0; i < 2; ++i) napi_set_element(env, list, i, int32(env, ends[i]));
  return list;
}

/// pipeOffer(childReads): [the child's end, the name of the other].
napi_value pipe_offer(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int end;
  char name[platform::kPipeNameMax];
  if (Failure f = platform::pipe_offer(to_bool(env, args[0]), &end, name)) return throw_failure(env, f);
  napi_value list;
  napi_create_array_with_length(env, 2, &list);
  napi_set_element(env, list, 0, int32(env, end));
  napi_set_element(env, list, 1, string(env, name));
  return list;
}

/// fdOfNode(fd): our number for a descriptor of Node's.
napi_value fd_of_node(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return int32(env, platform::descriptor_of((intptr_t)uv_get_osfhandle(to_int32(env, args[0]))));
}

napi_value fd_close(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::close_fd(to_int32(env, args[0]));
  return nullptr;
}

/// fdPrivate(fd): not for programs this process starts.
napi_value fd_private(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (Failure f = platform::close_on_exec(to_int32(env, args[0]))) return throw_failure(env, f);
  return nullptr;
}

/// fdAwaitSpace(fd)
napi_value fd_await_space(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  platform::await_space(to_int32(env, args[0]));
  return nullptr;
}

/// fdMove(fd, to)
napi_value fd_move(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  if (Failure f = platform::move_fd(to_int32(env, args[0]), to_int32(env, args[1])))
    return throw_failure(env, f);
  return nullptr;
}

}  // namespace

void init_files(napi_env env, napi_value exports) {
  add_function(env, exports, "fileCreate", file_create);
  add_function(env, exports, "fileRead", file_read);
  add_function(env, exports, "fileWrite", file_write);
  add_function(env, exports, "fileResize", file_resize);
  add_function(env, exports, "fileSize", file_size);
  add_function(env, exports, "bellCreate", bell_create);
  add_function(env, exports, "bellRing", bell_ring);
  add_function(env, exports, "pipeCreate", pipe_create);
  add_function(env, exports, "pipeOffer", pipe_offer);
  add_function(env, exports, "fdOfNode", fd_of_node);
  add_function(env, exports, "fdClose", fd_close);
  add_function(env, exports, "fdPrivate", fd_private);
  add_function(env, exports, "fdAwaitSpace", fd_await_space);
  add_function(env, exports, "fdMove", fd_move);
}

}  // namespace mp::node
