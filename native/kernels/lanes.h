// Two registers at a time, in float (double for double) whatever is loaded. Included once per instruction set.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/cpu/vec/vec.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

namespace understudy {

namespace {

using at::BFloat16;
using at::vec::Vectorized;

template <typename T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

// NaN where one is, as at::vec::maximum has it.
template <std::floating_point A>
A larger(A a, A b) {
  return b > a || std::isnan(b) ? b : a;
}

// Two registers at a time: what one load of bf16 becomes.
template <typename T>
struct Lanes {
  using A = Accumulator<T>;
  using V = Vectorized<A>;
  static constexpr int64_t count = 2 * V::size();
  V low, high;

  Lanes() = default;
  explicit Lanes(A value) : low(value), high(value) {}
  Lanes(V l, V h) : low(l), high(h) {}

  static Lanes load(const T* from) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      const auto [low, high] = at::vec::convert_bfloat16_float(Vectorized<BFloat16>::loadu(from));
      return {low, high};
    } else {
      return {V::loadu(from), V::loadu(from + V::size())};
    }
  }
  void store(T* to) const {
    if constexpr (std::is_same_v<T, BFloat16>) {
      at::vec::convert_float_bfloat16(low, high).store(to);
    } else {
      low.store(to);
      high.store(to + V::size());
    }
  }
  Lanes exp() const {
    if constexpr (std::is_same_v<T, double>) {
      return {low.map(std::exp), high.map(std::exp)};
    } else {
      return {low.exp_u20(), high.exp_u20()};
    }
  }
  bool isZero() const {
    constexpr int all = (1 << V::size()) - 1;
    return (low.zero_mask() & high.zero_mask()) == all;
  }
  A sum() const {
    return folded(low + high, [](A a, A b) { return a + b; });
  }
  A max() const {
    return folded(at::vec::maximum(low, high), [](A a, A b) { return larger(a, b); });
  }

 private:
  // Lower half with upper half until one is left.
  template <typename F>
  static A folded(V lanes, F fold) {
    A values[V::size()];
    lanes.store(values);
#pragma GCC unroll 8
    for (int half = V::size() / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) values[i] = fold(values[i], values[i + half]);
    }
    return values[0];
  }
};

template <typename T>
Lanes<T> operator+(const Lanes<T>& a, const Lanes<T>& b) {
  return {a.low + b.low, a.high + b.high};
}
template <typename T>
Lanes<T> operator-(const Lanes<T>& a, const Lanes<T>& b) {
  return {a.low - b.low, a.high - b.high};
}
template <typename T>
Lanes<T> operator*(const Lanes<T>& a, const Lanes<T>& b) {
  return {a.low * b.low, a.high * b.high};
}
template <typename T>
Lanes<T> operator/(const Lanes<T>& a, const Lanes<T>& b) {
  return {a.low / b.low, a.high / b.high};
}
// a · b + c, rounded once.
template <typename T>
Lanes<T> fused(const Lanes<T>& a, const Lanes<T>& b, const Lanes<T>& c) {
  return {at::vec::fmadd(a.low, b.low, c.low), at::vec::fmadd(a.high, b.high, c.high)};
}
template <typename T>
Lanes<T> larger(const Lanes<T>& a, const Lanes<T>& b) {
  return {at::vec::maximum(a.low, b.low), at::vec::maximum(a.high, b.high)};
}

template <typename T>
Accumulator<T> value(T x) {
  return static_cast<Accumulator<T>>(x);
}

// At least this many elements for a thread to be worth waking.
constexpr int64_t grain = 1 << 14;
int64_t rowsPerThread(int64_t width) { return std::max<int64_t>(1, grain / std::max<int64_t>(1, width)); }

template <typename T>
Accumulator<T> dot(const T* a, const T* b, int64_t count) {
  Lanes<T> sums(Accumulator<T>(0));
  int64_t i = 0;
  for (; i + Lanes<T>::count <= count; i += Lanes<T>::count) sums = sums + Lanes<T>::load(a + i) * Lanes<T>::load(b + i);
  auto total = sums.sum();
  for (; i < count; ++i) total += value(a[i]) * value(b[i]);
  return total;
}

// The keys a query may see: [from, to).
struct Seen {
  int64_t from, to;
};

// NaN where any is.
template <typename T>
Accumulator<T> largestOf(const T* values, int64_t count) {
  using A = Accumulator<T>;
  A most = -std::numeric_limits<A>::infinity();
  int64_t i = 0;
  if (count >= Lanes<T>::count) {
    auto largest = Lanes<T>::load(values);
    for (i = Lanes<T>::count; i + Lanes<T>::count <= count; i += Lanes<T>::count) {
      largest = larger(largest, Lanes<T>::load(values + i));
    }
    most = largest.max();
  }
  for (; i < count; ++i) most = larger(most, value(values[i]));
  return most;
}

}  // namespace

}  // namespace understudy
