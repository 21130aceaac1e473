// y = x · weightᵀ for few rows of x, where the time is that of reading the weights: they are read once for all rows, as
// they are stored, and become float in the first-level cache. An element of y is the same to the bit however many rows are
// computed with it: products are added lane by lane in the order of the inputs, then the lanes.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "table.h"
#include "widen.h"

namespace understudy {

namespace {

// Outputs at a time, and inputs at a time: what of the weights stays in the cache while all rows pass. Rows at a time:
// as many as leave the sums in registers.
constexpr int64_t outputBlock = 8;
constexpr int64_t inputBlock = 512;
constexpr int64_t rowBlock = 3;

// Of a row and an output, by lane.
using Sums = float[Floats::size()];

// A type of weights gives `span` of them at a time, those of an output from input `from` on, as registers of float.
struct Floats32 {
  static constexpr int64_t span = Floats::size(), bits = 32;
  const float* data;
  int64_t inputs;
  const float* at(int64_t output, int64_t from) const { return data + output * inputs + from; }
  std::array<Floats, 1> lanes(int64_t output, int64_t from) const { return {Floats::loadu(at(output, from))}; }
  float one(int64_t output, int64_t input) const { return *at(output, input); }
};
struct Bfloats16 {
  static constexpr int64_t span = Floats::size(), bits = 16;
  const uint16_t* data;
  int64_t inputs;
  std::array<Floats, 1> lanes(int64_t output, int64_t from) const { return {widenBfloat16(data + output * inputs + from)}; }
  float one(int64_t output, int64_t input) const { return upperHalf(data[output * inputs + input]); }
};
struct Integers8 {
  static constexpr int64_t span = Floats::size(), bits = 8;
  const int8_t* data;
  int64_t inputs;
  std::array<Floats, 1> lanes(int64_t output, int64_t from) const { return {widen(data + output * inputs + from)}; }
  float one(int64_t output, int64_t input) const { return static_cast<float>(data[output * inputs + input]); }
};
// A group of 32: byte i holds number i and, above it, number 16 + i.
struct Integers4 {
  static constexpr int64_t span = 32, half = span / 2, bits = 4;
  const uint8_t* data;
  const uint16_t* scales;
  int64_t inputs;
  std::array<Floats, span / Floats::size()> lanes(int64_t output, int64_t from) const {
    const int64_t group = (output * inputs + from) / span;
    const Floats scale(upperHalf(scales[group * 2])), low(upperHalf(scales[group * 2 + 1]));
    std::array<Floats, span / Floats::size()> result;
    for (int64_t i = 0; i < half; i += Floats::size()) {
      const auto [lower, upper] = widenNibbles(data + group * half + i);
      result[i / Floats::size()] = at::vec::fmadd(lower, scale, low);
      result[(half + i) / Floats::size()] = at::vec::fmadd(upper, scale, low);
    }
    return result;
  }
  // Inputs are whole groups.
  static float one(int64_t, int64_t) { return 0; }
};

// Adds the products of `count` inputs, a multiple of the span, for R rows and O outputs from `output` on. Its loops are
// unrolled by order: the compiler leaves the sums in memory otherwise.
template <int64_t R, int64_t O, int64_t aheadBits, typename Weights>
void addProducts(const float* x, int64_t inputs, Weights weights, int64_t output, int64_t from, int64_t count, Sums* sums,
                 const char* ahead) {
  constexpr int64_t registers = Weights::span / Floats::size();
  Floats totals[R][O];
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int64_t o = 0; o < O; ++o) totals[r][o] = Floats::loadu(sums[r * outputBlock + o]);
  }
  for (int64_t i = 0; i < count; i += Weights::span) {
    Floats values[R][registers];
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int64_t j = 0; j < registers; ++j) values[r][j] = Floats::loadu(x + r * inputs + i + j * Floats::size());
    }
#pragma GCC unroll 8
    for (int64_t o = 0; o < O; ++o) {
      const auto weight = weights.lanes(output + o, from + i);
#pragma GCC unroll 8
      for (int64_t j = 0; j < registers; ++j) {
#pragma GCC unroll 8
        for (int64_t r = 0; r < R; ++r) totals[r][o] = at::vec::fmadd(values[r][j], weight[j], totals[r][o]);
      }
    }
    constexpr int64_t line = 64, bytes = Weights::span * O * aheadBits / 8;
    for (int64_t byte = 0; byte < bytes; byte += line) __builtin_prefetch(ahead + i * O * aheadBits / 8 + byte);
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int64_t o = 0; o < O; ++o) totals[r][o].store(sums[r * outputBlock + o]);
  }
}

