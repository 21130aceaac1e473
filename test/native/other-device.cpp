// For tests: a device that is not the CPU and has values, so that what a GPU will do can be run where there is none. Its
// memory is the CPU's, its arithmetic too: every operator is handed on to the CPU's, over the same memory. What would fail
// on a GPU fails here: an operator that gets tensors of both devices, and a kernel of ours, which knows the CPU alone.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <napi.h>
#include <torch/library.h>

#include <chrono>

namespace {

constexpr auto kOther = c10::DeviceType::PrivateUse1;
const c10::Device theDevice(kOther, 0);

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    auto data = c10::GetAllocator(c10::DeviceType::CPU)->allocate(bytes);
    data.unsafe_set_device(theDevice);
    return data;
  }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};
Memory memory;

using Clock = std::chrono::steady_clock;

// One device, one stream, events that are moments of the clock.
struct Guard final : c10::impl::NoOpDeviceGuardImpl<kOther> {
  c10::Device exchangeDevice(c10::Device) const override { return theDevice; }
  c10::Device getDevice() const override { return theDevice; }
  c10::Stream getStream(c10::Device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, theDevice); }
  void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
    *event = new Clock::time_point(Clock::now());
  }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<Clock::time_point*>(event); }
  void synchronizeEvent(void*) const override {}
  bool queryEvent(void*) const override { return true; }
  double elapsedTime(void* from, void* to, c10::DeviceIndex) const override {
    const auto passed = *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
    return std::chrono::duration<double, std::milli>(passed).count();
  }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

// Autograd asks these of every device that is not the CPU.
struct Hooks final : at::PrivateUse1HooksInterface {
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};
Hooks hooks;

const bool isRegistered = [] {
  c10::register_privateuse1_backend("other");
  c10::SetAllocator(kOther, &memory);
  at::RegisterPrivateUse1HooksInterface(&hooks);
  return true;
}();

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, kKeys, dtype.value_or(at::kFloat), format);
}

at::Tensor emptyStrided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                        std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, kKeys, dtype.value_or(at::kFloat));
}

// The same memory as a tensor on the CPU; for an empty one memory that an operator may make larger.
at::Tensor onCpu(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.is_cpu()) return tensor;
  if (tensor.numel() == 0) return at::empty(tensor.sizes(), at::TensorOptions(tensor.scalar_type()));
  return at::from_blob(const_cast<void*>(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(),
                       at::TensorOptions(tensor.scalar_type()));
}

at::Tensor copyFrom(const at::Tensor& from, const at::Tensor& to, bool) {
  onCpu(to).copy_(onCpu(from));
  return to;
}

at::Tensor copied(const at::Tensor& cpu) {
  auto tensor = emptyStrided(cpu.sizes(), cpu.strides(), cpu.scalar_type(), {}, {}, {});
  onCpu(tensor).copy_(cpu);
  return tensor;
}

// On the CPU. Results that are arguments are given back as these, new ones as tensors of this device.
void handOn(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  TORCH_CHECK(schema.name().rfind("understudy::", 0) != 0, schema.name(), ": a kernel for the CPU was called for device other");
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
  const auto swap = [&](const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    TORCH_CHECK(!tensor.is_cpu() || tensor.dim() == 0, schema.name(), ": expected all tensors on device other, got one on the CPU");
    pairs.emplace_back(tensor, onCpu(tensor));
    return pairs.back().second;
  };
  for (auto& value : torch::jit::last(*stack, schema.arguments().size())) {
    auto& slot = const_cast<c10::IValue&>(value);
    if (slot.isTensor()) {
      slot = swap(slot.toTensor());
    } else if (slot.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& tensor : slot.toTensorVector()) list.push_back(swap(tensor));
      slot = list;
    } else if (slot.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> list;
      for (const std::optional<at::Tensor> tensor : slot.toOptionalTensorList()) {
        list.push_back(tensor ? std::optional(swap(*tensor)) : std::nullopt);
      }
      slot = list;
    }
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  for (const auto& [own, cpu] : pairs) {
    if (own.is_cpu() || own.sizes() == cpu.sizes()) continue;
    auto* grown = own.unsafeGetTensorImpl();
    grown->set_storage_keep_dtype(copied(cpu).storage());
    grown->set_sizes_and_strides(cpu.sizes(), cpu.strides());
  }
  const auto swapBack = [&](const at::Tensor& result) {
    if (!result.defined()) return result;
    for (const auto& [own, cpu] : pairs) {
      if (result.is_same(cpu)) return own;
    }
    return copied(result);
  };
  for (auto& value : torch::jit::last(*stack, schema.returns().size())) {
    auto& slot = const_cast<c10::IValue&>(value);
    if (slot.isTensor()) slot = swapBack(slot.toTensor());
  }
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&handOn>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", emptyStrided);
  library.impl("_copy_from", copyFrom);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}

// Loading it is all: what it registers is libtorch's.
Napi::Object initialize(Napi::Env, Napi::Object exports) { return exports; }
NODE_API_MODULE(other_device, initialize)

}  // namespace
