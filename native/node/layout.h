#pragma once

#include <napi.h>

namespace mp::node {

/// Offsets, sizes and kinds, by name.
Napi::Object shared_layout(Napi::Env env);

}  // namespace mp::node
