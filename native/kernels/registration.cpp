// Kernels of our own, registered with the dispatcher so that they are called like every other operator. This file checks
// the arguments; the arithmetic stands in vectorized.cpp. Tested against composed operators, finite differences and
// PyTorch's own: test/torch/kernels.test.ts, test/train/parity.test.ts.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/library.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "table.h"

namespace understudy {

namespace {

const Kernels& kernels() {
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

Type typeOf(const at::Tensor& tensor, const char* name) {
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

at::ScalarType accumulatorOf(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

void expectSame(const at::Tensor& like, const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.scalar_type() == like.scalar_type() && tensor.sizes() == like.sizes(),
              "understudy::", name, ": expected ", like.scalar_type(), " ", like.sizes(), " on the CPU, got ",
              tensor.scalar_type(), " ", tensor.sizes());
}

void expectContiguous(const at::Tensor& tensor, at::ScalarType type, at::IntArrayRef sizes, const char* name) {
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous() && tensor.scalar_type() == type && tensor.sizes() == sizes,
              "understudy::", name, ": expected contiguous ", type, " ", sizes, " on the CPU, got ", tensor.scalar_type(),
              " ", tensor.sizes());
}

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

Causal causalOf(const at::Tensor& scores, int64_t queries, std::optional<int64_t> window, const char* name) {
  TORCH_CHECK(scores.dim() >= 2 && scores.is_contiguous() && scores.device().is_cpu(), "understudy::", name,
              ": expected contiguous scores [..., queries, keys], got ", scores.sizes());
  const int64_t keys = scores.size(-1), rows = keys == 0 ? 0 : scores.numel() / keys;
  TORCH_CHECK(queries > 0 && queries <= keys && rows % queries == 0, "understudy::", name, ": ", queries,
              " queries do not fit scores of ", scores.sizes());
  TORCH_CHECK(!window || *window > 0, "understudy::", name, ": expected a window of at least 1");
  return {rows, queries, keys, window.value_or(keys)};
}

void causalSoftmax(at::Tensor scores, int64_t queries, double scale, std::optional<int64_t> window) {
  const auto causal = causalOf(scores, queries, window, "causal_softmax_");
  kernels().causalSoftmax(typeOf(scores, "causal_softmax_"), causal, scale, scores.mutable_data_ptr());
}

void causalSoftmaxBackward(at::Tensor grad, const at::Tensor& weights, int64_t queries, double scale,
                           std::optional<int64_t> window) {
  const char* name = "causal_softmax_backward_";
  const auto causal = causalOf(grad, queries, window, name);
  expectContiguous(weights, grad.scalar_type(), grad.sizes(), name);
  kernels().causalSoftmaxBackward(typeOf(grad, name), causal, scale, weights.const_data_ptr(), grad.mutable_data_ptr());
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

Stored storedOf(const at::Tensor& weight) {
  switch (weight.scalar_type()) {
    case at::kFloat:
      return Stored::f32;
    case at::kBFloat16:
      return Stored::bf16;
    case at::kChar:
      return Stored::int8;
    case at::kByte:
      return Stored::int4;
    default:
      TORCH_CHECK(false, "understudy::linear: expected weights of float32, bfloat16, int8 or uint8 (4 bits), got ",
                  weight.scalar_type());
  }
}

constexpr int64_t groupOf4Bits = 32;

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& scales) {
  const auto stored = storedOf(weight);
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 2, "understudy::linear: expected x [rows, in] and weight [out, in], got ",
              x.sizes(), " and ", weight.sizes());
  const int64_t rows = x.size(0), inputs = x.size(1), outputs = weight.size(0);
  TORCH_CHECK(stored != Stored::int4 || inputs % groupOf4Bits == 0, "understudy::linear: 4 bits go by ", groupOf4Bits,
              " inputs, not ", inputs);
  expectContiguous(weight, weight.scalar_type(), {outputs, stored == Stored::int4 ? inputs / 2 : inputs}, "linear: weight");
  TORCH_CHECK(scales.has_value() == (stored == Stored::int8 || stored == Stored::int4),
              "understudy::linear: expected scales with weights of 8 and 4 bits, and with no others");
  if (stored == Stored::int8) expectContiguous(*scales, at::kFloat, {outputs}, "linear: scales");
  if (stored == Stored::int4) {
    expectContiguous(*scales, at::kBFloat16, {outputs, inputs / groupOf4Bits, 2}, "linear: scales");
  }
  const auto in = x.to(at::kFloat).contiguous();
  auto y = at::empty({rows, outputs}, in.options());
  kernels().linear({stored, inputs, outputs, weight.const_data_ptr(), scales ? scales->const_data_ptr() : nullptr}, rows,
                   in.const_data_ptr<float>(), y.mutable_data_ptr<float>());
  return y.to(x.scalar_type());
}

at::Tensor attendStep(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, at::Tensor cacheKey,
                      at::Tensor cacheValue, const at::Tensor& held, double scale, std::optional<int64_t> window) {
  const char* name = "attend_step";
  TORCH_CHECK(query.dim() == 3 && cacheKey.dim() == 4, "understudy::attend_step: expected query [rows, heads, dim] and a ",
              "cache [rows, heads, capacity, dim], got ", query.sizes(), " and ", cacheKey.sizes());
  const int64_t rows = query.size(0), heads = query.size(1), dim = query.size(2);
  const int64_t keyValueHeads = cacheKey.size(1), capacity = cacheKey.size(2);
  const auto type = query.scalar_type();
  expectContiguous(query, type, query.sizes(), "attend_step: query");
  for (const auto& one : {key, value}) expectContiguous(one, type, {rows, keyValueHeads, dim}, "attend_step: key and value");
  for (const auto& cache : {cacheKey, cacheValue}) {
    expectContiguous(cache, type, {rows, keyValueHeads, capacity, dim}, "attend_step: cache");
  }
  expectContiguous(held, at::kLong, {rows}, "attend_step: held");
  TORCH_CHECK(keyValueHeads > 0 && heads % keyValueHeads == 0, "understudy::attend_step: ", heads,
              " heads do not share ", keyValueHeads);
  TORCH_CHECK(!window || *window > 0, "understudy::attend_step: expected a window of at least 1");
  const auto* tokens = held.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    TORCH_CHECK(tokens[row] >= 0 && tokens[row] < capacity, "understudy::attend_step: row ", row, " holds ", tokens[row],
                " tokens of ", capacity, ", and has no room for one more");
  }
  auto out = at::empty({rows, heads, dim}, query.options());
  kernels().attendStep(typeOf(query, name), {rows, heads, keyValueHeads, dim, capacity, window.value_or(capacity), scale, tokens},
                       query.const_data_ptr(), key.const_data_ptr(), value.const_data_ptr(), cacheKey.mutable_data_ptr(),
                       cacheValue.mutable_data_ptr(), out.mutable_data_ptr());
  return out;
}

// Families and runs of rows as the kernels take them, checked; `lengths` [runs, 3]: first row, rows, 1 where a family begins.
struct RunsOf {
  std::vector<Run> runs;
  std::vector<int64_t> families;
};

RunsOf runsOf(const at::Tensor& lengths, int64_t rows, const std::string& name) {
  expectContiguous(lengths, at::kLong, {lengths.size(0), 3}, (name + ": runs").c_str());
  RunsOf result;
  const auto* at = lengths.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < lengths.size(0); ++i, at += 3) {
    TORCH_CHECK(at[0] >= 0 && at[1] > 0 && at[0] + at[1] <= rows && (i > 0 || at[2] == 1), "understudy::", name, ": run ", i,
                " of ", at[1], " rows from row ", at[0], " is not among ", rows, " rows, or has no family");
    if (at[2] == 1) result.families.push_back(i);
    result.runs.push_back({at[0], at[1]});
  }
  result.families.push_back(lengths.size(0));
  return result;
}

