// Attention of one new token a row over the keys and values its row holds, which it joins: no mask, no padding, nothing
// read that no row needs. A row's result does not depend on the others.
#pragma once

#include <cstring>
#include <type_traits>
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

// Some of the keys that a row holds, and its values for them: rows of `dim` adjacent elements.
template <typename T>
struct Held {
  const T* keys;
  const T* values;
  int64_t count, dim;
  // What will be read after them.
  const T* nextKeys;
};

// A row of `dim` elements, asked for before it is needed.
template <typename T>
void prefetch(const T* row, int64_t dim) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t d = 0; d < dim; d += line) __builtin_prefetch(row + d);
}

// G heads that share keys and values, which are read once for all of them. queries and results [G, dim]; weights [G, count]
// is memory to work in.
template <int64_t G, typename T>
void attendHeads(const Held<T>& held, const T* queries, Accumulator<T> scale, Accumulator<T>* weights, T* results) {
  using A = Accumulator<T>;
  using L = Lanes<T>;
  const auto [keys, values, count, dim, nextKeys] = held;
  const int64_t inLanes = dim / L::count * L::count;
  for (int64_t j = 0; j < count; ++j) {
    const T* key = keys + j * dim;
    prefetch(values + j * dim, dim);
    L products[G];
#pragma GCC unroll 4
    for (auto& product : products) product = L(A(0));
    for (int64_t d = 0; d < inLanes; d += L::count) {
      const L lanes = L::load(key + d);
#pragma GCC unroll 4
      for (int64_t g = 0; g < G; ++g) products[g] = fused(L::load(queries + g * dim + d), lanes, products[g]);
    }
#pragma GCC unroll 4
    for (int64_t g = 0; g < G; ++g) {
      A score = products[g].sum();
      for (int64_t d = inLanes; d < dim; ++d) score += value(queries[g * dim + d]) * value(key[d]);
      weights[g * count + j] = score * scale;
    }
  }
  A shares[G];
#pragma GCC unroll 4
  for (int64_t g = 0; g < G; ++g) shares[g] = A(1) / exponentials(weights + g * count, count);
  for (int64_t d = 0; d < inLanes; d += L::count) {
    L mixed[G];
#pragma GCC unroll 4
    for (auto& mix : mixed) mix = L(A(0));
    for (int64_t j = 0; j < count; ++j) {
      const L lanes = L::load(values + j * dim + d);
      if (d == 0) prefetch(nextKeys + j * dim, dim);
#pragma GCC unroll 4
      for (int64_t g = 0; g < G; ++g) mixed[g] = fused(L(weights[g * count + j]), lanes, mixed[g]);
    }
#pragma GCC unroll 4
    for (int64_t g = 0; g < G; ++g) (mixed[g] * L(shares[g])).store(results + g * dim + d);
  }
  for (int64_t d = inLanes; d < dim; ++d) {
#pragma GCC unroll 4
    for (int64_t g = 0; g < G; ++g) {
      A mixed = 0;
      for (int64_t j = 0; j < count; ++j) mixed = std::fma(weights[g * count + j], value(values[j * dim + d]), mixed);
      results[g * dim + d] = static_cast<T>(mixed * shares[g]);
    }
  }
}

template <typename T>
void attendStep(const AttendStep& step, const void* query, const void* key, const void* values, void* cacheKey,
                void* cacheValue, void* out) {
  using A = Accumulator<T>;
  // As many as leave their sums in registers.
  constexpr int64_t most = 4;
  const int64_t dim = step.dim, group = step.heads / step.keyValueHeads;
  const size_t bytes = static_cast<size_t>(dim) * sizeof(T);
  at::parallel_for(0, step.rows * step.keyValueHeads, 1, [&](int64_t begin, int64_t end) {
    std::vector<A> memory;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t before = step.held[i / step.keyValueHeads];
      T* keys = static_cast<T*>(cacheKey) + i * step.capacity * dim;
      T* content = static_cast<T*>(cacheValue) + i * step.capacity * dim;
      std::memcpy(keys + before * dim, static_cast<const T*>(key) + i * dim, bytes);
      std::memcpy(content + before * dim, static_cast<const T*>(values) + i * dim, bytes);
      const int64_t count = std::min(before + 1, step.window), from = before + 1 - count;
      const int64_t next = i + 1 < end ? step.capacity * dim : 0;
      const Held<T> held{keys + from * dim, content + from * dim, count, dim, keys + from * dim + next};
      memory.resize(static_cast<size_t>(most * count));
      for (int64_t g = 0; g < group; g += most) {
        const T* queries = static_cast<const T*>(query) + (i * group + g) * dim;
        T* results = static_cast<T*>(out) + (i * group + g) * dim;
        const auto attend = [&](auto heads) { attendHeads<heads>(held, queries, A(step.scale), memory.data(), results); };
        switch (std::min(most, group - g)) {
          case 1: attend(std::integral_constant<int64_t, 1>{}); break;
          case 2: attend(std::integral_constant<int64_t, 2>{}); break;
          case 3: attend(std::integral_constant<int64_t, 3>{}); break;
          default: attend(std::integral_constant<int64_t, most>{});
        }
      }
    }
  });
}

}  // namespace

}  // namespace understudy
