// Attention, and its gradient, where documents are short: a run of rows attends to itself, causally, and
// before that to all of its family's trunk. Every family and key/value head is one piece of work with memory of its own,
// in which scores never leave the cache; of several operators a run, each too small for its cost, one call is left.
// An element is the same to the bit on any number of threads: sums are taken in the order of runs, heads and queries.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "lanes.h"
#include "softmax.h"
#include "table.h"

namespace understudy {

namespace {

// Rows of a product at a time: with two registers of columns, as many sums as registers hold.
constexpr int64_t tileRows = 6;
// Queries of a head at a time: few enough for their scores to stay in the first caches.
constexpr int64_t queriesAtOnce = 24;

template <typename A>
int64_t padded(int64_t count) {
  return (count + Lanes<A>::count - 1) / Lanes<A>::count * Lanes<A>::count;
}

// How the rows of a left factor lie: element (r, k) at data + r · row + k · inner.
template <typename A>
struct Left {
  const A* data;
  int64_t row, inner;
};
// Rows of a right factor or of a result: adjacent columns, a multiple of the lanes.
template <typename A>
struct Matrix {
  A* data;
  int64_t width;
  Matrix from(int64_t row, int64_t column = 0) const { return {data + row * width + column, width}; }
};

template <int64_t R, bool add, typename A>
void multiplyTile(int64_t inner, Left<A> left, Matrix<A> right, Matrix<A> out) {
  using V = Vectorized<A>;
  V sums[R][2];
#pragma GCC unroll 6
  for (int64_t r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int64_t half = 0; half < 2; ++half) {
      sums[r][half] = add ? V::loadu(out.data + r * out.width + half * V::size()) : V(A(0));
    }
  }
  for (int64_t k = 0; k < inner; ++k) {
    const A* b = right.data + k * right.width;
    const V columns[2] = {V::loadu(b), V::loadu(b + V::size())};
#pragma GCC unroll 6
    for (int64_t r = 0; r < R; ++r) {
      const V factor(left.data[r * left.row + k * left.inner]);
#pragma GCC unroll 2
      for (int64_t half = 0; half < 2; ++half) sums[r][half] = at::vec::fmadd(factor, columns[half], sums[r][half]);
    }
  }
#pragma GCC unroll 6
  for (int64_t r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int64_t half = 0; half < 2; ++half) sums[r][half].store(out.data + r * out.width + half * V::size());
  }
}

// out [rows, columns] = left [rows, inner] · right [inner, columns], or added to it; `columns` as padded.
template <bool add, typename A>
void multiply(int64_t rows, int64_t columns, int64_t inner, Left<A> left, Matrix<A> right, Matrix<A> out) {
  for (int64_t c = 0; c < columns; c += Lanes<A>::count) {
    const Matrix<A> strip = right.from(0, c);
    const auto at = [&](int64_t r) { return Left<A>{left.data + r * left.row, left.row, left.inner}; };
    const auto to = [&](int64_t r) { return out.from(r, c); };
    int64_t r = 0;
    for (; r + tileRows <= rows; r += tileRows) multiplyTile<tileRows, add>(inner, at(r), strip, to(r));
    switch (rows - r) {
      case 5: multiplyTile<5, add>(inner, at(r), strip, to(r)); break;
      case 4: multiplyTile<4, add>(inner, at(r), strip, to(r)); break;
      case 3: multiplyTile<3, add>(inner, at(r), strip, to(r)); break;
      case 2: multiplyTile<2, add>(inner, at(r), strip, to(r)); break;
      case 1: multiplyTile<1, add>(inner, at(r), strip, to(r)); break;
      default: break;
    }
  }
}

// `count` rows of `dim` elements, as far apart as the tensor's, and rows of `to`.
template <typename T>
void loadRows(const T* from, int64_t apart, int64_t count, int64_t dim, Matrix<Accumulator<T>> to) {
  for (int64_t row = 0; row < count; ++row) {
    const T* in = from + row * apart;
    Accumulator<T>* out = to.data + row * to.width;
    int64_t i = 0;
    for (; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
      const auto lanes = Lanes<T>::load(in + i);
      Lanes<Accumulator<T>>(lanes.low, lanes.high).store(out + i);
    }
    for (; i < dim; ++i) out[i] = value(in[i]);
  }
}
template <typename T>
void storeRows(Matrix<Accumulator<T>> from, int64_t count, int64_t dim, T* to, int64_t apart) {
  for (int64_t row = 0; row < count; ++row) {
    const Accumulator<T>* in = from.data + row * from.width;
    T* out = to + row * apart;
    int64_t i = 0;
    for (; i + Lanes<T>::count <= dim; i += Lanes<T>::count) {
      const auto lanes = Lanes<Accumulator<T>>::load(in + i);
      Lanes<T>(lanes.low, lanes.high).store(out + i);
    }
    for (; i < dim; ++i) out[i] = static_cast<T>(in[i]);
  }
}