AttendRuns attendRunsOf(const RunsOf& runs, const at::Tensor& packed, const at::Tensor& out, int64_t heads, int64_t keyValueHeads,
                        double scale, std::optional<int64_t> window, const std::string& name) {
  TORCH_CHECK(heads > 0 && keyValueHeads > 0 && heads % keyValueHeads == 0, "understudy::", name, ": ", heads,
              " heads do not share ", keyValueHeads);
  TORCH_CHECK(packed.dim() == 2 && packed.stride(1) == 1 && packed.device().is_cpu() &&
                  packed.size(1) % (heads + 2 * keyValueHeads) == 0,
              "understudy::", name, ": expected rows of ", heads, " queries and ", keyValueHeads, " keys and values, got ",
              packed.sizes());
  TORCH_CHECK(!window || *window > 0, "understudy::", name, ": expected a window of at least 1");
  const int64_t dim = packed.size(1) / (heads + 2 * keyValueHeads);
  expectContiguous(out, packed.scalar_type(), {packed.size(0), heads * dim}, (name + ": rows of heads").c_str());
  const int64_t all = std::numeric_limits<int64_t>::max() / 2;
  return {runs.runs.data(), runs.families.data(), static_cast<int64_t>(runs.families.size()) - 1,
          heads, keyValueHeads, dim, window.value_or(all), scale};
}

