// y = x · weightᵀ for few rows of x, where the time is that of reading the weights: they are read once for all rows, as
// they are stored, and become float in the first-level cache. An element of y is the same to the bit however many rows are
// computed with it: products are added lane by lane in the order of the inputs, then the lanes.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "table.h"

namespace understudy {

namespace {

// Outputs at a time, and inputs at a time: what of the weights stays in the cache while all rows pass. Rows at a time:
// as many as leave the sums in registers.
constexpr int64_t outputBlock = 8;
constexpr int64_t inputBlock = 512;
constexpr int64_t rowBlock = 3;

using Floats = at::vec::Vectorized<float>;
// Of a row and an output, by lane.
using Sums = float[Floats::size()];

// `count` weights of an output, from input `from` on, as float; all of them, where they are stored so.
struct Floats32 {
  const float* data;
  int64_t inputs;
  const float* asFloats() const { return data; }
  void read(int64_t output, int64_t from, int64_t count, float* __restrict to) const {
    std::memcpy(to, data + output * inputs + from, static_cast<size_t>(count) * sizeof(float));
  }
};
struct Bfloats16 {
  const uint16_t* data;
  int64_t inputs;
  static constexpr const float* asFloats() { return nullptr; }
  void read(int64_t output, int64_t from, int64_t count, float* __restrict to) const {
    const uint16_t* __restrict in = data + output * inputs + from;
    for (int64_t i = 0; i < count; ++i) to[i] = std::bit_cast<float>(static_cast<uint32_t>(in[i]) << 16);
  }
};
struct Integers8 {
  const int8_t* data;
  int64_t inputs;
  static constexpr const float* asFloats() { return nullptr; }
  void read(int64_t output, int64_t from, int64_t count, float* __restrict to) const {
    const int8_t* __restrict in = data + output * inputs + from;
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(in[i]);
  }
};
// A group of 32: byte i holds number i and, above it, number 16 + i. Not inlined, or the loops are not vectorized: bytes may
// be anything's.
[[gnu::noinline]] void readGroup(const uint8_t* __restrict in, float scale, float low, float* __restrict to) {
  for (int i = 0; i < 16; ++i) to[i] = static_cast<float>(in[i] & 15) * scale + low;
  for (int i = 0; i < 16; ++i) to[i + 16] = static_cast<float>(in[i] >> 4) * scale + low;
}
// `from` and `count` are whole groups.
struct Integers4 {
  static constexpr int64_t group = 32;
  const uint8_t* data;
  const uint16_t* scales;
  int64_t inputs;
  static constexpr const float* asFloats() { return nullptr; }
  void read(int64_t output, int64_t from, int64_t count, float* to) const {
    const int64_t before = (output * inputs + from) / group;
    for (int64_t i = 0; i < count / group; ++i) {
      const uint16_t* pair = scales + (before + i) * 2;
      const auto scale = std::bit_cast<float>(static_cast<uint32_t>(pair[0]) << 16);
      const auto low = std::bit_cast<float>(static_cast<uint32_t>(pair[1]) << 16);
      readGroup(data + (before + i) * group / 2, scale, low, to + i * group);
    }
  }
};

// Adds the products of `count` inputs, a multiple of the lanes, for R rows and O outputs, whose weights are `stride` apart.
template <int64_t R, int64_t O>
void addProducts(const float* x, int64_t inputs, const float* weights, int64_t stride, int64_t count, Sums* sums) {
  Floats totals[R][O];
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t o = 0; o < O; ++o) totals[r][o] = Floats::loadu(sums[r * outputBlock + o]);
  }
  for (int64_t i = 0; i < count; i += Floats::size()) {
    Floats values[R];
    for (int64_t r = 0; r < R; ++r) values[r] = Floats::loadu(x + r * inputs + i);
    for (int64_t o = 0; o < O; ++o) {
      const auto weight = Floats::loadu(weights + o * stride + i);
      for (int64_t r = 0; r < R; ++r) totals[r][o] = at::vec::fmadd(values[r], weight, totals[r][o]);
    }
  }
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t o = 0; o < O; ++o) totals[r][o].store(sums[r * outputBlock + o]);
  }
}

template <typename Weights>
void linearBy(const Weights& weights, const float* scales, int64_t inputs, int64_t outputs, int64_t rows, const float* x,
              float* y) {
  constexpr int64_t half = outputBlock / 2;
  const int64_t inLanes = inputs / Floats::size() * Floats::size();
  const int64_t blocks = (outputs + outputBlock - 1) / outputBlock;
  const int64_t perThread = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, outputBlock * inputs * rows));
  at::parallel_for(0, blocks, perThread, [&](int64_t begin, int64_t end) {
    std::vector<float> memory(static_cast<size_t>(rows * outputBlock * Floats::size()));
    auto* sums = reinterpret_cast<Sums*>(memory.data());
    alignas(64) float block[outputBlock * inputBlock] = {};
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * outputBlock, some = std::min(outputBlock, outputs - first);
      std::fill(memory.begin(), memory.end(), 0.0F);
      for (int64_t from = 0; from < inLanes; from += inputBlock) {
        const int64_t count = std::min(inputBlock, inLanes - from);
        const float* read = block;
        int64_t stride = inputBlock;
        if (weights.asFloats() && some == outputBlock) {
          read = weights.asFloats() + first * inputs + from;
          stride = inputs;
        } else {
          for (int64_t o = 0; o < some; ++o) weights.read(first + o, from, count, block + o * inputBlock);
        }
        const float* at = x + from;
        int64_t row = 0;
        for (; row + rowBlock <= rows; row += rowBlock) {
          auto* own = sums + row * outputBlock;
          addProducts<rowBlock, half>(at + row * inputs, inputs, read, stride, count, own);
          addProducts<rowBlock, half>(at + row * inputs, inputs, read + half * stride, stride, count, own + half);
        }
        for (; row < rows; ++row) {
          addProducts<1, outputBlock>(at + row * inputs, inputs, read, stride, count, sums + row * outputBlock);
        }
      }
      float tail[Floats::size()];
      for (int64_t o = 0; o < some; ++o) {
        if (inLanes < inputs) weights.read(first + o, inLanes, inputs - inLanes, tail);
        for (int64_t row = 0; row < rows; ++row) {
          float total = 0;
          for (const float lane : sums[row * outputBlock + o]) total += lane;
          for (int64_t i = inLanes; i < inputs; ++i) total += x[row * inputs + i] * tail[i - inLanes];
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
