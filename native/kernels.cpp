// Kernels of our own, registered with the dispatcher so that they are called like every other operator.
// Tested against arithmetic worked by hand and against PyTorch's own (test/train/parity.test.ts).
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <type_traits>
#include <vector>

namespace understudy {

namespace {

// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2), one pass over memory: reads the gradient in
// whatever type it has, updates master weights and both moments in theirs, writes the rounded working copy.
template <typename Master, typename Gradient, typename Shadow>
void adamwRange(Master* master, const Gradient* gradient, Master* first, Master* second, Shadow* shadow, int64_t begin,
                int64_t end, double learningRate, double beta1, double beta2, double epsilon, double weightDecay,
                double gradientScale, double correction1, double correction2) {
  const auto decay = static_cast<Master>(1.0 - learningRate * weightDecay);
  const auto b1 = static_cast<Master>(beta1), b2 = static_cast<Master>(beta2);
  const auto c1 = static_cast<Master>(1.0 - beta1), c2 = static_cast<Master>(1.0 - beta2);
  const auto step = static_cast<Master>(learningRate / correction1);
  const auto root = static_cast<Master>(1.0 / std::sqrt(correction2));
  const auto scale = static_cast<Master>(gradientScale), eps = static_cast<Master>(epsilon);
  for (int64_t i = begin; i < end; ++i) {
    const Master g = static_cast<Master>(gradient[i]) * scale;
    const Master m = b1 * first[i] + c1 * g;
    const Master v = b2 * second[i] + c2 * g * g;
    const Master w = master[i] * decay - step * m / (std::sqrt(v) * root + eps);
    first[i] = m;
    second[i] = v;
    master[i] = w;
    if constexpr (!std::is_void_v<Shadow>) shadow[i] = static_cast<Shadow>(w);
  }
}

template <typename Master, typename Gradient>
void adamwTyped(at::Tensor& master, const at::Tensor& gradient, at::Tensor& first, at::Tensor& second,
                const std::optional<at::Tensor>& shadow, double learningRate, double beta1, double beta2, double epsilon,
                double weightDecay, double gradientScale, double correction1, double correction2) {
  auto* w = master.mutable_data_ptr<Master>();
  auto* m = first.mutable_data_ptr<Master>();
  auto* v = second.mutable_data_ptr<Master>();
  const auto* g = gradient.const_data_ptr<Gradient>();
  at::parallel_for(0, master.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
    if (shadow) {
      adamwRange(w, g, m, v, shadow->mutable_data_ptr<at::BFloat16>(), begin, end, learningRate, beta1, beta2, epsilon,
                 weightDecay, gradientScale, correction1, correction2);
    } else {
      adamwRange(w, g, m, v, static_cast<void*>(nullptr), begin, end, learningRate, beta1, beta2, epsilon, weightDecay,
                 gradientScale, correction1, correction2);
    }
  });
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
  const double correction1 = 1.0 - std::pow(beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(beta2, static_cast<double>(step));
  const auto run = [&](auto masterTag, auto gradientTag) {
    adamwTyped<decltype(masterTag), decltype(gradientTag)>(master, gradient, first, second, shadow, learningRate, beta1,
                                                           beta2, epsilon, weightDecay, gradientScale, correction1,
                                                           correction2);
  };
  const auto masterType = master.scalar_type(), gradientType = gradient.scalar_type();
  if (masterType == at::kFloat && gradientType == at::kFloat) return run(float{}, float{});
  if (masterType == at::kFloat && gradientType == at::kBFloat16) return run(float{}, at::BFloat16{});
  if (masterType == at::kDouble && gradientType == at::kDouble) return run(double{}, double{});
  TORCH_CHECK(false, "understudy::adamw_: no kernel for master weights of ", masterType, " and gradients of ", gradientType);
}

// How many threads a parallel loop over `items` really uses: 1 where OpenMP was not compiled in.
int64_t threadsUsed(int64_t items) {
  std::vector<std::atomic<bool>> seen(static_cast<size_t>(std::max(1, at::get_num_threads())));
  at::parallel_for(0, items, 1, [&](int64_t, int64_t) { seen[static_cast<size_t>(at::get_thread_num())] = true; });
  return std::count_if(seen.begin(), seen.end(), [](const auto& flag) { return flag.load(); });
}

}  // namespace

TORCH_LIBRARY(understudy, library) {
  library.def(
      "adamw_(Tensor(a!) master, Tensor gradient, Tensor(b!) first, Tensor(c!) second, Tensor(d!)? shadow, int step, "
      "float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, float gradient_scale) -> ()");
  library.def("threads_used(int items) -> int", threadsUsed);
}

TORCH_LIBRARY_IMPL(understudy, CPU, library) { library.impl("adamw_", adamw); }

}  // namespace understudy
