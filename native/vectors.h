// Loops over numbers that exist for several widths of vectors: the addon is compiled for any x86-64; these loops alone
// exist for wider vectors too, chosen when it is loaded. They give the same numbers in each, as the build forbids fused
// multiply-adds.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define HEADRACE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HEADRACE_VECTORS
#endif

// For what such a loop calls: as a function of its own it would be compiled for any processor.
#if defined(__GNUC__)
#define HEADRACE_INLINE inline __attribute__((always_inline))
#else
#define HEADRACE_INLINE inline
#endif
