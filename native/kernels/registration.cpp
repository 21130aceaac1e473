// Kernels of our own, registered with the dispatcher so that they are called like every other operator; attention's in
// attention.cpp, products in products.cpp. Here arguments are checked; the arithmetic stands in vectorized.cpp. Tested
// against composed operators, finite differences and PyTorch's own: test/torch/kernels.test.ts, test/train/parity.test.ts.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/library.h>

#include <atomic>
#include <cmath>
#include <numeric>
#include <vector>

#include "arguments.h"

namespace understudy {

namespace {

struct RowsOf {
  RowsShape shape;
  Rows rows;
};

// [tokens, dim] or [tokens, heads, dim], the last dimension adjacent.
RowsOf rowsOf(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK((tensor.dim() == 2 || tensor.dim() == 3) && tensor.stride(-1) == 1 && tensor.device().is_cpu(),
              "understudy::", name, ": expected [tokens, dim] or [tokens, heads, dim] with adjacent elements, got ",
              tensor.sizes());
  const bool flat = tensor.dim() == 2;
  return {{tensor.size(0), flat ? 1 : tensor.size(1), tensor.size(-1)},
          {tensor.data_ptr(), tensor.stride(0), flat ? 0 : tensor.stride(1)}};
}

std::tuple<at::Tensor, at::Tensor> rmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const auto in = rowsOf(x, "rms_norm");
  expectContiguous(weight, x.scalar_type(), {in.shape.dim}, "rms_norm: weight");
  auto y = at::empty(x.sizes(), x.options());
  auto rstd = at::empty({in.shape.tokens * in.shape.heads}, x.options().dtype(accumulatorOf(x)));
  kernels().rmsNorm(typeOf(x, "rms_norm"), in.shape, in.rows, weight.const_data_ptr(), epsilon, rowsOf(y, "rms_norm").rows,
                    rstd.mutable_data_ptr());
  return {y, rstd};
}

at::Tensor rmsNormBackward(at::Tensor gradX, const at::Tensor& gradY, const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& rstd) {
  const char* name = "rms_norm_backward_";
  const auto in = rowsOf(x, name);
  expectSame(x, gradY, name);
  expectSame(x, gradX, name);
  expectContiguous(weight, x.scalar_type(), {in.shape.dim}, "rms_norm_backward_: weight");
  expectContiguous(rstd, accumulatorOf(x), {in.shape.tokens * in.shape.heads}, "rms_norm_backward_: rstd");
  auto gradWeight = at::empty({in.shape.dim}, rstd.options());
  kernels().rmsNormBackward(typeOf(x, name), in.shape, rowsOf(gradY, name).rows, in.rows, weight.const_data_ptr(),
                            rstd.const_data_ptr(), rowsOf(gradX, name).rows, gradWeight.mutable_data_ptr());
  return gradWeight;
}

void swiglu(at::Tensor out, const at::Tensor& gate, const at::Tensor& up) {
  const auto gates = rowsOf(gate, "swiglu_: gate"), ups = rowsOf(up, "swiglu_: up");
  expectSame(gate, up, "swiglu_: up");
  expectContiguous(out, gate.scalar_type(), {gates.shape.tokens, gates.shape.dim}, "swiglu_: out");
  kernels().swiglu(typeOf(gate, "swiglu_"), gates.shape.tokens, gates.shape.dim, gates.rows, ups.rows,
                   out.mutable_data_ptr());
}

void swigluBackward(at::Tensor gradGateUp, at::Tensor out, const at::Tensor& gradOut, const at::Tensor& gateUp) {
  TORCH_CHECK(gateUp.dim() == 2 && gateUp.size(1) % 2 == 0, "understudy::swiglu_backward_: expected [tokens, 2 · width], got ",
              gateUp.sizes());
  const int64_t tokens = gateUp.size(0), width = gateUp.size(1) / 2;
  const auto type = gateUp.scalar_type();
  expectContiguous(gateUp, type, gateUp.sizes(), "swiglu_backward_: gateUp");
  expectContiguous(gradGateUp, type, gateUp.sizes(), "swiglu_backward_: gradGateUp");
  expectContiguous(gradOut, type, {tokens, width}, "swiglu_backward_: gradOut");
  expectContiguous(out, type, {tokens, width}, "swiglu_backward_: out");
  kernels().swigluBackward(typeOf(gateUp, "swiglu_backward_"), tokens, width, gradOut.const_data_ptr(),
                           gateUp.const_data_ptr(), gradGateUp.mutable_data_ptr(), out.mutable_data_ptr());
}

void rotate(at::Tensor x, const at::Tensor& cos, const at::Tensor& sin, double sign) {
  const auto rows = rowsOf(x, "rotate_");
  const auto& [tokens, heads, dim] = rows.shape;
  for (const auto& angles : {cos, sin}) {
    TORCH_CHECK(dim % 2 == 0 && angles.is_contiguous() && angles.scalar_type() == x.scalar_type() &&
                    angles.numel() == tokens * dim / 2,
                "understudy::rotate_: expected cos and sin of [tokens, dim / 2] in the type of x, got ", angles.sizes());
  }
  kernels().rotate(typeOf(x, "rotate_"), rows.shape, rows.rows, cos.const_data_ptr(), sin.const_data_ptr(), sign);
}

// Targets of logits [rows, vocab], each in the vocabulary.
const int64_t* targetsOf(const at::Tensor& logits, const at::Tensor& targets, const char* name) {
  TORCH_CHECK(logits.dim() == 2 && logits.is_contiguous() && logits.device().is_cpu(), "understudy::", name,
              ": expected contiguous logits [rows, vocab], got ", logits.sizes());
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  expectContiguous(targets, at::kLong, {rows}, (std::string(name) + ": targets").c_str());
  const auto* target = targets.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    TORCH_CHECK(target[row] >= 0 && target[row] < vocab, "understudy::", name, ": target ", target[row],
                " is not in a vocabulary of ", vocab);
  }
  return target;
}

