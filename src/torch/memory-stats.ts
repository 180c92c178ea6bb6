/** The memory of large tensors: freed blocks are kept for the next tensor of their size (native/blocks.cpp). */
import { type MemoryStats, native } from './native.js';

/**
 * How much memory tensors on the CPU have: what PyTorch tells of a GPU as `memory_allocated`, `memory_reserved` and
 * `max_memory_allocated`. All zero where the allocator was left alone (`HEADRACE_MALLOC=system`, or a system but Linux).
 */
export function memoryStats(): MemoryStats {
  return native.memoryStats();
}

/** Gives memory that was freed and kept back to the system, as PyTorch's `empty_cache` does on a GPU. */
export function emptyCache(): void {
  native.emptyCache();
}
