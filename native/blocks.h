// The allocator of large tensors on the CPU, for the whole process.
#pragma once

#include <cstddef>

namespace headrace {

struct BlockStatistics {
  size_t used = 0;
  size_t reserved = 0; // in use or kept for the next tensor
  size_t peak = 0;     // the most that was in use at once
};

// From now on libtorch's tensors get their memory here. False where that cannot be: on Linux alone.
bool keepBlocks();
BlockStatistics blockStatistics();
void giveBackBlocks();

} // namespace headrace