at::Tensor tokenLogprobs(const at::Tensor& logits, const at::Tensor& targets) {
  const auto* target = targetsOf(logits, targets, "token_logprobs");
  auto logprobs = at::empty({logits.size(0)}, logits.options().dtype(accumulatorOf(logits)));
  kernels().tokenLogprobs(typeOf(logits, "token_logprobs"), logits.size(0), logits.size(1), target, logits.const_data_ptr(),
                          logprobs.mutable_data_ptr());
  return logprobs;
}

double crossEntropy(at::Tensor logits, const at::Tensor& targets, const at::Tensor& scales) {
  const char* name = "cross_entropy_";
  const auto* target = targetsOf(logits, targets, name);
  const int64_t rows = logits.size(0);
  expectContiguous(scales, accumulatorOf(logits), {rows}, "cross_entropy_: scales");
  auto losses = at::empty({rows}, scales.options());
  kernels().crossEntropy(typeOf(logits, name), rows, logits.size(1), target, scales.const_data_ptr(),
                         logits.mutable_data_ptr(), losses.mutable_data_ptr());
  // In the order of the rows: at::sum shares a long sum out between threads.
  const auto inDouble = losses.to(at::kDouble);
  const auto* loss = inDouble.const_data_ptr<double>();
  return std::accumulate(loss, loss + rows, 0.0);
}

double sumOfSquares(const at::Tensor& values) {
  TORCH_CHECK(values.is_contiguous() && values.device().is_cpu(), "understudy::sum_of_squares: expected a contiguous CPU tensor");
  return kernels().sumOfSquares(typeOf(values, "sum_of_squares"), values.numel(), values.const_data_ptr());
}

void transpose(at::Tensor out, const at::Tensor& in) {
  TORCH_CHECK(in.dim() == 2, "understudy::transpose_: expected [rows, columns], got ", in.sizes());
  expectContiguous(in, in.scalar_type(), in.sizes(), "transpose_: in");
  expectContiguous(out, in.scalar_type(), {in.size(1), in.size(0)}, "transpose_: out");
  kernels().transpose(typeOf(in, "transpose_"), in.size(0), in.size(1), in.const_data_ptr(), out.mutable_data_ptr());
}

void adamw(at::Tensor master, const at::Tensor& gradient, at::Tensor first, at::Tensor second,
           const std::optional<at::Tensor>& shadow, int64_t step, double learningRate, double beta1, double beta2,
           double epsilon, double weightDecay, double gradientScale) {
  for (const at::Tensor* tensor : {static_cast<const at::Tensor*>(&master), static_cast<const at::Tensor*>(&first),
                                   static_cast<const at::Tensor*>(&second), &gradient}) {
    TORCH_CHECK(tensor->is_contiguous() && tensor->device().is_cpu() && tensor->numel() == master.numel(),
                "understudy::adamw_: expected contiguous CPU tensors of equal size");
  }
  TORCH_CHECK(first.scalar_type() == master.scalar_type() && second.scalar_type() == master.scalar_type(),
              "understudy::adamw_: expected moments of the master weights' type");
  TORCH_CHECK(!shadow || (shadow->scalar_type() == at::kBFloat16 && shadow->is_contiguous() &&
                          shadow->numel() == master.numel()),
              "understudy::adamw_: expected a contiguous bfloat16 working copy");
  TORCH_CHECK(step >= 1, "understudy::adamw_: steps count from 1");
  const auto masterType = typeOf(master, "adamw_"), gradientType = typeOf(gradient, "adamw_");
  TORCH_CHECK((masterType == Type::f32 && gradientType != Type::f64) ||
                  (masterType == Type::f64 && gradientType == Type::f64 && !shadow),
              "understudy::adamw_: no kernel for master weights of ", master.scalar_type(), " and gradients of ",
              gradient.scalar_type());
  const AdamW settings{learningRate,  beta1,
                       beta2,         epsilon,
                       weightDecay,   gradientScale,
                       1.0 - std::pow(beta1, static_cast<double>(step)), 1.0 - std::pow(beta2, static_cast<double>(step))};
  kernels().adamw(masterType, gradientType, master.numel(), settings, master.mutable_data_ptr(), gradient.const_data_ptr(),
                  first.mutable_data_ptr(), second.mutable_data_ptr(), shadow ? shadow->mutable_data_ptr() : nullptr);
}