// Columns of `to` from rows of `from`.
template <typename A>
void transposeRows(Matrix<A> from, int64_t count, int64_t dim, Matrix<A> to) {
  for (int64_t i = 0; i < dim; ++i) {
    for (int64_t row = 0; row < count; ++row) to.data[i * to.width + row] = from.data[row * from.width + i];
  }
}

// What of the packed rows belongs to a key/value head and to the query heads that share it.
template <typename T>
struct HeadRows {
  T* data;
  int64_t apart;
  int64_t heads, keyValueHeads, dim;

  T* query(int64_t row, int64_t head) const { return data + row * apart + head * dim; }
  T* key(int64_t row, int64_t head) const { return data + row * apart + (heads + head) * dim; }
  T* value(int64_t row, int64_t head) const { return data + row * apart + (heads + keyValueHeads + head) * dim; }
};

// A family's attention under one key/value head and the query heads that share it, in memory that it reuses. The keys are
// the trunk's, then those of the run at hand.
template <typename T>
class FamilyAttention {
  using A = Accumulator<T>;

  // Some queries of a run under one head, and the keys that any of them sees.
  struct Block {
    int64_t head;
    int64_t row, rows;  // of the packed rows
    int64_t place;      // of the first query among the keys
    int64_t from, keys, columns;
  };

 public:
  FamilyAttention(const AttendRuns& shape, const HeadRows<const T>& packed)
      : shape_(shape), packed_(packed), width_(padded<A>(shape.dim)) {
    for (auto* rows : {&queries_, &mixed_, &gradMixed_}) rows->resize(static_cast<size_t>(queriesAtOnce * width_));
  }

  void forward(int64_t family, int64_t head, T* out, int64_t apart) {
    makeRoom(family, {&keys_, &values_, &keysT_});
    eachRun(family, [&](const Run& run, int64_t before) {
      take(run, before, head);
      eachBlock(run, before, head, [&](const Block& block) {
        weigh(block);
        multiply<false, A>(block.rows, width_, block.keys, {scores_.data(), block.columns, 1}, rowsOf(values_).from(block.from),
                        rowsOf(mixed_));
        storeRows<T>(rowsOf(mixed_), block.rows, shape_.dim, out + block.row * apart + block.head * shape_.dim, apart);
      });
    });
  }

  void backward(int64_t family, int64_t head, const T* gradOut, int64_t apart, const HeadRows<T>& grad) {
    makeRoom(family, {&keys_, &values_, &keysT_, &valuesT_, &gradKeys_, &gradValues_});
    const auto put = [&](const Run& run, int64_t before) {
      storeRows<T>(rowsOf(gradKeys_).from(before), run.length, shape_.dim, grad.key(run.from, head), grad.apart);
      storeRows<T>(rowsOf(gradValues_).from(before), run.length, shape_.dim, grad.value(run.from, head), grad.apart);
    };
    eachRun(family, [&](const Run& run, int64_t before) {
      take(run, before, head);
      transposeRows<A>(rowsOf(values_).from(before), run.length, shape_.dim, {valuesT_.data() + before, columns_});
      for (auto* sums : {&gradKeys_, &gradValues_}) std::fill_n(sums->begin() + before * width_, run.length * width_, A(0));
      eachBlock(run, before, head, [&](const Block& block) {
        const Left<A> weights{scores_.data(), block.columns, 1}, gradScores{gradScores_.data(), block.columns, 1};
        const auto transposed = [](Left<A> left) { return Left<A>{left.data, left.inner, left.row}; };
        weigh(block);
        loadRows<T>(gradOut + block.row * apart + block.head * shape_.dim, apart, block.rows, shape_.dim, rowsOf(gradMixed_));
        multiply<false, A>(block.rows, block.columns, shape_.dim, {gradMixed_.data(), width_, 1},
                        {valuesT_.data() + block.from, columns_}, {gradScores_.data(), block.columns});
        for (int64_t row = 0; row < block.rows; ++row) {
          const int64_t start = row * block.columns;
          softmaxRowBackward(&scores_[start], &gradScores_[start], seen(block, row), block.columns, A(shape_.scale));
        }
        multiply<true, A>(block.keys, width_, block.rows, transposed(weights), rowsOf(gradMixed_), rowsOf(gradValues_).from(block.from));
        multiply<true, A>(block.keys, width_, block.rows, transposed(gradScores), rowsOf(queries_), rowsOf(gradKeys_).from(block.from));
        multiply<false, A>(block.rows, width_, block.keys, gradScores, rowsOf(keys_).from(block.from), rowsOf(mixed_));
        storeRows<T>(rowsOf(mixed_), block.rows, shape_.dim, grad.query(block.row, block.head), grad.apart);
      });
      if (before > 0) put(run, before);
    });
    put(shape_.runs[shape_.families[family]], 0);
  }

 private:
  Matrix<A> rowsOf(std::vector<A>& rows) const { return {rows.data(), width_}; }

