// What the files that register kernels share: which table of kernels this processor takes, and checks of arguments.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "table.h"

namespace understudy {

inline const Kernels& kernels() {
  static const Kernels& chosen = []() -> const Kernels& {
#ifdef UNDERSTUDY_X86
    const std::string set = at::get_cpu_capability();  // libtorch's choice, ATEN_CPU_CAPABILITY included
    if (set == "AVX512") return kernelsAvx512();
    if (set == "AVX2") return kernelsAvx2();
#endif
    return kernelsDefault();
  }();
  return chosen;
}

inline Type typeOf(const at::Tensor& tensor, const char* name) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return Type::f32;
    case at::kDouble:
      return Type::f64;
    case at::kBFloat16:
      return Type::bf16;
    default:
      TORCH_CHECK(false, "understudy::", name, ": expected float32, float64 or bfloat16, got ", tensor.scalar_type());
  }
}

inline at::ScalarType accumulatorOf(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

inline void expectSame(const at::Tensor& like, const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.scalar_type() == like.scalar_type() && tensor.sizes() == like.sizes(),
              "understudy::", name, ": expected ", like.scalar_type(), " ", like.sizes(), " on the CPU, got ",
              tensor.scalar_type(), " ", tensor.sizes());
}

inline void expectContiguous(const at::Tensor& tensor, at::ScalarType type, at::IntArrayRef sizes, const char* name) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == type && tensor.sizes() == sizes,
              "understudy::", name, ": expected contiguous ", type, " ", sizes, " on the CPU, got ", tensor.scalar_type(),
              " ", tensor.sizes());
}

}  // namespace understudy
