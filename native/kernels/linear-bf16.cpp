// y = x · weightᵀ for few rows of bf16 by weights of bf16, on processors that add products of pairs themselves (AVX512_BF16).
// The weights are read once, as they are stored, and nothing is widened. An element of y is the same to the bit however
// many rows are computed with it: pairs are added lane by lane in the order of the inputs, then the lanes; rounded once.
#include <ATen/Parallel.h>
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "linear-bf16.h"

namespace understudy {

namespace {

// Inputs of a register. Rows and outputs at a time: as many sums as one register has lanes.
constexpr int64_t span = 32, rowBlock = 4, outputBlock = 4;
// So few wait for memory alone, which is fastest when outputs are read one by one.
constexpr int64_t fewRows = 2;

__m512bh pairsAt(const uint16_t* from, __mmask32 which = ~__mmask32(0)) {
  return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(which, from));
}

// Lane i of the result: the lanes of sums[i], added. All go through the same additions.
[[gnu::always_inline]] inline __m512 addLanes(const __m512 (&sums)[rowBlock * outputBlock]) {
  const auto halves = [](__m512 a, __m512 b) { return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); };
  const auto quarters = [](__m512 a, __m512 b) {
    const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  };
  const auto across = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  __m512 fours[4];
#pragma GCC unroll 4
  for (int64_t i = 0; i < 4; ++i) {
    fours[i] = quarters(halves(sums[4 * i], sums[4 * i + 1]), halves(sums[4 * i + 2], sums[4 * i + 3]));
  }
  return across(across(fours[0], fours[1]), across(fours[2], fours[3]));
}

struct Product {
  const uint16_t* x;
  const uint16_t* weight;
  uint16_t* y;
  int64_t inputs, outputs;
};

// The products of a register of inputs. Inlined, for the compiler leaves the sums in memory otherwise.
template <int64_t R, int64_t O>
[[gnu::always_inline]] inline void addPairs(const uint16_t* x, const uint16_t* weight, int64_t inputs, __mmask32 which,
                                            __m512 (&sums)[rowBlock * outputBlock]) {
  __m512bh rows[R];
#pragma GCC unroll 4
  for (int64_t r = 0; r < R; ++r) rows[r] = pairsAt(x + r * inputs, which);
#pragma GCC unroll 4
  for (int64_t o = 0; o < O; ++o) {
    const __m512bh weights = pairsAt(weight + o * inputs, which);
#pragma GCC unroll 4
    for (int64_t r = 0; r < R; ++r) {
      sums[r * outputBlock + o] = _mm512_dpbf16_ps(sums[r * outputBlock + o], rows[r], weights);
    }
  }
}

// Memory that will be wanted next, asked for in order, `bytes` of it for every register of inputs: where several outputs are
// read at once the processor does not guess it, and memory is slower for reads in several places.
struct Ahead {
  const char* from;
  int64_t bytes;
};

// R rows from `row` on, O outputs from `output` on.
template <int64_t R, int64_t O>
void multiplyTile(const Product& product, int64_t row, int64_t output, Ahead ahead) {
  const int64_t inputs = product.inputs;
  const uint16_t* x = product.x + row * inputs;
  const uint16_t* weight = product.weight + output * inputs;
  __m512 sums[rowBlock * outputBlock];
#pragma GCC unroll 16
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + span <= inputs; i += span) {
    addPairs<R, O>(x + i, weight + i, inputs, ~__mmask32(0), sums);
    for (int64_t byte = 0; byte < ahead.bytes; byte += 64) _mm_prefetch(ahead.from + byte, _MM_HINT_T0);
    ahead.from += ahead.bytes;
  }
  if (i < inputs) addPairs<R, O>(x + i, weight + i, inputs, (__mmask32(1) << (inputs - i)) - 1, sums);
  alignas(32) uint16_t rounded[rowBlock * outputBlock];
  _mm256_store_si256(reinterpret_cast<__m256i*>(rounded), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(addLanes(sums))));
#pragma GCC unroll 4
  for (int64_t r = 0; r < R; ++r) {
    std::memcpy(product.y + (row + r) * product.outputs + output, rounded + r * outputBlock, O * sizeof(uint16_t));
  }
}

// All rows, O outputs from `output` on. What follows in memory is asked for meanwhile, but where outputs are read one by one.
template <int64_t O>
void multiplyOutputs(const Product& product, int64_t rows, int64_t output) {
  const int64_t passes = (rows + rowBlock - 1) / rowBlock;
  const auto* next = reinterpret_cast<const char*>(product.weight + (output + O) * product.inputs);
  const int64_t bytes = O == 1 ? 0 : O * span * 2 / passes;
  for (int64_t pass = 0; pass < passes; ++pass) {
    const int64_t row = pass * rowBlock;
    const Ahead ahead{next + pass * bytes * (product.inputs / span), bytes};
    switch (std::min(rowBlock, rows - row)) {
      case 1: multiplyTile<1, O>(product, row, output, ahead); break;
      case 2: multiplyTile<2, O>(product, row, output, ahead); break;
      case 3: multiplyTile<3, O>(product, row, output, ahead); break;
      default: multiplyTile<rowBlock, O>(product, row, output, ahead);
    }
  }
}

}  // namespace

void linearBf16(int64_t inputs, int64_t outputs, int64_t rows, const void* weight, const void* x, void* y) {
  const Product product{static_cast<const uint16_t*>(x), static_cast<const uint16_t*>(weight), static_cast<uint16_t*>(y),
                        inputs, outputs};
  const int64_t blocks = (outputs + outputBlock - 1) / outputBlock;
  const int64_t perThread = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, outputBlock * inputs * rows));
  at::parallel_for(0, blocks, perThread, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * outputBlock, last = std::min(outputs, first + outputBlock);
      if (last - first < outputBlock || rows <= fewRows) {
        for (int64_t output = first; output < last; ++output) multiplyOutputs<1>(product, rows, output);
      } else {
        multiplyOutputs<outputBlock>(product, rows, first);
      }
    }
  });
}

}  // namespace understudy
