// Few rows of bf16 by weights of bf16 where the processor adds products of bf16 pairs itself (AVX512_BF16).
#pragma once

#include <cstdint>

namespace understudy {

// y [rows, outputs] = x [rows, inputs] · weightᵀ, weight [outputs, inputs].
void linearBf16(int64_t inputs, int64_t outputs, int64_t rows, const void* weight, const void* x, void* y);

}  // namespace understudy
