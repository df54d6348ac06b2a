// The named segments this process has mapped: one mapping for each, shared by all its threads.
#pragma once

#include "platform/platform.h"

namespace mp::node {

struct Mapping {
  platform::FileFacts file;  // device, inode and the size that is mapped
  bool read_only;
  void* base;
  uint32_t guard;
  uint32_t users;
};

/// The mapping of the file behind `fd`; counts one more user. `fresh`: a new one, even if there is one.
platform::Failure mapping_open(int fd, const platform::FileFacts& file, bool read_only, bool fresh,
                               Mapping** out);
/// One user less; the last one unmaps.
void mapping_close(Mapping* mapping);
uint32_t mapping_count();

}  // namespace mp::node
