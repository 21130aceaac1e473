// The device tensors are made on: one a process, chosen before the first tensor, the CPU unless another is.
#pragma once

#include <ATen/core/Tensor.h>

namespace understudy {

at::Device processDevice();

}  // namespace understudy
