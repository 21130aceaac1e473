// State of one Node environment (the main thread, or one worker): a table of live tensors and of mapped files.
//
// Tensors cross to JavaScript as numbers, not objects: a call costs no allocation there. A handle carries
//   index (24 bits) | generation (20 bits) | environment (8 bits)
// so that a handle that was released, or belongs to another environment, is found out and throws. Nothing here is
// shared between environments, and an environment is used by its own thread only.
#pragma once

#include <napi.h>
#include <ATen/ATen.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace understudy {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Takes ownership of one reference; the result is a number JavaScript holds.
  double keep(at::Tensor tensor);
  // Throws std::runtime_error for a released or foreign handle.
  const at::Tensor& tensor(double handle) const;
  void release(double handle);

  size_t liveTensors() const { return live_; }
  // Bytes of the distinct storages behind live handles.
  int64_t liveBytes() const { return bytes_; }

  double keepFile(std::shared_ptr<void> file, size_t bytes);
  std::pair<std::shared_ptr<void>, size_t> file(double handle) const;
  void releaseFile(double handle);

 private:
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 0;
    bool live = false;
  };
  struct Storage {
    size_t handles = 0;
    int64_t bytes = 0;
  };
  const Slot& slot(double handle) const;
  void account(int64_t delta, const at::Tensor& tensor);

  Napi::Env env_;
  uint64_t id_;
  std::vector<Slot> slots_;
  std::deque<uint32_t> free_;  // first in, first out: a slot rests as long as possible before it is used again
  std::unordered_map<const void*, Storage> storages_;
  std::unordered_map<uint64_t, std::pair<std::shared_ptr<void>, size_t>> files_;
  uint64_t nextFile_ = 1;
  size_t live_ = 0;
  int64_t bytes_ = 0;
  int64_t unreported_ = 0;
};

}  // namespace understudy
