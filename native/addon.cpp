// Registration. What is exported is declared, name by name, in src/native/addon.ts; scripts/check-signatures.mjs
// holds the `ts:` comments here against it.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>
#include <ATen/cpu/Utils.h>

#include "boundary.h"
#include "device.h"
#include "exports.h"

namespace understudy {

namespace {

// ts: setThreads(count: number): void
Napi::Value setThreads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    at::set_num_threads(static_cast<int>(info[0].ToNumber().Int32Value()));
    return info.Env().Undefined();
  });
}

// Same bits for the same input, whatever it costs. ts: setDeterministic(on: boolean): void
Napi::Value setDeterministic(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    at::globalContext().setDeterministicAlgorithms(info[0].ToBoolean().Value(), /*warn_only=*/false);
    // No kernel of libtorch or ours reads what it has not written.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
    return info.Env().Undefined();
  });
}

// ts: machine(): NativeMachine
Napi::Value machine(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&] {
    auto result = Napi::Object::New(env);
    result.Set("torchVersion", TORCH_VERSION);
    result.Set("threads", at::get_num_threads());
    result.Set("cpuCapability", at::get_cpu_capability());
    result.Set("builtForCuda", at::detail::getCUDAHooks().hasCUDART());
    result.Set("cuda", at::hasCUDA());
    result.Set("device", processDevice().str());
    auto features = Napi::Array::New(env);
    for (const auto& [name, value] : at::cpu::get_cpu_capabilities()) {
      if (value.isBool() && value.toBool()) features.Set(features.Length(), Napi::String::New(env, name));
    }
    result.Set("cpuFeatures", features);
    return result;
  });
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<Environment>(new Environment(env));
  registerOperators(env, exports);
  registerTensors(env, exports);
  registerAutograd(env, exports);
  registerFiles(env, exports);
  registerDevice(env, exports);
  exports.Set("setThreads", Napi::Function::New(env, setThreads, "setThreads"));
  exports.Set("setDeterministic", Napi::Function::New(env, setDeterministic, "setDeterministic"));
  exports.Set("machine", Napi::Function::New(env, machine, "machine"));
  return exports;
}

NODE_API_MODULE(understudy, initialize)

}  // namespace

}  // namespace understudy
