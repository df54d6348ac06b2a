// Lists that calls about processes take: arguments, variables, descriptors.
#pragma once

#include <node_api.h>

#include <string>
#include <vector>

#include "node/args.h"

namespace mp::node {

inline std::string to_text(napi_env env, napi_value v) {
  size_t size = 0;
  napi_get_value_string_utf8(env, v, nullptr, 0, &size);
  std::string text(size, '\0');
  napi_get_value_string_utf8(env, v, text.data(), size + 1, &size);
  return text;
}

/// A list of strings as exec wants it. The pointers live as long as the object.
struct TextList {
  std::vector<std::string> texts;
  std::vector<char*> pointers;
  TextList(napi_env env, napi_value list) {
    uint32_t count = 0;
    napi_get_array_length(env, list, &count);
    for (uint32_t i = 0; i < count; ++i) {
      napi_value item;
      napi_get_element(env, list, i, &item);
      texts.push_back(to_text(env, item));
    }
    for (auto& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
  }
};

inline std::vector<int> to_fds(napi_env env, napi_value list) {
  uint32_t count = 0;
  napi_get_array_length(env, list, &count);
  std::vector<int> fds;
  for (uint32_t i = 0; i < count; ++i) {
    napi_value fd;
    napi_get_element(env, list, i, &fd);
    fds.push_back(to_int32(env, fd));
  }
  return fds;
}

}  // namespace mp::node
