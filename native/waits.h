// Waits for other ranks that always end: by what they wait for, by their time-out, or because somebody breaks them off.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <condition_variable>
#include <vector>

#include "common.h"

namespace headrace {

// Once tripped, all waits that look at it end, with its code and text; later ones do not begin.
class Breaker {
 public:
  // The first reason stays.
  void trip(const char* code, const std::string& text);
  bool tripped() const;
  // Throws the reason, if there is one.
  void check() const;

 private:
  mutable std::mutex mutex_;
  const char* code_ = nullptr;
  std::string text_;
};

class Pulse;

// What a thread that waits for another rank is broken off by.
struct Limits {
  double timeoutMs;
  std::vector<const Breaker*> breakers;
  Pulse* pulse = nullptr; // hears why a rank went; none where the connection is made anew, and why it was lost does not matter
};

// While it lives, `wake` is called, again and again, once the time is over or a breaker tripped; from a thread of its own.
// Gloo's own time-outs would close all connections of the group. Time is counted in short slices, so that however long the
// process was suspended counts as one.
class Wait {
 public:
  Wait(const Limits& limits, std::function<void()> wake);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  bool late() const;

 private:
  friend class Ticker;
  const Limits& limits_;
  const std::function<void()> wake_;
  double leftMs_;
};

// Called with the milliseconds since the last time (at most a slice's), until it returns false.
void everyTick(std::function<bool(double)> call);

std::string seconds(double ms);

// Runs `body` on a thread of its own, for calls of libtorch that may never return. It is given up when the time is over; so it
// must own all that it touches. False where it was given up. Throws a breaker's reason.
bool withinTime(double timeoutMs, std::function<void()> body, const std::vector<const Breaker*>& breakers = {});

} // namespace headrace