  // For the trunk and the longest run behind it, and as much more as columns are padded by: what stands there reaches only
  // columns that nothing reads.
  void makeRoom(int64_t family, std::initializer_list<std::vector<A>*> matrices) {
    int64_t trunk = 0, longest = 0;
    eachRun(family, [&](const Run& run, int64_t before) {
      if (before == 0) trunk = run.length;
      else longest = std::max(longest, run.length);
    });
    columns_ = padded<A>(trunk + longest) + Lanes<A>::count;
    const auto grow = [](std::vector<A>& values, int64_t count) {
      if (std::ssize(values) < count) values.resize(static_cast<size_t>(count));
    };
    for (auto* matrix : matrices) grow(*matrix, columns_ * width_);
    for (auto* scores : {&scores_, &gradScores_}) grow(*scores, queriesAtOnce * columns_);
  }

  // `before`: how many keys of the trunk come first.
  template <typename F>
  void eachRun(int64_t family, F run) const {
    const int64_t first = shape_.families[family], end = shape_.families[family + 1];
    for (int64_t i = first; i < end; ++i) run(shape_.runs[i], i == first ? 0 : shape_.runs[first].length);
  }

  template <typename F>
  void eachBlock(const Run& run, int64_t before, int64_t head, F compute) {
    const int64_t group = shape_.heads / shape_.keyValueHeads;
    for (int64_t queryHead = head * group; queryHead < (head + 1) * group; ++queryHead) {
      for (int64_t first = 0; first < run.length; first += queriesAtOnce) {
        const int64_t rows = std::min(queriesAtOnce, run.length - first), place = before + first;
        const int64_t from = std::max<int64_t>(0, place + 1 - shape_.window), keys = place + rows - from;
        compute(Block{queryHead, run.from + first, rows, place, from, keys, padded<A>(keys)});
      }
    }
  }

  // Behind the first `before` keys and values, those of the run.
  void take(const Run& run, int64_t before, int64_t head) {
    loadRows<T>(packed_.key(run.from, head), packed_.apart, run.length, shape_.dim, rowsOf(keys_).from(before));
    loadRows<T>(packed_.value(run.from, head), packed_.apart, run.length, shape_.dim, rowsOf(values_).from(before));
    transposeRows<A>(rowsOf(keys_).from(before), run.length, shape_.dim, {keysT_.data() + before, columns_});
  }

  // Of the block's keys, those that its query `row` sees: [from, to).
  Seen seen(const Block& block, int64_t row) const {
    const int64_t to = block.place + row + 1;
    return {std::max<int64_t>(0, to - shape_.window) - block.from, to - block.from};
  }

  // The scores become weights.
  void weigh(const Block& block) {
    loadRows<T>(packed_.query(block.row, block.head), packed_.apart, block.rows, shape_.dim, rowsOf(queries_));
    multiply<false, A>(block.rows, block.columns, shape_.dim, {queries_.data(), width_, 1}, {keysT_.data() + block.from, columns_},
                    {scores_.data(), block.columns});
    for (int64_t row = 0; row < block.rows; ++row) {
      softmaxRow(&scores_[row * block.columns], seen(block, row), block.columns, A(shape_.scale));
    }
  }

  const AttendRuns& shape_;
  HeadRows<const T> packed_;
  // Of a row of keys, values and queries; of scores of all keys.
  int64_t width_, columns_ = 0;
  std::vector<A> keys_, values_, keysT_, valuesT_, gradKeys_, gradValues_;
  std::vector<A> queries_, mixed_, gradMixed_, scores_, gradScores_;
};

template <typename T>
void attendRuns(const AttendRuns& shape, const void* packed, int64_t apart, void* out) {
  const HeadRows<const T> rows{static_cast<const T*>(packed), apart, shape.heads, shape.keyValueHeads, shape.dim};
  at::parallel_for(0, shape.count * shape.keyValueHeads, 1, [&](int64_t begin, int64_t end) {
    FamilyAttention<T> attention(shape, rows);
    for (int64_t i = begin; i < end; ++i) {
      attention.forward(i % shape.count, i / shape.count, static_cast<T*>(out), shape.heads * shape.dim);
    }
  });
}

template <typename T>
void attendRunsBackward(const AttendRuns& shape, const void* gradOut, const void* packed, int64_t apart, void* gradPacked,
                        int64_t gradApart) {
  const HeadRows<const T> rows{static_cast<const T*>(packed), apart, shape.heads, shape.keyValueHeads, shape.dim};
  const HeadRows<T> grads{static_cast<T*>(gradPacked), gradApart, shape.heads, shape.keyValueHeads, shape.dim};
  at::parallel_for(0, shape.count * shape.keyValueHeads, 1, [&](int64_t begin, int64_t end) {
    FamilyAttention<T> attention(shape, rows);
    for (int64_t i = begin; i < end; ++i) {
      attention.backward(i % shape.count, i / shape.count, static_cast<const T*>(gradOut), shape.heads * shape.dim, grads);
    }
  });
}

}  // namespace

}  // namespace understudy
