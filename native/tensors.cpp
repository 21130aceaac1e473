// Tensors in, out and gone.
#include <cstring>

#include "boundary.h"
#include "device.h"
#include "exports.h"

namespace understudy {

namespace {

const at::Tensor& tensorAt(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsNumber()) throw std::runtime_error("expected a tensor");
  return Environment::of(info.Env()).tensor(info[index].As<Napi::Number>().DoubleValue());
}

// Copies, to the process's device. ts: fromBytes(bytes: Uint8Array, dtype: string, shape: readonly number[]): number
Napi::Value fromBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (!info[0].IsTypedArray()) throw std::runtime_error("fromBytes: expected a Uint8Array");
    const auto bytes = info[0].As<Napi::Uint8Array>();
    auto tensor = at::empty(shapeOf(info[2]), at::TensorOptions(dtypeOf(info[1].ToString().Utf8Value())));
    if (tensor.nbytes() != bytes.ByteLength()) {
      throw std::runtime_error("fromBytes: expected " + std::to_string(tensor.nbytes()) + " bytes, got " +
                               std::to_string(bytes.ByteLength()));
    }
    if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), bytes.Data(), tensor.nbytes());
    return Napi::Number::New(info.Env(), Environment::of(info.Env()).keep(tensor.to(processDevice())));
  });
}

// Copies, from any device. ts: toBytes(tensor: number): Uint8Array
Napi::Value toBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto tensor = tensorAt(info, 0).detach().to(at::kCPU).contiguous();
    auto bytes = Napi::Uint8Array::New(info.Env(), tensor.nbytes());
    if (tensor.nbytes() > 0) std::memcpy(bytes.Data(), tensor.const_data_ptr(), tensor.nbytes());
    return bytes;
  });
}

// ts: shape(tensor: number): number[]
Napi::Value shape(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto sizes = tensorAt(info, 0).sizes();
    auto array = Napi::Array::New(info.Env(), sizes.size());
    for (uint32_t i = 0; i < sizes.size(); ++i) array.Set(i, Napi::Number::New(info.Env(), static_cast<double>(sizes[i])));
    return array;
  });
}

// ts: dtype(tensor: number): string
Napi::Value dtype(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), nameOf(tensorAt(info, 0).scalar_type())); });
}

// ts: device(tensor: number): string
Napi::Value device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), tensorAt(info, 0).device().str()); });
}

// ts: release(tensor: number): void
Napi::Value release(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (!info[0].IsNumber()) throw std::runtime_error("expected a tensor");
    Environment::of(info.Env()).release(info[0].As<Napi::Number>().DoubleValue());
    return info.Env().Undefined();
  });
}

// ts: liveTensors(): number
Napi::Value liveTensors(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Environment::of(info.Env()).liveTensors()));
}

// Bytes of the distinct storages behind live handles. ts: liveBytes(): number
Napi::Value liveBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Environment::of(info.Env()).liveBytes()));
}

}  // namespace

void registerTensors(Napi::Env env, Napi::Object exports) {
  exports.Set("fromBytes", Napi::Function::New(env, fromBytes, "fromBytes"));
  exports.Set("toBytes", Napi::Function::New(env, toBytes, "toBytes"));
  exports.Set("shape", Napi::Function::New(env, shape, "shape"));
  exports.Set("dtype", Napi::Function::New(env, dtype, "dtype"));
  exports.Set("device", Napi::Function::New(env, device, "device"));
  exports.Set("release", Napi::Function::New(env, release, "release"));
  exports.Set("liveTensors", Napi::Function::New(env, liveTensors, "liveTensors"));
  exports.Set("liveBytes", Napi::Function::New(env, liveBytes, "liveBytes"));
}

}  // namespace understudy
