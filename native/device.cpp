// Which device the process computes on, what a GPU says of itself, and time by its own clock. Everything through
// libtorch's interface for any accelerator and the driver's own C functions, so that no CUDA header is needed: the same
// code is compiled against libtorch with CUDA and without.
#include "device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <array>
#include <atomic>
#include <chrono>

#include "boundary.h"
#include "exports.h"

namespace understudy {

namespace {

std::atomic<at::Device> chosen{at::Device(at::kCPU)};

at::Device cudaDevice(at::Device wanted) {
  if (!at::hasCUDA()) {
    throw std::runtime_error(at::detail::getCUDAHooks().hasCUDART() ? "no CUDA device answers libtorch"
                                                                    : "this libtorch is built without CUDA");
  }
  at::globalContext().lazyInitDevice(at::kCUDA);
  const int index = wanted.has_index() ? wanted.index() : 0, count = at::accelerator::deviceCount();
  if (index >= count) {
    throw std::runtime_error("no device cuda:" + std::to_string(index) + ", CUDA has " + std::to_string(count) +
                             ", counted from 0");
  }
  at::accelerator::setDeviceIndex(static_cast<at::DeviceIndex>(index));
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

// Before any tensor is made. Returns the device's whole name. ts: setDevice(name: string): string
Napi::Value setDevice(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    at::Device device(info[0].ToString().Utf8Value());
    if (Environment::of(info.Env()).liveTensors() > 0) throw std::runtime_error("setDevice: tensors have been made already");
    if (device.is_cuda()) device = cudaDevice(device);
    if (!c10::impl::hasDeviceGuardImpl(device.type())) throw std::runtime_error("libtorch here has no device " + device.str());
    chosen = device;
    return Napi::String::New(info.Env(), device.str());
  });
}

// The driver's C interface (cuda.h): libtorch with CUDA has loaded it. Null where a name is missing.
template <typename Function>
Function* driver(const char* name) {
  static void* library = ::dlopen("libcuda.so.1", RTLD_LAZY);
  return library ? reinterpret_cast<Function*>(::dlsym(library, name)) : nullptr;
}

std::string gpuName(int device) {
  auto* nameOf = driver<int(char*, int, int)>("cuDeviceGetName");
  std::array<char, 256> name{};
  return nameOf && nameOf(name.data(), static_cast<int>(name.size()) - 1, device) == 0 ? name.data() : "CUDA device";
}

// Compute capability, as 9.0; 0 where the driver does not say.
double gpuCapability(int device) {
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
  auto* attributeOf = driver<int(int*, int, int)>("cuDeviceGetAttribute");
  int major = 0, minor = 0;
  const bool known = attributeOf && attributeOf(&major, kMajor, device) == 0 && attributeOf(&minor, kMinor, device) == 0;
  return known ? major + minor / 10.0 : 0;
}

// Null on the CPU. ts: gpu(): NativeGpu | null
Napi::Value gpu(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto device = processDevice();
    if (!device.is_cuda()) return env.Null();
    const auto [freeBytes, totalBytes] = at::accelerator::getMemoryInfo(device.index());
    const auto allocated = at::accelerator::getDeviceStats(device.index()).allocated_bytes;
    auto result = Napi::Object::New(env);
    result.Set("name", gpuName(device.index()));
    result.Set("capability", gpuCapability(device.index()));
    result.Set("freeBytes", static_cast<double>(freeBytes));
    result.Set("totalBytes", static_cast<double>(totalBytes));
    result.Set("peakBytes", static_cast<double>(allocated[0].peak));  // 0: of all sizes of blocks
    return result;
  });
}

// How long the device works at what `body` asks of it. On a GPU calls return before their work is done: its own events
// are taken, and the last is waited for. ts: elapsedMs(body: () => void): number
Napi::Value elapsedMs(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&] {
    const auto body = info[0].As<Napi::Function>();
    const auto device = processDevice();
    if (device.is_cpu() || device.is_meta()) {
      const auto started = std::chrono::steady_clock::now();
      body.Call({});
      return Napi::Number::New(env, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count());
    }
    const auto stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
    c10::Event start(device.type(), c10::EventFlag::BACKEND_DEFAULT), end(device.type(), c10::EventFlag::BACKEND_DEFAULT);
    start.record(stream);
    body.Call({});
    end.record(stream);
    end.synchronize();
    return Napi::Number::New(env, start.elapsedTime(end));
  });
}

}  // namespace

at::Device processDevice() { return chosen; }

void registerDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("setDevice", Napi::Function::New(env, setDevice, "setDevice"));
  exports.Set("gpu", Napi::Function::New(env, gpu, "gpu"));
  exports.Set("elapsedMs", Napi::Function::New(env, elapsedMs, "elapsedMs"));
}

}  // namespace understudy
