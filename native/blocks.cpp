// Memory of large tensors. A training step frees hundreds of them and asks for the same sizes again: given back to the kernel
// each time, page faults take 15 to 20 % of the step; kept in glibc's heap, blocks of other sizes and threads lie between
// them, and a quarter of the heap is holes. So freed blocks wait here for the next of their size, whichever thread asks; once
// the room is taken, larger ones are split for those of other sizes, and joined again when their parts are free.
#include "blocks.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
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

// A range of pages that serves a tensor or waits for one.
struct Block {
  size_t size;
  uint64_t mapping; // that it is a part of: what was split is joined again
  size_t asked = 0; // by its tensor; none while it waits
  uint64_t since = 0;
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
  using Place = std::map<char*, Block>::iterator;

  c10::DataPtr get(size_t bytes) {
    if (bytes < kSmallest) return plain_->allocate(bytes);
    void* const data = take(rounded(bytes));
    TORCH_CHECK(data, "can't allocate memory: you tried to allocate ", bytes, " bytes");
    return {data, data, &Blocks::release, c10::Device(c10::DeviceType::CPU)};
  }

  void* take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t limit = limitWith(size);
    Place place = waiting(size, size);
    // Once all room is taken, a part of a larger one that waits is better than pages given back and asked for anew.
    if (place == blocks_.end() && mapped_ + size > limit) place = waiting(size, SIZE_MAX);
    if (place == blocks_.end())
      place = map(size, limit);
    else
      removeFromWaiting(place);
    if (place == blocks_.end()) return nullptr;
    split(place, size);
    place->second.asked = size;
    used_ += size;
    peak_ = std::max(peak_, used_);
    return place->first;
  }

  // What may be mapped once so much more is in use.
  size_t limitWith(size_t size) const {
    const size_t peak = std::max(peak_, used_ + size);
    return peak + peak / 8 + kSpare;
  }

  // The smallest that waits and is of such a size; of several the one whose pages were touched last.
  Place waiting(size_t least, size_t most) {
    const auto found = waiting_.lower_bound(least);
    return found == waiting_.end() || found->first > most ? blocks_.end() : blocks_.find(found->second.back());
  }

  void wait(Place place) {
    place->second.since = ++clock_;
    waiting_[place->second.size].push_back(place->first);
  }

  void removeFromWaiting(Place place) {
    const auto alike = waiting_.find(place->second.size);
    auto& all = alike->second;
    all.erase(std::find(all.begin(), all.end(), place->first));
    if (all.empty()) waiting_.erase(alike);
  }

  // What a tensor does not need waits as a block of its own, unless it is too small for any.
  void split(Place place, size_t size) {
    Block& block = place->second;
    if (block.size - size < kSmallest) return;
    wait(blocks_.emplace(place->first + size, Block{block.size - size, block.mapping}).first);
    block.size = size;
  }

  // Joins two blocks where they are neighbours of one mapping that wait.
  void join(Place left, Place right) {
    if (right == blocks_.end()) return; // nothing lies behind the last
    auto& [data, block] = *left;
    if (block.asked || right->second.asked || block.mapping != right->second.mapping) return;
    if (data + block.size != right->first) return;
    removeFromWaiting(left);
    removeFromWaiting(right);
    block.size += right->second.size;
    blocks_.erase(right);
    wait(left);
  }

  Place map(size_t size, size_t limit) {
    // Sizes that come no longer make room for those that do.
    shrink(limit > size ? limit - size : 0);
    void* data = fresh(size);
    if (data == MAP_FAILED) {
      shrink(0);
      data = fresh(size);
    }
    if (data == MAP_FAILED) return blocks_.end();
    mapped_ += size;
    return blocks_.emplace(static_cast<char*>(data), Block{size, ++mappings_}).first;
  }

  static void* fresh(size_t size) {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }

  // Gives blocks back to the kernel, those that waited longest first, until no more than so many bytes are mapped or none waits.
  void shrink(size_t most) {
    while (mapped_ > most && !waiting_.empty()) {
      Place oldest = blocks_.end();
      for (const auto& [size, all] : waiting_) {
        const Place first = blocks_.find(all.front());
        if (oldest == blocks_.end() || first->second.since < oldest->second.since) oldest = first;
      }
      munmap(oldest->first, oldest->second.size);
      mapped_ -= oldest->second.size;
      removeFromWaiting(oldest);
      blocks_.erase(oldest);
    }
  }

  static void release(void* data) {
    if (data && !instance().put(static_cast<char*>(data))) instance().plain_->raw_deleter()(data);
  }

  // False for a small one, which is not of these blocks.
  bool put(char* data) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Place place = blocks_.find(data);
    if (place == blocks_.end()) return false;
    used_ -= place->second.asked;
    place->second.asked = 0;
    wait(place);
    join(place, std::next(place));
    if (place != blocks_.begin()) join(std::prev(place), place);
    return true;
  }

  c10::Allocator* const plain_ = c10::GetDefaultCPUAllocator();
  std::mutex mutex_;
  std::map<char*, Block> blocks_;                 // in use or waiting, by address
  std::map<size_t, std::vector<char*>> waiting_;  // by size; those that have waited longest are first
  uint64_t clock_ = 0;
  uint64_t mappings_ = 0;
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
