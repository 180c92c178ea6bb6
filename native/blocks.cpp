// Memory of large tensors. A training step frees hundreds of them and asks for the same sizes again: given back to the kernel
// each time, page faults take 15 to 20 % of the step; kept in glibc's heap, blocks of other sizes and threads lie between
// them, and a quarter of the heap is holes. So freed blocks wait here for the next of their size, whichever thread asks.
#include "blocks.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace headrace {

#if defined(__linux__)
namespace {

constexpr size_t kPage = 4096;
// Below, the C library's allocator does well.
constexpr size_t kSmallest = 64 << 10;
// What is kept beyond the most that was ever in use: a ninth of it, and this.
constexpr size_t kSpare = 32 << 20;

// Sizes are rounded up to an eighth of a power of two, so that sizes that are nearly the same share their blocks.
size_t rounded(size_t bytes) {
  size_t step = kPage;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

struct Free {
  void* data;
  uint64_t since;
};

class Blocks final : public c10::Allocator {
 public:
  // Constant in libtorch 1.13, no longer so in 2.x.
  c10::DataPtr allocate(size_t bytes) const { return const_cast<Blocks*>(this)->get(bytes); }
  c10::DataPtr allocate(size_t bytes) { return get(bytes); }
  c10::DeleterFnPtr raw_deleter() const { return &Blocks::release; }
  void copy_data(void* to, const void* from, size_t count) const { std::memcpy(to, from, count); }

  static Blocks& instance() {
    static Blocks* const blocks = new Blocks(); // tensors may be freed after all destructors
    return *blocks;
  }

  BlockStatistics statistics() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {used_, mapped_, peak_};
  }

  void giveBack() {
    const std::lock_guard<std::mutex> lock(mutex_);
    shrink(0);
  }

 private:
  struct Block {
    void* data;
    size_t size;
    size_t asked; // what it is used for: less than its size where a larger one serves
  };

  c10::DataPtr get(size_t bytes) {
    if (bytes < kSmallest) return plain_->allocate(bytes);
    void* const data = take(rounded(bytes));
    TORCH_CHECK(data, "can't allocate memory: you tried to allocate ", bytes, " bytes");
    return {data, data, &Blocks::release, c10::Device(c10::DeviceType::CPU)};
  }

  void* take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t limit = limitWith(size);
    Block block = reuse(size, size);
    // Batches of ever other lengths need blocks of ever other sizes: a larger one that waits is better than its pages given back.
    if (!block.data && mapped_ + size > limit) block = reuse(size, 2 * size);
    if (!block.data) block = map(size, limit);
    if (!block.data) return nullptr;
    used_ += size;
    peak_ = std::max(peak_, used_);
    in_use_[block.data] = block;
    return block.data;
  }

  // What may be mapped once so much more is in use.
  size_t limitWith(size_t size) const {
    const size_t peak = std::max(peak_, used_ + size);
    return peak + peak / 8 + kSpare;
  }

  // The smallest that waits and is of such a size.
  Block reuse(size_t size, size_t most) {
    for (auto found = kept_of_.lower_bound(size); found != kept_of_.end() && found->first <= most; ++found) {
      if (found->second.empty()) continue;
      void* const data = found->second.back().data; // the one whose pages were touched last
      found->second.pop_back();
      return {data, found->first, size};
    }
    return {nullptr, 0, 0};
  }

  Block map(size_t size, size_t limit) {
    // Sizes that come no longer make room for those that do.
    shrink(limit > size ? limit - size : 0);
    void* data = fresh(size);
    if (data == MAP_FAILED) {
      shrink(0);
      data = fresh(size);
    }
    if (data == MAP_FAILED) return {nullptr, 0, 0};
    mapped_ += size;
    return {data, size, size};
  }

  static void* fresh(size_t size) {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }

  // Gives blocks back to the kernel, those that waited longest first, until no more than so many bytes are mapped or none waits.
  void shrink(size_t most) {
    while (mapped_ > most) {
      auto oldest = kept_of_.end();
      for (auto each = kept_of_.begin(); each != kept_of_.end(); ++each) {
        if (each->second.empty()) continue;
        if (oldest == kept_of_.end() || each->second.front().since < oldest->second.front().since) oldest = each;
      }
      if (oldest == kept_of_.end()) return;
      munmap(oldest->second.front().data, oldest->first);
      oldest->second.erase(oldest->second.begin());
      mapped_ -= oldest->first;
    }
  }

  static void release(void* data) {
    if (data && !instance().put(data)) instance().plain_->raw_deleter()(data);
  }

  // False for a small one, which is not of these blocks.
  bool put(void* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = in_use_.find(data);
    if (found == in_use_.end()) return false;
    const Block block = found->second;
    used_ -= block.asked;
    kept_of_[block.size].push_back({data, ++clock_});
    in_use_.erase(found);
    return true;
  }

  c10::Allocator* const plain_ = c10::GetDefaultCPUAllocator();
  std::mutex mutex_;
  std::unordered_map<void*, Block> in_use_;
  std::map<size_t, std::vector<Free>> kept_of_;   // by size; those that have waited longest are first
  uint64_t clock_ = 0;
  size_t used_ = 0;   // asked for
  size_t mapped_ = 0; // in use or waiting
  size_t peak_ = 0;
};

} // namespace

bool keepBlocks() {
  c10::SetCPUAllocator(&Blocks::instance());
  return true;
}

BlockStatistics blockStatistics() { return Blocks::instance().statistics(); }

void giveBackBlocks() { Blocks::instance().giveBack(); }
#else
bool keepBlocks() { return false; }
BlockStatistics blockStatistics() { return {}; }
void giveBackBlocks() {}
#endif

} // namespace headrace
