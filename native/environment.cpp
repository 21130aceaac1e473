#include "environment.h"

#include <atomic>
#include <stdexcept>

namespace understudy {

namespace {
constexpr uint64_t kIndexBits = 24, kGenerationBits = 20, kEnvironmentBits = 8;
constexpr uint64_t mask(uint64_t bits) { return (uint64_t{1} << bits) - 1; }
std::atomic<uint64_t> environments{0};
// Telling V8 of every small tensor costs more than it is worth.
constexpr int64_t kReportBytes = 4 << 20;
}  // namespace

Environment::Environment(Napi::Env env) : env_(env), id_((++environments) & mask(kEnvironmentBits)) {}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::account(int64_t delta, const at::Tensor& tensor) {
  bytes_ += delta;
  // V8 collects garbage when it hears of much memory; a GPU's says nothing about what this process has.
  if (!tensor.device().is_cpu()) return;
  unreported_ += delta;
  if (unreported_ > kReportBytes || unreported_ < -kReportBytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env_, unreported_);
    unreported_ = 0;
  }
}

double Environment::keep(at::Tensor tensor) {
  TORCH_CHECK(tensor.defined(), "an undefined tensor cannot cross to JavaScript");
  uint32_t index;
  if (free_.empty()) {
    TORCH_CHECK(slots_.size() < mask(kIndexBits), "more than 16 million live tensors: a leak");
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.front();
    free_.pop_front();
  }
  if (tensor.has_storage()) {
    auto& storage = storages_[tensor.storage().unsafeGetStorageImpl()];
    if (storage.handles++ == 0) {
      storage.bytes = static_cast<int64_t>(tensor.storage().nbytes());
      account(storage.bytes, tensor);
    }
  }
  Slot& slot = slots_[index];
  slot.tensor = std::move(tensor);
  slot.live = true;
  ++live_;
  const uint64_t handle =
      index | (uint64_t{slot.generation} << kIndexBits) | (id_ << (kIndexBits + kGenerationBits));
  return static_cast<double>(handle);
}

const Environment::Slot& Environment::slot(double handle) const {
  if (!(handle >= 0) || handle > 9007199254740991.0) throw std::runtime_error("expected a tensor, got something else");
  const auto bits = static_cast<uint64_t>(handle);
  const uint64_t index = bits & mask(kIndexBits);
  const uint64_t generation = (bits >> kIndexBits) & mask(kGenerationBits);
  const uint64_t environment = bits >> (kIndexBits + kGenerationBits);
  if (environment != id_) {
    throw std::runtime_error(environment == 0 ? "expected a tensor, got a plain number"
                                              : "this tensor belongs to another thread's environment");
  }
  if (index >= slots_.size() || !slots_[index].live || slots_[index].generation != generation) {
    throw std::runtime_error("this tensor was released; use it before its scope ends, or return it from the scope");
  }
  return slots_[index];
}

const at::Tensor& Environment::tensor(double handle) const { return slot(handle).tensor; }

void Environment::release(double handle) {
  Slot& freed = const_cast<Slot&>(slot(handle));
  if (freed.tensor.has_storage()) {
    auto found = storages_.find(freed.tensor.storage().unsafeGetStorageImpl());
    if (found != storages_.end() && --found->second.handles == 0) {
      account(-found->second.bytes, freed.tensor);
      storages_.erase(found);
    }
  }
  freed.tensor = at::Tensor();
  freed.live = false;
  --live_;
  // A slot whose generations are used up is retired: no handle ever becomes valid again.
  if (++freed.generation < mask(kGenerationBits)) {
    free_.push_back(static_cast<uint32_t>(&freed - slots_.data()));
  }
}

double Environment::keepFile(std::shared_ptr<void> file, size_t bytes) {
  files_.emplace(nextFile_, std::make_pair(std::move(file), bytes));
  return static_cast<double>(nextFile_++);
}

std::pair<std::shared_ptr<void>, size_t> Environment::file(double handle) const {
  auto found = files_.find(static_cast<uint64_t>(handle));
  if (found == files_.end()) throw std::runtime_error("this mapped file was closed");
  return found->second;
}

void Environment::releaseFile(double handle) { files_.erase(static_cast<uint64_t>(handle)); }

}  // namespace understudy
