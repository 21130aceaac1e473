/** The kernels of decoding: few rows by weights as they are stored, and attention of one token more a row. */
import { it } from 'vitest';
import { wholeWeight } from '../../src/model/quantize.ts';
import { addon } from '../../src/native/load.ts';
import { fromIntegers } from '../../src/torch/convert.ts';
import { attendStep, linearOfFewRows } from '../../src/torch/kernels.ts';
import { machine } from '../../src/torch/machine.ts';
import * as ops from '../../src/torch/ops.ts';
import { type Dtype, scope, type Tensor } from '../../src/torch/tensor.ts';
import { random } from './kernel-cases.ts';
import { expectClose, expectSameBytes, tolerances } from './kernel-run.ts';

type Stored = 'float32' | 'bfloat16' | 'int8' | 'int4';

/** Numbers over the whole range, and scales that differ by row and group. */
function storedWeight(stored: Stored, out: number, inputs: number): { numbers: Tensor; scales: Tensor | undefined } {
  if (stored === 'float32' || stored === 'bfloat16') {
    return { numbers: random([out, inputs], stored, 'weight'), scales: undefined };
  }
  if (stored === 'int8') {
    const numbers = ops.toDtype(ops.mulScalar(random([out, inputs], 'float32', 'weight'), 60), 'int8');
    return { numbers, scales: ops.mulScalar(random([out], 'float32', 'scales'), 0.01) };
  }
  const bytes = fromIntegers(
    Array.from({ length: (out * inputs) / 2 }, (_, i) => (i * 37 + (i >> 3)) % 256),
    [out, inputs / 2],
  );
  return { numbers: ops.toDtype(bytes, 'uint8'), scales: random([out, inputs / 32, 2], 'bfloat16', 'scales') };
}

const storeds: readonly Stored[] = ['float32', 'bfloat16', 'int8', 'int4'];

it.each(storeds)('multiplies by the weight that is stored: %s', (stored) => {
  const sizes = stored === 'int4' ? [32, 544, 1056] : [3, 8, 61, 512, 1029];
  for (const inputs of sizes) {
    for (const [rows, out] of [
      [1, 17],
      [2, 8],
      [3, 5],
      [7, 33],
      [0, 8],
    ] as const) {
      scope(() => {
        const weight = storedWeight(stored, out, inputs);
        const x = random([rows, inputs], 'float32', 'x', rows);
        const expected = ops.toDtype(ops.linear(ops.toDtype(x, 'float64'), wholeWeight(weight, 'float64')), 'float32');
        expectClose(linearOfFewRows(x, weight.numbers, weight.scales ?? null), expected, tolerances.float32);
      });
    }
  }
});

it('rounds once where it computes for bf16', () => {
  scope(() => {
    const weight = storedWeight('int8', 24, 100);
    const x = random([4, 100], 'bfloat16', 'x');
    const y = linearOfFewRows(x, weight.numbers, weight.scales ?? null);
    const exact = linearOfFewRows(ops.toDtype(x, 'float32'), weight.numbers, weight.scales ?? null);
    expectSameBytes(y, ops.toDtype(exact, 'bfloat16'));
  });
});

it('multiplies bf16 by bf16, where processors add pairs themselves and where they do not', () => {
  for (const inputs of [3, 8, 61, 512, 1029]) {
    for (const [rows, out] of [
      [1, 17],
      [3, 5],
      [7, 33],
      [0, 8],
    ] as const) {
      scope(() => {
        const weight = random([out, inputs], 'bfloat16', 'weight');
        const x = random([rows, inputs], 'bfloat16', 'x', rows);
        const exact = ops.linear(ops.toDtype(x, 'float64'), ops.toDtype(weight, 'float64'));
        expectClose(linearOfFewRows(x, weight, null), ops.toDtype(exact, 'bfloat16'), tolerances.bfloat16);
      });
    }
  }
});

