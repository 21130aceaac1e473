// Matrix products: of few rows by our own kernels (linear.h, linear-bf16.cpp); of bf16 matrices, where the processor does not multiply them
// itself and libtorch is many times slower than in float, by libtorch's products of pieces made float.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>

#include "arguments.h"
#include "linear-bf16.h"

namespace understudy {

namespace {

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

#ifdef UNDERSTUDY_X86
// Whether the processor adds products of bf16 pairs itself, and libtorch was not told to do without (ATEN_CPU_CAPABILITY).
bool addsBf16Pairs() {
  static const bool does = at::get_cpu_capability() == "AVX512" && __builtin_cpu_supports("avx512bf16");
  return does;
}
#endif

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
#ifdef UNDERSTUDY_X86
  if (x.scalar_type() == at::kBFloat16 && stored == Stored::bf16 && addsBf16Pairs()) {
    const auto in = x.contiguous();
    auto y = at::empty({rows, outputs}, in.options());
    linearBf16(inputs, outputs, rows, weight.const_data_ptr(), in.const_data_ptr(), y.mutable_data_ptr());
    return y;
  }
#endif
  const auto in = x.to(at::kFloat).contiguous();
  auto y = at::empty({rows, outputs}, in.options());
  kernels().linear({stored, inputs, outputs, weight.const_data_ptr(), scales ? scales->const_data_ptr() : nullptr}, rows,
                   in.const_data_ptr<float>(), y.mutable_data_ptr<float>());
  return y.to(x.scalar_type());
}

// A piece of a product: in float a left factor of 32 MiB and a right one of 8, of which the second stays in the caches.
constexpr int64_t rowsAtOnce = 4096, columnsAtOnce = 1024, innerAtOnce = 2048;

// `count` floats of memory that is kept: fresh pages for every product would cost some percent of its time.
class Room {
 public:
  at::Tensor get(int64_t rows, int64_t columns) {
    if (!kept_.defined() || kept_.numel() < rows * columns) kept_ = at::empty({rows * columns}, at::kFloat);
    return kept_.narrow(0, 0, rows * columns).view({rows, columns});
  }

 private:
  at::Tensor kept_;
};
struct Rooms {
  Room left, right, sums;
};
// Never destroyed: libtorch's allocator may be gone by then.
Rooms& rooms() {
  static thread_local auto* kept = new Rooms;
  return *kept;
}

// In float, lying in memory as it did.
at::Tensor widened(const at::Tensor& piece, Room& room) {
  if (piece.scalar_type() == at::kFloat) return piece;
  const bool byRows = piece.stride(1) == 1;
  const auto wide = byRows ? room.get(piece.size(0), piece.size(1)) : room.get(piece.size(1), piece.size(0)).t();
  return wide.copy_(piece);
}

at::Tensor part(const at::Tensor& matrix, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  return matrix.narrow(0, row, rows).narrow(1, column, columns);
}

// out = addend + scale · a · b, added in float and rounded once. The addend may be `out`.
void multiplyWidened(at::Tensor& out, const std::optional<at::Tensor>& addend, const at::Tensor& a, const at::Tensor& b,
                     double scale) {
  const at::NoGradGuard noGradients;
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  for (int64_t row = 0; row < rows; row += rowsAtOnce) {
    const int64_t someRows = std::min(rowsAtOnce, rows - row);
    at::Tensor left;
    for (int64_t column = 0; column < columns; column += columnsAtOnce) {
      const int64_t someColumns = std::min(columnsAtOnce, columns - column);
      auto sums = rooms().sums.get(someRows, someColumns);
      if (inner == 0) sums.zero_();
      for (int64_t k = 0; k < inner; k += innerAtOnce) {
        const int64_t some = std::min(innerAtOnce, inner - k);
        if (inner > innerAtOnce || column == 0) left = widened(part(a, row, someRows, k, some), rooms().left);
        const auto right = widened(part(b, k, some, column, someColumns), rooms().right);
        if (k == 0) at::mm_out(sums, left, right);
        else sums.addmm_(left, right);
      }
      if (scale != 1) sums.mul_(scale);
      if (addend) {
        const auto added = addend->dim() == 1 ? addend->unsqueeze(0).expand({rows, columns}) : *addend;
        sums.add_(part(added, row, someRows, column, someColumns));
      }
      part(out, row, someRows, column, someColumns).copy_(sums);
    }
  }
}

void expectProduct(const at::Tensor& a, const at::Tensor& b, int64_t dim, const char* name) {
  const auto isFactor = [&](const at::Tensor& x) {
    return x.dim() == dim && x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
           (x.stride(-1) == 1 || x.stride(-2) == 1);
  };
  TORCH_CHECK(isFactor(a) && isFactor(b), "understudy::", name, ": expected matrices of float32 or bfloat16 on the CPU whose",
              " rows or columns are adjacent, got ", a.scalar_type(), " ", a.sizes(), " and ", b.scalar_type(), " ", b.sizes());
  TORCH_CHECK(a.size(-1) == b.size(-2) && (dim == 2 || a.size(0) == b.size(0)), "understudy::", name, ": matrices of ",
              a.sizes(), " and ", b.sizes(), " have no product");
}

void mmWidenedInto(at::Tensor out, const std::optional<at::Tensor>& addend, const at::Tensor& a, const at::Tensor& b,
                   double scale) {
  const char* name = "mm_widened_";
  expectProduct(a, b, 2, name);
  const int64_t rows = a.size(0), columns = b.size(1);
  TORCH_CHECK(out.dim() == 2 && out.size(0) == rows && out.size(1) == columns && out.device().is_cpu(), "understudy::", name,
              ": a product of ", a.sizes(), " and ", b.sizes(), " does not fit ", out.sizes());
  TORCH_CHECK(!addend || addend->sizes() == out.sizes() || (addend->dim() == 1 && addend->size(0) == columns),
              "understudy::", name, ": expected an addend of ", out.sizes(), " or of its columns, got ", addend->sizes());
  multiplyWidened(out, addend, a, b, scale);
}

at::Tensor mmWidened(const at::Tensor& a, const at::Tensor& b) {
  expectProduct(a, b, 2, "mm_widened");
  auto out = at::empty({a.size(0), b.size(1)}, a.options());
  multiplyWidened(out, std::nullopt, a, b, 1);
  return out;
}

at::Tensor bmmWidened(const at::Tensor& a, const at::Tensor& b) {
  expectProduct(a, b, 3, "bmm_widened");
  auto out = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  for (int64_t i = 0; i < a.size(0); ++i) {
    auto one = out.select(0, i);
    multiplyWidened(one, std::nullopt, a.select(0, i), b.select(0, i), 1);
  }
  return out;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(understudy, library) {
  library.def("linear(Tensor x, Tensor weight, Tensor? scales) -> Tensor");
  library.def("mm_widened_(Tensor(a!) out, Tensor? addend, Tensor a, Tensor b, float scale=1) -> ()");
  library.def("mm_widened(Tensor a, Tensor b) -> Tensor");
  library.def("bmm_widened(Tensor a, Tensor b) -> Tensor");
}

TORCH_LIBRARY_IMPL(understudy, CPU, library) {
  library.impl("linear", linear);
  library.impl("mm_widened_", mmWidenedInto);
  library.impl("mm_widened", mmWidened);
  library.impl("bmm_widened", bmmWidened);
}

}  // namespace understudy
