// The kernels, compiled once per instruction set (CPU_CAPABILITY, see CMakeLists.txt). Each is a loop over rows that
// `at::parallel_for` shares out; arithmetic is in float (double for double), loads and stores round. No result depends on
// how many threads there are: a row belongs to one thread, and sums over rows are taken in blocks of fixed size.
// The slow clear versions they are tested against are composed operators: test/torch/kernels.test.ts.
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "attend-runs.h"
#include "attend.h"
#include "lanes.h"
#include "linear.h"
#include "softmax.h"
#include "table.h"

namespace understudy {

namespace {

template <typename T>
T* rowAt(const Rows& rows, int64_t index, int64_t heads) {
  return static_cast<T*>(rows.data) + (index / heads) * rows.token + (index % heads) * rows.head;
}

// y = x · rstd · weight, rstd = 1 / √(mean x² + ε)  (Zhang and Sennrich 2019, arXiv 1910.07467)
template <typename T>
void rmsNorm(RowsShape shape, Rows x, const void* weight, double epsilon, Rows y, void* rstds) {
  using A = Accumulator<T>;
  const auto [tokens, heads, dim] = shape;
  const auto* w = static_cast<const T*>(weight);
  at::parallel_for(0, tokens * heads, rowsPerThread(dim), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = rowAt<T>(x, row, heads);
      T* out = rowAt<T>(y, row, heads);
      Lanes<T> squares(A(0));
      int64_t i = 0;
      for (; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
        const auto a = Lanes<T>::load(in + i);
        squares = squares + a * a;
      }
      A sum = squares.sum();
      for (; i < dim; ++i) sum += value(in[i]) * value(in[i]);
      const A rstd = A(1) / std::sqrt(sum / A(dim) + A(epsilon));
      static_cast<A*>(rstds)[row] = rstd;
      const Lanes<T> scale(rstd);
      for (i = 0; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
        (Lanes<T>::load(in + i) * scale * Lanes<T>::load(w + i)).store(out + i);
      }
      for (; i < dim; ++i) out[i] = static_cast<T>(value(in[i]) * rstd * value(w[i]));
    }
  });
}

// With n = x · rstd and h = gradY · weight:  gradX = rstd · (h − n · mean(h · n)),  gradWeight = Σ gradY · n
template <typename T>
void rmsNormBackward(RowsShape shape, Rows gradY, Rows x, const void* weight, const void* rstds, Rows gradX,
                     void* gradWeight) {
  using A = Accumulator<T>;
  constexpr int64_t block = 64;
  const auto [tokens, heads, dim] = shape;
  const int64_t rows = tokens * heads, blocks = (rows + block - 1) / block;
  const auto* w = static_cast<const T*>(weight);
  const auto* rstdOf = static_cast<const A*>(rstds);
  const auto partial = std::make_unique<A[]>(static_cast<size_t>(blocks * dim));  // zeros
  at::parallel_for(0, blocks, 1, [&](int64_t firstBlock, int64_t lastBlock) {
    for (int64_t row = firstBlock * block; row < std::min(rows, lastBlock * block); ++row) {
      const T* in = rowAt<T>(x, row, heads);
      const T* g = rowAt<T>(gradY, row, heads);
      T* out = rowAt<T>(gradX, row, heads);
      A* sums = partial.get() + (row / block) * dim;
      const A rstd = rstdOf[row];
      const Lanes<T> scale(rstd);
      Lanes<T> products(A(0));
      int64_t i = 0;
      for (; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
        const auto n = Lanes<T>::load(in + i) * scale;
        const auto grad = Lanes<T>::load(g + i);
        products = products + grad * Lanes<T>::load(w + i) * n;
        const auto gn = grad * n;
        using V = typename Lanes<T>::V;
        (V::loadu(sums + i) + gn.low).store(sums + i);
        (V::loadu(sums + i + V::size()) + gn.high).store(sums + i + V::size());
      }
      A sum = products.sum();
      for (; i < dim; ++i) {
        const A n = value(in[i]) * rstd;
        sum += value(g[i]) * value(w[i]) * n;
        sums[i] += value(g[i]) * n;
      }
      const A mean = sum / A(dim);
      const Lanes<T> means(mean);
      for (i = 0; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
        const auto n = Lanes<T>::load(in + i) * scale;
        const auto h = Lanes<T>::load(g + i) * Lanes<T>::load(w + i);
        (Lanes<T>::load(out + i) + scale * (h - n * means)).store(out + i);
      }
      for (; i < dim; ++i) {
        const A n = value(in[i]) * rstd;
        out[i] = static_cast<T>(value(out[i]) + rstd * (value(g[i]) * value(w[i]) - n * mean));
      }
    }
  });
  auto* total = static_cast<A*>(gradWeight);
  for (int64_t i = 0; i < dim; ++i) total[i] = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < dim; ++i) total[i] += partial[static_cast<size_t>(b * dim + i)];
  }
}

