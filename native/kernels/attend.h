// Attention of one new token a row over the keys and values its row holds, which it joins: no mask, no padding, nothing
// read that no row needs. A row's result does not depend on the others.
#pragma once

#include <cstring>
#include <vector>

#include "lanes.h"
#include "table.h"

namespace understudy {

namespace {

// values [count] → e^(values - their largest); their sum, NaN where one is.
template <typename A>
A exponentials(A* values, int64_t count) {
  const A most = largestOf(values, count);
  Lanes<A> sums(A(0));
  int64_t i = 0;
  for (; i + Lanes<A>::count <= count; i += Lanes<A>::count) {
    const auto e = (Lanes<A>::load(values + i) - Lanes<A>(most)).exp();
    e.store(values + i);
    sums = sums + e;
  }
  A total = sums.sum();
  for (; i < count; ++i) total += values[i] = std::exp(values[i] - most);
  return total + (most - most);  // exp_u20 loses NaN
}

template <typename T>
void attendStep(const AttendStep& step, const void* query, const void* key, const void* values, void* cacheKey,
                void* cacheValue, void* out) {
  using A = Accumulator<T>;
  const int64_t dim = step.dim, group = step.heads / step.keyValueHeads;
  const size_t bytes = static_cast<size_t>(dim) * sizeof(T);
  at::parallel_for(0, step.rows * step.keyValueHeads, 1, [&](int64_t begin, int64_t end) {
    std::vector<A> memory;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t held = step.held[i / step.keyValueHeads];
      T* keys = static_cast<T*>(cacheKey) + i * step.capacity * dim;
      T* content = static_cast<T*>(cacheValue) + i * step.capacity * dim;
      std::memcpy(keys + held * dim, static_cast<const T*>(key) + i * dim, bytes);
      std::memcpy(content + held * dim, static_cast<const T*>(values) + i * dim, bytes);
      const int64_t count = std::min(held + 1, step.window), from = held + 1 - count;
      memory.resize(static_cast<size_t>(count));
      A* weights = memory.data();
      for (int64_t g = 0; g < group; ++g) {
        const T* q = static_cast<const T*>(query) + (i * group + g) * dim;
        T* result = static_cast<T*>(out) + (i * group + g) * dim;
        for (int64_t j = 0; j < count; ++j) weights[j] = dot(q, keys + (from + j) * dim, dim) * A(step.scale);
        const A share = A(1) / exponentials(weights, count);
        int64_t d = 0;
        for (; d + Lanes<T>::count <= dim; d += Lanes<T>::count) {
          Lanes<T> mixed(A(0));
          for (int64_t j = 0; j < count; ++j) {
            mixed = mixed + Lanes<T>(weights[j]) * Lanes<T>::load(content + (from + j) * dim + d);
          }
          (mixed * Lanes<T>(share)).store(result + d);
        }
        for (; d < dim; ++d) {
          A mixed = 0;
          for (int64_t j = 0; j < count; ++j) mixed += weights[j] * value(content[(from + j) * dim + d]);
          result[d] = static_cast<T>(mixed * share);
        }
      }
    }
  });
}

}  // namespace

}  // namespace understudy