void drop(at::Tensor out, const at::Tensor& x, int64_t rowKey, int64_t columnKey, int64_t limit) {
  const auto type = typeOf(x, "drop_");
  TORCH_CHECK(x.dim() == 2, "understudy::drop_: expected [rows, width], got ", x.sizes());
  expectContiguous(x, x.scalar_type(), x.sizes(), "drop_: x");
  expectContiguous(out, x.scalar_type(), x.sizes(), "drop_: out");
  constexpr int64_t range = int64_t(1) << 32;
  TORCH_CHECK(rowKey >= 0 && rowKey < range && columnKey >= 0 && columnKey < range && limit >= -range / 2 && limit < range / 2,
              "understudy::drop_: expected unsigned keys and a signed limit of 32 bits, got ", rowKey, ", ", columnKey, ", ", limit);
  kernels().drop(type, {x.size(0), x.size(1), static_cast<uint32_t>(rowKey), static_cast<uint32_t>(columnKey),
                        static_cast<int32_t>(limit)},
                 x.const_data_ptr(), out.mutable_data_ptr());
}

// How many threads a parallel loop over `items` really uses: 1 where OpenMP was not compiled in.
int64_t threadsUsed(int64_t items) {
  std::vector<std::atomic<bool>> seen(static_cast<size_t>(std::max(1, at::get_num_threads())));
  at::parallel_for(0, items, 1, [&](int64_t, int64_t) { seen[static_cast<size_t>(at::get_thread_num())] = true; });
  return std::count_if(seen.begin(), seen.end(), [](const auto& flag) { return flag.load(); });
}

}  // namespace

TORCH_LIBRARY(understudy, library) {
  library.def("rms_norm(Tensor x, Tensor weight, float epsilon) -> (Tensor y, Tensor rstd)");
  library.def("rms_norm_backward_(Tensor(a!) grad_x, Tensor grad_y, Tensor x, Tensor weight, Tensor rstd) -> Tensor");
  library.def("swiglu_(Tensor(a!) out, Tensor gate, Tensor up) -> ()");
  library.def("swiglu_backward_(Tensor(a!) grad_gate_up, Tensor(b!) out, Tensor grad_out, Tensor gate_up) -> ()");
  library.def("rotate_(Tensor(a!) x, Tensor cos, Tensor sin, float sign) -> ()");
  library.def("token_logprobs(Tensor logits, Tensor targets) -> Tensor");
  library.def("cross_entropy_(Tensor(a!) logits, Tensor targets, Tensor scales) -> float");
  library.def("sum_of_squares(Tensor values) -> float");
  library.def("transpose_(Tensor(a!) out, Tensor values) -> ()");
  library.def(
      "adamw_(Tensor(a!) master, Tensor gradient, Tensor(b!) first, Tensor(c!) second, Tensor(d!)? shadow, int step, "
      "float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, float gradient_scale) -> ()");
  library.def("drop_(Tensor(a!) out, Tensor x, int row_key, int column_key, int limit) -> ()");
  library.def("threads_used(int items) -> int", threadsUsed);
}

TORCH_LIBRARY_IMPL(understudy, CPU, library) {
  library.impl("rms_norm", rmsNorm);
  library.impl("rms_norm_backward_", rmsNormBackward);
  library.impl("swiglu_", swiglu);
  library.impl("swiglu_backward_", swigluBackward);
  library.impl("rotate_", rotate);
  library.impl("token_logprobs", tokenLogprobs);
  library.impl("cross_entropy_", crossEntropy);
  library.impl("sum_of_squares", sumOfSquares);
  library.impl("transpose_", transpose);
  library.impl("adamw_", adamw);
  library.impl("drop_", drop);
}

}  // namespace understudy