// SwiGLU (Shazeer 2020, arXiv 2002.05202): out = gate · σ(gate) · up; a row of gateUp is gate, then up.
template <typename T>
void swiglu(int64_t tokens, int64_t width, Rows gates, Rows ups, void* result) {
  using A = Accumulator<T>;
  at::parallel_for(0, tokens, rowsPerThread(width), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      const T* gate = rowAt<T>(gates, token, 1);
      const T* up = rowAt<T>(ups, token, 1);
      T* out = static_cast<T*>(result) + token * width;
      const Lanes<T> one(A(1)), zero(A(0));
      int64_t i = 0;
      for (; i + Lanes<T>::count <= width; i += Lanes<T>::count) {
        const auto g = Lanes<T>::load(gate + i);
        (g / (one + (zero - g).exp()) * Lanes<T>::load(up + i)).store(out + i);
      }
      for (; i < width; ++i) out[i] = static_cast<T>(value(gate[i]) / (1 + std::exp(-value(gate[i]))) * value(up[i]));
    }
  });
}

template <typename T>
void swigluBackward(int64_t tokens, int64_t width, const void* gradOut, const void* gateUp, void* gradGateUp,
                    void* result) {
  using A = Accumulator<T>;
  at::parallel_for(0, tokens, rowsPerThread(width), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      const T* gate = static_cast<const T*>(gateUp) + token * 2 * width;
      const T* up = gate + width;
      const T* grad = static_cast<const T*>(gradOut) + token * width;
      T* gradGate = static_cast<T*>(gradGateUp) + token * 2 * width;
      T* gradUp = gradGate + width;
      T* out = static_cast<T*>(result) + token * width;
      const Lanes<T> one(A(1)), zero(A(0));
      int64_t i = 0;
      for (; i + Lanes<T>::count <= width; i += Lanes<T>::count) {
        const auto g = Lanes<T>::load(gate + i), u = Lanes<T>::load(up + i), d = Lanes<T>::load(grad + i);
        const auto sigmoid = one / (one + (zero - g).exp());
        const auto silu = g * sigmoid;
        (d * u * sigmoid * (one + g * (one - sigmoid))).store(gradGate + i);
        (d * silu).store(gradUp + i);
        (silu * u).store(out + i);
      }
      for (; i < width; ++i) {
        const A g = value(gate[i]), u = value(up[i]), d = value(grad[i]);
        const A sigmoid = 1 / (1 + std::exp(-g));
        gradGate[i] = static_cast<T>(d * u * sigmoid * (1 + g * (1 - sigmoid)));
        gradUp[i] = static_cast<T>(d * g * sigmoid);
        out[i] = static_cast<T>(g * sigmoid * u);
      }
    }
  });
}

// In place: element i with element i + dim/2 by the token's angle (src/model/rotary.ts).
template <typename T>
void rotate(RowsShape shape, Rows x, const void* cosines, const void* sines, double sign) {
  using A = Accumulator<T>;
  const auto [tokens, heads, dim] = shape;
  const int64_t half = dim / 2;
  const A turn = static_cast<A>(sign);
  at::parallel_for(0, tokens * heads, rowsPerThread(dim), [&, heads = heads](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* first = rowAt<T>(x, row, heads);
      T* second = first + half;
      const T* cos = static_cast<const T*>(cosines) + (row / heads) * half;
      const T* sin = static_cast<const T*>(sines) + (row / heads) * half;
      const Lanes<T> signs(turn);
      int64_t i = 0;
      for (; i + Lanes<T>::count <= half; i += Lanes<T>::count) {
        const auto a = Lanes<T>::load(first + i), b = Lanes<T>::load(second + i);
        const auto c = Lanes<T>::load(cos + i), s = Lanes<T>::load(sin + i) * signs;
        (a * c - b * s).store(first + i);
        (b * c + a * s).store(second + i);
      }
      for (; i < half; ++i) {
        const A a = value(first[i]), b = value(second[i]), c = value(cos[i]), s = value(sin[i]) * turn;
        first[i] = static_cast<T>(a * c - b * s);
        second[i] = static_cast<T>(b * c + a * s);
      }
    }
  });
}