void attendRuns(at::Tensor out, const at::Tensor& packed, const at::Tensor& lengths, int64_t heads, int64_t keyValueHeads,
                double scale, std::optional<int64_t> window) {
  const char* name = "attend_runs_";
  const auto runs = runsOf(lengths, packed.size(0), name);
  const auto shape = attendRunsOf(runs, packed, out, heads, keyValueHeads, scale, window, name);
  kernels().attendRuns(typeOf(packed, name), shape, packed.const_data_ptr(), packed.stride(0), out.mutable_data_ptr());
}

void attendRunsBackward(at::Tensor gradPacked, const at::Tensor& gradOut, const at::Tensor& packed, const at::Tensor& lengths,
                        int64_t heads, int64_t keyValueHeads, double scale, std::optional<int64_t> window) {
  const char* name = "attend_runs_backward_";
  const auto runs = runsOf(lengths, packed.size(0), name);
  const auto shape = attendRunsOf(runs, packed, gradOut, heads, keyValueHeads, scale, window, name);
  expectSame(packed, gradPacked, "attend_runs_backward_: gradient");
  TORCH_CHECK(gradPacked.stride(1) == 1, "understudy::", name, ": expected rows of adjacent elements");
  kernels().attendRunsBackward(typeOf(packed, name), shape, gradOut.const_data_ptr(), packed.const_data_ptr(),
                               packed.stride(0), gradPacked.mutable_data_ptr(), gradPacked.stride(0));
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
  library.def("causal_softmax_(Tensor(a!) scores, int queries, float scale, int? window=None) -> ()");
  library.def(
      "causal_softmax_backward_(Tensor(a!) grad, Tensor weights, int queries, float scale, int? window=None) -> ()");
  library.def("token_logprobs(Tensor logits, Tensor targets) -> Tensor");
  library.def("cross_entropy_(Tensor(a!) logits, Tensor targets, Tensor scales) -> float");
  library.def("sum_of_squares(Tensor values) -> float");
  library.def("transpose_(Tensor(a!) out, Tensor values) -> ()");
  library.def(
      "adamw_(Tensor(a!) master, Tensor gradient, Tensor(b!) first, Tensor(c!) second, Tensor(d!)? shadow, int step, "
      "float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, float gradient_scale) -> ()");
  library.def("drop_(Tensor(a!) out, Tensor x, int row_key, int column_key, int limit) -> ()");
  library.def("linear(Tensor x, Tensor weight, Tensor? scales) -> Tensor");
  library.def(
      "attend_step(Tensor query, Tensor key, Tensor value, Tensor(a!) cache_key, Tensor(b!) cache_value, Tensor held, "
      "float scale, int? window=None) -> Tensor");
  library.def(
      "attend_runs_(Tensor(a!) out, Tensor packed, Tensor runs, int heads, int key_value_heads, float scale, "
      "int? window=None) -> ()");
  library.def(
      "attend_runs_backward_(Tensor(a!) grad_packed, Tensor grad_out, Tensor packed, Tensor runs, int heads, "
      "int key_value_heads, float scale, int? window=None) -> ()");
  library.def("threads_used(int items) -> int", threadsUsed);
}

TORCH_LIBRARY_IMPL(understudy, CPU, library) {
  library.impl("rms_norm", rmsNorm);
  library.impl("rms_norm_backward_", rmsNormBackward);
  library.impl("swiglu_", swiglu);
  library.impl("swiglu_backward_", swigluBackward);
  library.impl("rotate_", rotate);
  library.impl("causal_softmax_", causalSoftmax);
  library.impl("causal_softmax_backward_", causalSoftmaxBackward);
  library.impl("token_logprobs", tokenLogprobs);
  library.impl("cross_entropy_", crossEntropy);
  library.impl("sum_of_squares", sumOfSquares);
  library.impl("transpose_", transpose);
  library.impl("adamw_", adamw);
  library.impl("drop_", drop);
  library.impl("linear", linear);
  library.impl("attend_step", attendStep);
  library.impl("attend_runs_", attendRuns);
  library.impl("attend_runs_backward_", attendRunsBackward);
}

}  // namespace understudy
