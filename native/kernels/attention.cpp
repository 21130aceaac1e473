// Attention's kernels, registered; the arithmetic stands in vectorized.cpp, attend.h and attend-runs.h.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <limits>
#include <vector>

#include "arguments.h"

namespace understudy {

namespace {

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

// Families and runs of rows as the kernels take them, checked; `lengths` [runs, 3]: first row, rows, 1 where a family
// begins.
struct Families {
  std::vector<Run> runs;
  std::vector<int64_t> first;
};

Families familiesOf(const at::Tensor& lengths, int64_t rows, const std::string& name) {
  expectContiguous(lengths, at::kLong, {lengths.size(0), 3}, (name + ": runs").c_str());
  Families result;
  const auto* at = lengths.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < lengths.size(0); ++i, at += 3) {
    TORCH_CHECK(at[0] >= 0 && at[1] > 0 && at[0] + at[1] <= rows && (i > 0 || at[2] == 1), "understudy::", name, ": run ", i,
                " of ", at[1], " rows from row ", at[0], " is not among ", rows, " rows, or has no family");
    if (at[2] == 1) result.first.push_back(i);
    result.runs.push_back({at[0], at[1]});
  }
  result.first.push_back(lengths.size(0));
  return result;
}

AttendRuns attendRunsOf(const Families& families, const at::Tensor& packed, const at::Tensor& out, int64_t heads,
                        int64_t keyValueHeads, double scale, std::optional<int64_t> window, const std::string& name) {
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
  return {families.runs.data(), families.first.data(), static_cast<int64_t>(families.first.size()) - 1,
          heads, keyValueHeads, dim, window.value_or(all), scale};
}

void attendRuns(at::Tensor out, const at::Tensor& packed, const at::Tensor& lengths, int64_t heads, int64_t keyValueHeads,
                double scale, std::optional<int64_t> window) {
  const char* name = "attend_runs_";
  const auto families = familiesOf(lengths, packed.size(0), name);
  const auto shape = attendRunsOf(families, packed, out, heads, keyValueHeads, scale, window, name);
  kernels().attendRuns(typeOf(packed, name), shape, packed.const_data_ptr(), packed.stride(0), out.mutable_data_ptr());
}

void attendRunsBackward(at::Tensor gradPacked, const at::Tensor& gradOut, const at::Tensor& packed, const at::Tensor& lengths,
                        int64_t heads, int64_t keyValueHeads, double scale, std::optional<int64_t> window) {
  const char* name = "attend_runs_backward_";
  const auto families = familiesOf(lengths, packed.size(0), name);
  const auto shape = attendRunsOf(families, packed, gradOut, heads, keyValueHeads, scale, window, name);
  expectSame(packed, gradPacked, "attend_runs_backward_: gradient");
  TORCH_CHECK(gradPacked.stride(1) == 1, "understudy::", name, ": expected rows of adjacent elements");
  kernels().attendRunsBackward(typeOf(packed, name), shape, gradOut.const_data_ptr(), packed.const_data_ptr(),
                               packed.stride(0), gradPacked.mutable_data_ptr(), gradPacked.stride(0));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(understudy, library) {
  library.def("causal_softmax_(Tensor(a!) scores, int queries, float scale, int? window=None) -> ()");
  library.def(
      "causal_softmax_backward_(Tensor(a!) grad, Tensor weights, int queries, float scale, int? window=None) -> ()");
  library.def(
      "attend_step(Tensor query, Tensor key, Tensor value, Tensor(a!) cache_key, Tensor(b!) cache_value, Tensor held, "
      "float scale, int? window=None) -> Tensor");
  library.def(
      "attend_runs_(Tensor(a!) out, Tensor packed, Tensor runs, int heads, int key_value_heads, float scale, "
      "int? window=None) -> ()");
  library.def(
      "attend_runs_backward_(Tensor(a!) grad_packed, Tensor grad_out, Tensor packed, Tensor runs, int heads, "
      "int key_value_heads, float scale, int? window=None) -> ()");
}

TORCH_LIBRARY_IMPL(understudy, CPU, library) {
  library.impl("causal_softmax_", causalSoftmax);
  library.impl("causal_softmax_backward_", causalSoftmaxBackward);
  library.impl("attend_step", attendStep);
  library.impl("attend_runs_", attendRuns);
  library.impl("attend_runs_backward_", attendRunsBackward);
}

}  // namespace understudy