// The same for all outputs of a block, by as many at a time as leave the sums in registers. `ahead`: memory that will be
// wanted next, `aheadBits` of it for every weight; the processor does not guess it where several outputs are read at once.
template <int64_t R, int64_t aheadBits, typename Weights>
void addBlock(const float* x, int64_t inputs, Weights weights, int64_t output, int64_t from, int64_t count, Sums* sums,
              const char* ahead = nullptr) {
  constexpr int64_t some = R == 1 ? outputBlock : outputBlock / 2;
  for (int64_t o = 0; o < outputBlock; o += some) {
    addProducts<R, some, aheadBits>(x, inputs, weights, output + o, from, count, sums + o, ahead + o * count * aheadBits / 8);
  }
}

template <typename Weights>
void linearBy(const Weights& weights, const float* scales, int64_t inputs, int64_t outputs, int64_t rows, const float* x,
              float* y) {
  // The processor follows rows of floats by itself: they are longer.
  constexpr int64_t aheadBits = std::is_same_v<Weights, Floats32> ? 0 : Weights::bits;
  const int64_t inLanes = inputs / Weights::span * Weights::span;
  const int64_t bytesOfBlock = outputBlock * inputs * Weights::bits / 8;
  const int64_t blocks = (outputs + outputBlock - 1) / outputBlock;
  const int64_t perThread = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, outputBlock * inputs * rows));
  at::parallel_for(0, blocks, perThread, [&](int64_t begin, int64_t end) {
    std::vector<float> memory(static_cast<size_t>(rows * outputBlock * Floats::size()));
    auto* sums = reinterpret_cast<Sums*>(memory.data());
    alignas(64) float block[outputBlock * inputBlock] = {};
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * outputBlock, some = std::min(outputBlock, outputs - first);
      std::fill(memory.begin(), memory.end(), 0.0F);
      // Few rows take the weights as they are; more take floats out of the first-level cache.
      const bool asStored = some == outputBlock && rows <= rowBlock;
      const char* nextBlock = reinterpret_cast<const char*>(weights.data) + std::min(b + 1, end - 1) * bytesOfBlock;
      for (int64_t from = 0; from < inLanes; from += inputBlock) {
        const int64_t count = std::min(inputBlock, inLanes - from);
        const float* at = x + from;
        const char* ahead = nextBlock + from * outputBlock * Weights::bits / 8;
        if (asStored) {
          if (rows == 1) addBlock<1, aheadBits>(at, inputs, weights, first, from, count, sums, ahead);
          if (rows == 2) addBlock<2, aheadBits>(at, inputs, weights, first, from, count, sums, ahead);
          if (rows == 3) addBlock<3, aheadBits>(at, inputs, weights, first, from, count, sums, ahead);
          continue;
        }
        // Whole blocks of floats are in the cache once the first rows have passed.
        Floats32 floats{block, inputBlock};
        if constexpr (std::is_same_v<Weights, Floats32>) {
          if (some == outputBlock) floats = Floats32{weights.at(first, from), inputs};
        }
        if (floats.data == block) {
          for (int64_t o = 0; o < some; ++o) {
            for (int64_t i = 0; i < count; i += Weights::span) {
              float* to = block + o * inputBlock + i;
              for (const Floats& lanes : weights.lanes(first + o, from + i)) {
                lanes.store(to);
                to += Floats::size();
              }
            }
          }
        }
        int64_t row = 0;
        for (; row + rowBlock <= rows; row += rowBlock) {
          const float* own = at + row * inputs;
          auto* total = sums + row * outputBlock;
          if (row == rowBlock) addBlock<rowBlock, Weights::bits>(own, inputs, floats, 0, 0, count, total, ahead);
          else addBlock<rowBlock, 0>(own, inputs, floats, 0, 0, count, total);
        }
        for (; row < rows; ++row) addBlock<1, 0>(at + row * inputs, inputs, floats, 0, 0, count, sums + row * outputBlock);
      }
      for (int64_t o = 0; o < some; ++o) {
        for (int64_t row = 0; row < rows; ++row) {
          float total = 0;
          for (const float lane : sums[row * outputBlock + o]) total += lane;
          for (int64_t i = inLanes; i < inputs; ++i) total += x[row * inputs + i] * weights.one(first + o, i);
          y[row * outputs + first + o] = scales ? total * scales[first + o] : total;
        }
      }
    }
  });
}

void linearFewRows(const Linear& linear, int64_t rows, const float* x, float* y) {
  const auto run = [&](const auto& weights, const float* scales) {
    linearBy(weights, scales, linear.inputs, linear.outputs, rows, x, y);
  };
  switch (linear.stored) {
    case Stored::f32:
      return run(Floats32{static_cast<const float*>(linear.weight), linear.inputs}, nullptr);
    case Stored::bf16:
      return run(Bfloats16{static_cast<const uint16_t*>(linear.weight), linear.inputs}, nullptr);
    case Stored::int8:
      return run(Integers8{static_cast<const int8_t*>(linear.weight), linear.inputs}, static_cast<const float*>(linear.scales));
    case Stored::int4:
      return run(Integers4{static_cast<const uint8_t*>(linear.weight), static_cast<const uint16_t*>(linear.scales), linear.inputs},
                 nullptr);
  }
}

}  // namespace

}  // namespace understudy
