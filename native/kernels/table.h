// Kernels of our own as one table of functions per instruction set: vectorized.cpp is compiled once for each, and
// arguments.h takes the table that fits the processor. Plain pointers only, so that no inline code of libtorch is
// compiled for an instruction set the processor may not have.
#pragma once

#include <cstdint>

namespace understudy {

enum class Type { f32, f64, bf16 };

// Rows of `dim` adjacent elements: that of token t and head h begins at data + t · token + h · head.
struct Rows {
  void* data;
  int64_t token;
  int64_t head;
};

struct RowsShape {
  int64_t tokens;
  int64_t heads;
  int64_t dim;
};

// Scores of queries that stand at the end of their keys: row r is query r % queries, and sees `keys - queries` keys more
// than its own place says; of them the last `window`.
struct Causal {
  int64_t rows;
  int64_t queries;
  int64_t keys;
  int64_t window;
};

// How weights of a linear layer are stored. int8: times their output's scale. int4: in groups of 32 of an output, 16 bytes
// a group, byte i holding weight i in its lower and weight 16 + i in its upper half; times the group's scale, plus its low.
enum class Stored { f32, bf16, int8, int4 };

// weight [outputs, inputs] as stored; scales: float [outputs] for int8, bf16 [outputs, groups, (scale, low)] for int4.
struct Linear {
  Stored stored;
  int64_t inputs;
  int64_t outputs;
  const void* weight;
  const void* scales;
};

// One token more for every row of a key/value cache [rows, keyValueHeads, capacity, dim]: row r holds held[r] tokens.
struct AttendStep {
  int64_t rows;
  int64_t heads;
  int64_t keyValueHeads;
  int64_t dim;
  int64_t capacity;
  int64_t window;
  double scale;
  const int64_t* held;
};

// Adjacent rows of a pack. A family's first run is its trunk, which sees itself; the others see the trunk, then themselves.
struct Run {
  int64_t from;
  int64_t length;
};
// families [count + 1]: the first run of each, and where the last one ends. `window`: of the keys up to its own, how many a
// query sees.
struct AttendRuns {
  const Run* runs;
  const int64_t* families;
  int64_t count;
  int64_t heads;
  int64_t keyValueHeads;
  int64_t dim;
  int64_t window;
  double scale;
};

// Which elements of a matrix [rows, width] are zeroed: that of row r and column c where, as signed numbers,
// mixed(mixed(r ^ rowKey) ^ mixed(c ^ columnKey)) < limit. By operators: src/model/adapter-dropout.ts.
struct Drop {
  int64_t rows;
  int64_t width;
  uint32_t rowKey;
  uint32_t columnKey;
  int32_t limit;
};

struct AdamW {
  double learningRate, beta1, beta2, epsilon, weightDecay, gradientScale, correction1, correction2;
};

// `accumulator`: double where the type is f64, else float.
struct Kernels {
  void (*rmsNorm)(Type, RowsShape, Rows x, const void* weight, double epsilon, Rows y, void* accumulatorRstd);
  // gradX += …; gradWeight is overwritten.
  void (*rmsNormBackward)(Type, RowsShape, Rows gradY, Rows x, const void* weight, const void* accumulatorRstd,
                          Rows gradX, void* accumulatorGradWeight);
  void (*swiglu)(Type, int64_t tokens, int64_t width, Rows gate, Rows up, void* out);
  void (*swigluBackward)(Type, int64_t tokens, int64_t width, const void* gradOut, const void* gateUp, void* gradGateUp,
                         void* out);
  // sign -1 turns back.
  void (*rotate)(Type, RowsShape, Rows x, const void* cos, const void* sin, double sign);
  void (*causalSoftmax)(Type, Causal, double scale, void* scores);
  void (*causalSoftmaxBackward)(Type, Causal, double scale, const void* weights, void* grad);
  void (*tokenLogprobs)(Type, int64_t rows, int64_t vocab, const int64_t* targets, const void* logits,
                        void* accumulatorLogprobs);
  // Overwrites logits by each row's scale · their gradient; scales and losses [rows] accumulator.
  void (*crossEntropy)(Type, int64_t rows, int64_t vocab, const int64_t* targets, const void* accumulatorScales,
                       void* logits, void* accumulatorLosses);
  double (*sumOfSquares)(Type, int64_t count, const void* values);
  void (*transpose)(Type, int64_t rows, int64_t columns, const void* in, void* out);
  // shadow may be null.
  void (*adamw)(Type master, Type gradient, int64_t count, const AdamW&, void* master_, const void* gradient_, void* first,
                void* second, void* shadowBf16);
  // out may be x.
  void (*drop)(Type, const Drop&, const void* x, void* out);
  // y [rows, outputs] = x [rows, inputs] · weightᵀ
  void (*linear)(const Linear&, int64_t rows, const float* x, float* y);
  // Appends key and value [rows, keyValueHeads, dim] to the cache; query and out [rows, heads, dim].
  void (*attendStep)(Type, const AttendStep&, const void* query, const void* key, const void* value, void* cacheKey,
                     void* cacheValue, void* out);
  // Rows of `packed`: queries of all heads, keys, values, each [dim]; so many elements lie between two rows. out and gradOut
  // [rows, heads, dim].
  void (*attendRuns)(Type, const AttendRuns&, const void* packed, int64_t apart, void* out);
  void (*attendRunsBackward)(Type, const AttendRuns&, const void* gradOut, const void* packed, int64_t apart,
                             void* gradPacked, int64_t gradApart);
};

const Kernels& kernelsDefault();
#ifdef UNDERSTUDY_X86
const Kernels& kernelsAvx2();
const Kernels& kernelsAvx512();
#endif

}  // namespace understudy