it.each([...storeds.map((stored) => [stored, 'float32'] as const), ['bfloat16', 'bfloat16'] as const])(
  'gives a row the same bits in any company, on any number of threads: %s weights, %s rows',
  (stored, dtype) => {
    const { threads } = machine();
    try {
      scope(() => {
        const weight = storedWeight(stored, 777, 608);
        const x = random([9, 608], dtype, 'x');
        const together = linearOfFewRows(x, weight.numbers, weight.scales ?? null);
        for (const count of [1, 2, 3]) {
          addon().setThreads(count);
          for (const [from, rows] of [
            [0, 9],
            [0, 1],
            [3, 1],
            [2, 2],
            [4, 3],
            [1, 7],
            [2, 6],
          ] as const) {
            const some = linearOfFewRows(ops.narrow(x, 0, from, rows), weight.numbers, weight.scales ?? null);
            expectSameBytes(some, ops.narrow(together, 0, from, rows));
          }
        }
      });
    } finally {
      addon().setThreads(threads);
    }
  },
);

const heads = { all: 6, keyValue: 2 };

/** Row by row, over what the row holds alone. */
function attendClearly(
  query: Tensor,
  [key, value]: readonly [Tensor, Tensor],
  caches: readonly [Tensor, Tensor],
  held: readonly number[],
  scale: number,
  window: number | undefined,
): Tensor {
  const dim = query.size(2);
  const rows = held.map((count, row) => {
    const perHead = Array.from({ length: heads.all }, (_, head) => {
      const shared = Math.floor(head / (heads.all / heads.keyValue));
      const from = window === undefined ? 0 : Math.max(0, count + 1 - window);
      const [keys, values] = ([key, value] as const).map((own, i) => {
        const old = ops.narrow(ops.select(ops.select(caches[i] as Tensor, 0, row), 0, shared), 0, 0, count);
        const all = ops.cat([old, ops.narrow(ops.select(own, 0, row), 0, shared, 1)], 0); // [count + 1, dim]
        return ops.toDtype(ops.narrow(all, 0, from, count + 1 - from), 'float64');
      }) as [Tensor, Tensor];
      const q = ops.toDtype(ops.narrow(ops.select(query, 0, row), 0, head, 1), 'float64'); // [1, dim]
      const weights = ops.softmax(ops.mulScalar(ops.matmul(q, ops.transpose(keys, 0, 1)), scale), -1);
      return ops.matmul(weights, values);
    });
    return ops.view(ops.cat(perHead, 0), [1, heads.all, dim]);
  });
  return ops.toDtype(ops.cat(rows, 0), query.dtype);
}

it.each([
  ['float64', 64, undefined],
  ['float32', 64, undefined],
  ['float32', 20, 5],
  ['bfloat16', 64, undefined],
  ['bfloat16', 32, 3],
] as const)(
  'attends over what each row holds and its new token: %s, heads of %i, window %s',
  (dtype: Dtype, dim, window) => {
    scope(() => {
      const held = [0, 1, 39, 17, 4];
      const rows = held.length;
      const cache = (name: string) => random([rows, heads.keyValue, 41, dim], dtype, name);
      const caches = [cache('keys'), cache('values')] as const;
      const own = [
        random([rows, heads.keyValue, dim], dtype, 'k'),
        random([rows, heads.keyValue, dim], dtype, 'v'),
      ] as const;
      const query = ops.mulScalar(random([rows, heads.all, dim], dtype, 'q'), 2);
      const expected = attendClearly(query, own, caches, held, 0.3, window);
      const before = caches.map((tensor) => ops.clone(tensor));
      const counts = fromIntegers(held, [rows]);
      const out = attendStep(query, ...own, ...caches, counts, 0.3, window ?? null);
      expectClose(out, expected, tolerances[dtype as keyof typeof tolerances]);
      // The new tokens are in the caches, and nothing else has changed.
      caches.forEach((tensor, i) => {
        held.forEach((count, row) => {
          ops.copyInto(
            ops.select(ops.select(before[i] as Tensor, 0, row), 1, count),
            ops.select(own[i] as Tensor, 0, row),
          );
        });
        expectSameBytes(tensor, before[i] as Tensor);
      });
      // Alone as in company.
      const part = (tensor: Tensor) => ops.clone(ops.narrow(tensor, 0, 2, 1));
      const [keys, values] = caches.map(part) as [Tensor, Tensor];
      const single = attendStep(
        part(query),
        part(own[0]),
        part(own[1]),
        keys,
        values,
        fromIntegers([39], [1]),
        0.3,
        window ?? null,
      );
      expectSameBytes(single, ops.narrow(out, 0, 2, 1));
    });
  },
);