Seen seenBy(int64_t row, const Causal& causal) {
  const int64_t to = causal.keys - causal.queries + row % causal.queries + 1;
  return {std::max<int64_t>(0, to - causal.window), to};
}

// In place: softmax of scale · scores over the keys that may be seen, 0 for the others.
template <typename T>
void causalSoftmax(Causal causal, double factor, void* scores) {
  const auto scale = static_cast<Accumulator<T>>(factor);
  at::parallel_for(0, causal.rows, rowsPerThread(causal.keys), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      softmaxRow(static_cast<T*>(scores) + row * causal.keys, seenBy(row, causal), causal.keys, scale);
    }
  });
}

// In place: the gradient of the weights becomes that of the scores, scale · w · (g − Σ g · w).
template <typename T>
void causalSoftmaxBackward(Causal causal, double factor, const void* weights, void* grads) {
  const auto scale = static_cast<Accumulator<T>>(factor);
  at::parallel_for(0, causal.rows, rowsPerThread(causal.keys), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t start = row * causal.keys;
      const T* w = static_cast<const T*>(weights) + start;
      softmaxRowBackward(w, static_cast<T*>(grads) + start, seenBy(row, causal), causal.keys, scale);
    }
  });
}

// The largest of a row of logits, Σ exp(logits − it), and log Σ exp(logits).
template <typename A>
struct Normalizer {
  A most, sum, log;
};

template <typename T>
Normalizer<Accumulator<T>> normalizerOf(const T* x, int64_t vocab) {
  using A = Accumulator<T>;
  const A most = largestOf(x, vocab);
  int64_t i = 0;
  const Lanes<T> shift(most);
  Lanes<T> sums(A(0));
  for (; i + Lanes<T>::count <= vocab; i += Lanes<T>::count) sums = sums + (Lanes<T>::load(x + i) - shift).exp();
  A sum = sums.sum();
  for (; i < vocab; ++i) sum += std::exp(value(x[i]) - most);
  sum += most - most;  // exp_u20 loses NaN
  return {most, sum, most + std::log(sum)};
}

template <typename T>
void tokenLogprobs(int64_t rows, int64_t vocab, const int64_t* targets, const void* logits, void* logprobs) {
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = static_cast<const T*>(logits) + row * vocab;
      static_cast<Accumulator<T>*>(logprobs)[row] = value(x[targets[row]]) - normalizerOf(x, vocab).log;
    }
  });
}

// loss = log Σ exp(logits) − logits[target];  gradient = softmax − 1 at the target, times the row's scale
template <typename T>
void crossEntropy(int64_t rows, int64_t vocab, const int64_t* targets, const void* scales, void* logits, void* losses) {
  using A = Accumulator<T>;
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* x = static_cast<T*>(logits) + row * vocab;
      const A scale = static_cast<const A*>(scales)[row];
      const auto [most, sum, log] = normalizerOf(x, vocab);
      const int64_t target = targets[row];
      const A atTarget = value(x[target]);
      static_cast<A*>(losses)[row] = log - atTarget;
      const A share = scale / sum;
      const Lanes<T> shares(share), shift(most);
      int64_t i = 0;
      for (; i + Lanes<T>::count <= vocab; i += Lanes<T>::count) {
        ((Lanes<T>::load(x + i) - shift).exp() * shares).store(x + i);
      }
      for (; i < vocab; ++i) x[i] = static_cast<T>(std::exp(value(x[i]) - most) * share);
      // Not from the rounded softmax: the difference to 1 is what matters where the model is sure.
      x[target] = static_cast<T>(scale * std::expm1(atTarget - log));
    }
  });
}

