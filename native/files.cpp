// Files mapped into memory, and tensors that look into them. Nothing is read until it is touched. The mapping is
// private and writable: an in-place operator on such a tensor changes this process's copy, never the file.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "boundary.h"
#include "device.h"
#include "exports.h"

namespace understudy {

namespace {

// ts: mapFile(path: string): number
Napi::Value mapFile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto path = info[0].ToString().Utf8Value();
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
    struct stat status {};
    const bool known = ::fstat(file, &status) == 0;
    const auto bytes = static_cast<size_t>(status.st_size);
    void* start = known && bytes > 0 ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0) : MAP_FAILED;
    const int reason = errno;
    ::close(file);
    if (start == MAP_FAILED) {
      throw std::runtime_error(path + ": cannot be mapped: " + (bytes == 0 ? "empty file" : std::strerror(reason)));
    }
    std::shared_ptr<void> mapping(start, [bytes](void* address) { ::munmap(address, bytes); });
    return Napi::Number::New(info.Env(), Environment::of(info.Env()).keepFile(std::move(mapping), bytes));
  });
}

// Tensors made from the file keep the mapping alive. ts: unmapFile(file: number): void
Napi::Value unmapFile(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).releaseFile(info[0].ToNumber().DoubleValue());
  return info.Env().Undefined();
}

// On another device than the CPU a copy. ts: fromFile(file: number, byteOffset: number, dtype: string, shape: readonly number[]): number
Napi::Value fromFile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& environment = Environment::of(info.Env());
    auto [mapping, size] = environment.file(info[0].ToNumber().DoubleValue());
    const double offset = info[1].ToNumber().DoubleValue();
    const auto dtype = dtypeOf(info[2].ToString().Utf8Value());
    const auto shape = shapeOf(info[3]);
    const auto itemBytes = c10::elementSize(dtype);
    double bytes = static_cast<double>(itemBytes);
    for (const auto length : shape) bytes *= static_cast<double>(length);
    if (!(offset >= 0) || !(offset + bytes <= static_cast<double>(size))) {
      throw std::runtime_error("fromFile: the tensor lies outside the file");
    }
    auto* data = static_cast<char*>(mapping.get()) + static_cast<size_t>(offset);
    auto keepAlive = [mapping = mapping](void*) {};
    // A tensor at an odd address is copied: kernels may rely on natural alignment.
    const bool aligned = reinterpret_cast<uintptr_t>(data) % itemBytes == 0;
    at::Tensor tensor;
    if (aligned) {
      tensor = at::from_blob(data, shape, keepAlive, at::TensorOptions(dtype));
    } else {
      tensor = at::empty(shape, at::TensorOptions(dtype));
      std::memcpy(tensor.mutable_data_ptr(), data, tensor.nbytes());
    }
    return Napi::Number::New(info.Env(), environment.keep(tensor.to(processDevice())));
  });
}

}  // namespace

void registerFiles(Napi::Env env, Napi::Object exports) {
  exports.Set("mapFile", Napi::Function::New(env, mapFile, "mapFile"));
  exports.Set("unmapFile", Napi::Function::New(env, unmapFile, "unmapFile"));
  exports.Set("fromFile", Napi::Function::New(env, fromFile, "fromFile"));
}

}  // namespace understudy
