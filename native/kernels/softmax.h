// A row of attention scores to weights, and back. Included once per instruction set.
#pragma once

#include "lanes.h"

namespace understudy {

namespace {

// row [keys] → softmax of scale · row over the keys that are seen, 0 for the others.
template <typename T>
void softmaxRow(T* row, Seen seen, int64_t keys, Accumulator<T> scale) {
  using A = Accumulator<T>;
  constexpr bool staysExact = std::is_same_v<T, A>;
  T* x = row + seen.from;
  const int64_t count = seen.to - seen.from;
  const A most = largestOf(x, count);
  const Lanes<T> scales(scale), shift(most);
  const auto exponential = [&](int64_t i) { return ((Lanes<T>::load(x + i) - shift) * scales).exp(); };
  const auto exponentialOfOne = [&](int64_t i) { return std::exp((value(x[i]) - most) * scale); };
  Lanes<T> sums(A(0));
  int64_t i = 0;
  for (; i + Lanes<T>::count <= count; i += Lanes<T>::count) {
    const auto e = exponential(i);
    if constexpr (staysExact) e.store(x + i);
    sums = sums + e;
  }
  A sum = sums.sum();
  for (; i < count; ++i) {
    const A e = exponentialOfOne(i);
    if constexpr (staysExact) x[i] = e;
    sum += e;
  }
  sum += most - most;  // exp_u20 loses NaN
  const A share = A(1) / sum;
  const Lanes<T> shares(share);
  for (i = 0; i + Lanes<T>::count <= count; i += Lanes<T>::count) {
    if constexpr (staysExact) (Lanes<T>::load(x + i) * shares).store(x + i);
    else (exponential(i) * shares).store(x + i);
  }
  for (; i < count; ++i) x[i] = static_cast<T>((staysExact ? value(x[i]) : exponentialOfOne(i)) * share);
  std::fill(row, x, T(0));
  std::fill(x + count, row + keys, T(0));
}

// The gradient of the weights → of the scores, scale · w · (g − Σ g · w).
template <typename T>
void softmaxRowBackward(const T* weights, T* grads, Seen seen, int64_t keys, Accumulator<T> scale) {
  const int64_t count = seen.to - seen.from;
  const T* w = weights + seen.from;
  T* g = grads + seen.from;
  const auto mean = dot(w, g, count);
  const Lanes<T> means(mean), scales(scale);
  int64_t i = 0;
  for (; i + Lanes<T>::count <= count; i += Lanes<T>::count) {
    (scales * Lanes<T>::load(w + i) * (Lanes<T>::load(g + i) - means)).store(g + i);
  }
  for (; i < count; ++i) g[i] = static_cast<T>(scale * value(w[i]) * (value(g[i]) - mean));
  std::fill(grads, g, T(0));
  std::fill(g + count, grads + keys, T(0));
}

}  // namespace

}  // namespace understudy