template <typename T>
double sumOfSquares(int64_t count, const void* values) {
  using A = Accumulator<T>;
  constexpr int64_t block = 1 << 14;
  const int64_t blocks = (count + block - 1) / block;
  const auto* x = static_cast<const T*>(values);
  const auto partial = std::make_unique<double[]>(static_cast<size_t>(blocks));
  at::parallel_for(0, blocks, 1, [&](int64_t firstBlock, int64_t lastBlock) {
    for (int64_t b = firstBlock; b < lastBlock; ++b) {
      const int64_t end = std::min(count, (b + 1) * block);
      Lanes<T> squares(A(0));
      int64_t i = b * block;
      for (; i + Lanes<T>::count <= end; i += Lanes<T>::count) {
        const auto a = Lanes<T>::load(x + i);
        squares = squares + a * a;
      }
      double sum = squares.sum();
      for (; i < end; ++i) sum += static_cast<double>(value(x[i])) * value(x[i]);
      partial[static_cast<size_t>(b)] = sum;
    }
  });
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += partial[static_cast<size_t>(b)];
  return total;
}

// Square blocks that a few registers hold: 8 rows and columns of elements of 2 bytes, else 4.
template <typename Bits>
constexpr int64_t blockSide = sizeof(Bits) == 2 ? 8 : 4;

using EightBits16 = uint16_t __attribute__((vector_size(16)));

// The lower, or the upper, elements of a and b in turn. Clang has one name for it, g++ before 12 only the other.
inline EightBits16 lowerInTurn(EightBits16 a, EightBits16 b) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shuffle(a, b, EightBits16{0, 8, 1, 9, 2, 10, 3, 11});
#endif
}
inline EightBits16 upperInTurn(EightBits16 a, EightBits16 b) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shuffle(a, b, EightBits16{4, 12, 5, 13, 6, 14, 7, 15});
#endif
}

// A block of `from`, whose rows are so far apart, to the transposed place of `to`. Rows i and i + 4 in turn, three times over:
// then columns have become rows.
inline void transposeBlock(const uint16_t* from, int64_t fromApart, uint16_t* to, int64_t toApart) {
  EightBits16 rows[8], mixed[8];
  for (int64_t i = 0; i < 8; ++i) std::memcpy(&rows[i], from + i * fromApart, sizeof(rows[i]));
  for (int round = 0; round < 3; ++round) {
    for (int64_t i = 0; i < 4; ++i) {
      mixed[2 * i] = lowerInTurn(rows[i], rows[i + 4]);
      mixed[2 * i + 1] = upperInTurn(rows[i], rows[i + 4]);
    }
    std::copy(mixed, mixed + 8, rows);
  }
  for (int64_t i = 0; i < 8; ++i) std::memcpy(to + i * toApart, &rows[i], sizeof(rows[i]));
}
template <typename Bits>
void transposeBlock(const Bits* from, int64_t fromApart, Bits* to, int64_t toApart) {
  for (int64_t r = 0; r < blockSide<Bits>; ++r) {
    for (int64_t c = 0; c < blockSide<Bits>; ++c) to[c * toApart + r] = from[r * fromApart + c];
  }
}

// `Bits`: an unsigned integer as wide as the elements. A thread's columns are a line wide: each is read once.
template <typename Bits>
void transpose(int64_t rows, int64_t columns, const void* in, void* out) {
  constexpr int64_t side = blockSide<Bits>, tile = 64 / sizeof(Bits);
  const auto* from = static_cast<const Bits*>(in);
  auto* to = static_cast<Bits*>(out);
  const int64_t tiles = (columns + tile - 1) / tile, wholeRows = rows / side * side;
  at::parallel_for(0, tiles, std::max<int64_t>(1, grain / (tile * std::max<int64_t>(1, rows))), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t first = t * tile, last = std::min(columns, first + tile), wholeColumns = first + (last - first) / side * side;
      const auto one = [&](int64_t r, int64_t c) { to[c * rows + r] = from[r * columns + c]; };
      for (int64_t r = 0; r < wholeRows; r += side) {
        for (int64_t c = first; c < wholeColumns; c += side) transposeBlock(from + r * columns + c, columns, to + c * rows + r, rows);
        for (int64_t c = wholeColumns; c < last; ++c) {
          for (int64_t i = r; i < r + side; ++i) one(i, c);
        }
      }
      for (int64_t r = wholeRows; r < rows; ++r) {
        for (int64_t c = first; c < last; ++c) one(r, c);
      }
    }
  });
}

// Two rounds of lowbias32 (C. Wellons 2018, "Prospecting for hash functions") without its last shift, which leaves the
// high half, and so nearly every comparison, as it is.
inline uint32_t mixed(uint32_t bits) {
  bits ^= bits >> 16;
  bits *= 0x7feb352dU;
  bits ^= bits >> 15;
  return bits * 0x846ca68bU;
}

// `Bits`: an unsigned integer as wide as the elements, which are kept as they are.
template <typename Bits>
void drop(const Drop& which, const void* x, void* result) {
  const auto width = static_cast<size_t>(which.width);
  const auto columns = std::make_unique<uint32_t[]>(width);
  for (size_t i = 0; i < width; ++i) columns[i] = mixed(static_cast<uint32_t>(i) ^ which.columnKey);
  const int32_t limit = which.limit;
  at::parallel_for(0, which.rows, rowsPerThread(which.width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint32_t ofRow = mixed(static_cast<uint32_t>(row) ^ which.rowKey);
      const uint32_t* ofColumn = columns.get();
      const Bits* in = static_cast<const Bits*>(x) + row * which.width;
      Bits* out = static_cast<Bits*>(result) + row * which.width;
      for (size_t i = 0; i < width; ++i) {
        const bool isDropped = static_cast<int32_t>(mixed(ofRow ^ ofColumn[i])) < limit;
        out[i] = isDropped ? Bits(0) : in[i];
      }
    }
  });
}

// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2), one pass over memory: reads the gradient in
// whatever type it has, updates master weights and both moments in theirs, writes the rounded working copy.
template <typename M, typename G>
void adamw(int64_t count, const AdamW& settings, void* master, const void* gradient, void* first, void* second,
           void* shadow) {
  static_assert(Lanes<M>::count == Lanes<G>::count);
  const M decay = static_cast<M>(1.0 - settings.learningRate * settings.weightDecay);
  const M b1 = static_cast<M>(settings.beta1), b2 = static_cast<M>(settings.beta2);
  const M c1 = static_cast<M>(1.0 - settings.beta1), c2 = static_cast<M>(1.0 - settings.beta2);
  const M step = static_cast<M>(settings.learningRate / settings.correction1);
  const M root = static_cast<M>(1.0 / std::sqrt(settings.correction2));
  const M scale = static_cast<M>(settings.gradientScale), epsilon = static_cast<M>(settings.epsilon);
  auto* w = static_cast<M*>(master);
  auto* m = static_cast<M*>(first);
  auto* v = static_cast<M*>(second);
  const auto* g = static_cast<const G*>(gradient);
  auto* copy = static_cast<BFloat16*>(shadow);
  at::parallel_for(0, count, 1 << 15, [&](int64_t begin, int64_t end) {
    using L = Lanes<M>;
    int64_t i = begin;
    for (; i + L::count <= end; i += L::count) {
      const auto loaded = Lanes<G>::load(g + i);
      // Rows of a table that nothing has asked for yet.
      if (decay == M(1) && loaded.isZero() && L::load(m + i).isZero() && L::load(v + i).isZero()) continue;
      const L grad = L(loaded.low, loaded.high) * L(scale);
      const L newFirst = L(b1) * L::load(m + i) + L(c1) * grad;
      const L newSecond = L(b2) * L::load(v + i) + L(c2) * grad * grad;
      const L divisor = L(newSecond.low.sqrt(), newSecond.high.sqrt()) * L(root) + L(epsilon);
      const L weight = L::load(w + i) * L(decay) - L(step) * newFirst / divisor;
      newFirst.store(m + i);
      newSecond.store(v + i);
      weight.store(w + i);
      if constexpr (std::is_same_v<M, float>) {
        if (copy) Lanes<BFloat16>(weight.low, weight.high).store(copy + i);
      }
    }
    for (; i < end; ++i) {
      const M grad = static_cast<M>(g[i]) * scale;
      m[i] = b1 * m[i] + c1 * grad;
      v[i] = b2 * v[i] + c2 * grad * grad;
      w[i] = w[i] * decay - step * m[i] / (std::sqrt(v[i]) * root + epsilon);
      if (copy) copy[i] = static_cast<BFloat16>(static_cast<float>(w[i]));
    }
  });
}

// Calls `run` with a value of the C++ type.
template <typename F>
auto withType(Type type, F run) {
  switch (type) {
    case Type::f64:
      return run(double{});
    case Type::bf16:
      return run(BFloat16{});
    default:
      return run(float{});
  }
}

// The same with an unsigned integer as wide.
template <typename F>
auto withBits(Type type, F run) {
  switch (type) {
    case Type::f64:
      return run(uint64_t{});
    case Type::bf16:
      return run(uint16_t{});
    default:
      return run(uint32_t{});
  }
}

const Kernels table = {
    [](Type type, RowsShape shape, Rows x, const void* weight, double epsilon, Rows y, void* rstd) {
      withType(type, [&](auto t) { rmsNorm<decltype(t)>(shape, x, weight, epsilon, y, rstd); });
    },
    [](Type type, RowsShape shape, Rows gradY, Rows x, const void* weight, const void* rstd, Rows gradX, void* gradWeight) {
      withType(type, [&](auto t) { rmsNormBackward<decltype(t)>(shape, gradY, x, weight, rstd, gradX, gradWeight); });
    },
    [](Type type, int64_t tokens, int64_t width, Rows gate, Rows up, void* out) {
      withType(type, [&](auto t) { swiglu<decltype(t)>(tokens, width, gate, up, out); });
    },
    [](Type type, int64_t tokens, int64_t width, const void* gradOut, const void* gateUp, void* gradGateUp, void* out) {
      withType(type, [&](auto t) { swigluBackward<decltype(t)>(tokens, width, gradOut, gateUp, gradGateUp, out); });
    },
    [](Type type, RowsShape shape, Rows x, const void* cos, const void* sin, double sign) {
      withType(type, [&](auto t) { rotate<decltype(t)>(shape, x, cos, sin, sign); });
    },
    [](Type type, Causal causal, double scale, void* scores) {
      withType(type, [&](auto t) { causalSoftmax<decltype(t)>(causal, scale, scores); });
    },
    [](Type type, Causal causal, double scale, const void* weights, void* grad) {
      withType(type, [&](auto t) { causalSoftmaxBackward<decltype(t)>(causal, scale, weights, grad); });
    },
    [](Type type, int64_t rows, int64_t vocab, const int64_t* targets, const void* logits, void* logprobs) {
      withType(type, [&](auto t) { tokenLogprobs<decltype(t)>(rows, vocab, targets, logits, logprobs); });
    },
    [](Type type, int64_t rows, int64_t vocab, const int64_t* targets, const void* scales, void* logits, void* losses) {
      withType(type, [&](auto t) { crossEntropy<decltype(t)>(rows, vocab, targets, scales, logits, losses); });
    },
    [](Type type, int64_t count, const void* values) {
      return withType(type, [&](auto t) { return sumOfSquares<decltype(t)>(count, values); });
    },
    [](Type type, int64_t rows, int64_t columns, const void* in, void* out) {
      withBits(type, [&](auto bits) { transpose<decltype(bits)>(rows, columns, in, out); });
    },
    [](Type master, Type gradient, int64_t count, const AdamW& settings, void* w, const void* g, void* m, void* v,
       void* shadow) {
      if (master == Type::f64) return adamw<double, double>(count, settings, w, g, m, v, nullptr);
      if (gradient == Type::bf16) return adamw<float, BFloat16>(count, settings, w, g, m, v, shadow);
      adamw<float, float>(count, settings, w, g, m, v, shadow);
    },
    [](Type type, const Drop& which, const void* x, void* out) {
      withBits(type, [&](auto bits) { drop<decltype(bits)>(which, x, out); });
    },
    linearFewRows,
    [](Type type, const AttendStep& step, const void* query, const void* key, const void* value, void* cacheKey,
       void* cacheValue, void* out) {
      withType(type, [&](auto t) { attendStep<decltype(t)>(step, query, key, value, cacheKey, cacheValue, out); });
    },
    [](Type type, const AttendRuns& shape, const void* packed, int64_t apart, void* out) {
      withType(type, [&](auto t) { attendRuns<decltype(t)>(shape, packed, apart, out); });
    },
    [](Type type, const AttendRuns& shape, const void* gradOut, const void* packed, int64_t apart, void* gradPacked,
       int64_t gradApart) {
      withType(type, [&](auto t) { attendRunsBackward<decltype(t)>(shape, gradOut, packed, apart, gradPacked, gradApart); });
    },
};

}  // namespace

const Kernels& UNDERSTUDY_KERNELS() { return table; }

}  // namespace understudy
