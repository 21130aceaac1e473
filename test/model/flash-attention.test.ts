/**
 * Flash attention has kernels for CUDA alone, and no GPU is here: that our call fits the operator is tested with the
 * operator, that it says the right thing with a slow reading of its documentation in its place
 * (torch.nn.attention.varlen in PyTorch 2.13).
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { type AttendingModel, PackedAttention } from '../../src/model/attention.ts';
import { attendFlash, documentBounds, flashFits } from '../../src/model/flash-attention.ts';
import { addon } from '../../src/native/load.ts';
import { fromFloat32, toFloat32, toIntegers } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { toDtype } from '../../src/torch/ops.ts';
import { scope, type Tensor } from '../../src/torch/tensor.ts';

const name = 'aten::_flash_attention_forward';
/** Whether the operator's documentation stands in for it. */
let isRead = false;
vi.mock(import('../../src/torch/operator.ts'), async (original) => {
  const { tensorsOperator, ...others } = await original();
  const make = (operator: string) => {
    const real = tensorsOperator<Parameters<typeof byTheBook>>(operator);
    return (...args: Parameters<typeof byTheBook>) =>
      isRead && operator === name ? [byTheBook(...args)] : real(...args);
  };
  return { ...others, tensorsOperator: make as unknown as typeof tensorsOperator };
});
afterEach(() => {
  isRead = false;
});

/** Document after document, query after query: a query sees `left` tokens before its own and `right` after it, -1 for all. */
function byTheBook(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  offsetsOfQueries: Tensor,
  offsetsOfKeys: Tensor,
  longestQuery: number,
  longestKey: number,
  dropout: number,
  isCausal: boolean,
  _debug: boolean,
  scale: number,
  left: number,
  right: number,
): Tensor {
  const [tokens, heads, dim] = query.shape as [number, number, number];
  const group = heads / key.size(1);
  const [q, k, v] = [query, key, value].map(toFloat32) as [Float32Array, Float32Array, Float32Array];
  const at = (x: Float32Array, token: number, head: number, of: number) =>
    x.subarray((token * of + head) * dim, (token * of + head + 1) * dim);
  const bounds = toIntegers(offsetsOfQueries);
  expect(offsetsOfQueries.dtype).toBe('int32');
  expect(toIntegers(offsetsOfKeys)).toEqual(bounds);
  expect([longestQuery, longestKey]).toEqual(
    Array(2).fill(Math.max(...bounds.slice(1).map((to, i) => to - bounds[i]!))),
  );
  expect([bounds[0], bounds.at(-1), dropout]).toEqual([0, tokens, 0]);
  const out = new Float32Array(tokens * heads * dim);
  bounds.slice(1).forEach((to, document) => {
    for (let i = bounds[document]!; i < to; i++) {
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head / group);
        const seen = Array.from({ length: to - bounds[document]! }, (_, j) => bounds[document]! + j).filter(
          (j) => (left < 0 || j >= i - left) && (right < 0 || j <= i + right) && !(isCausal && j > i),
        );
        const own = at(q, i, head, heads);
        const weights = seen.map((j) =>
          Math.exp(scale * at(k, j, shared, heads / group).reduce((sum, x, d) => sum + x * own[d]!, 0)),
        );
        const total = weights.reduce((a, b) => a + b, 0);
        const result = at(out, i, head, heads);
        seen.forEach((j, n) => {
          at(v, j, shared, heads / group).forEach((x, d) => {
            result[d] = result[d]! + (weights[n]! / total) * x;
          });
        });
      }
    }
  });
  return fromFloat32(out, [tokens, heads, dim]);
}

const shape = { heads: 4, keyValueHeads: 2, dim: 8 };
const lengths = [7, 1, 12];

/** Query, key and value of all tokens. */
function inputs(): [Tensor, Tensor, Tensor] {
  const of = (part: string, heads: number): Tensor => {
    const rng = new Rng('flash', 1, part);
    const values = Float32Array.from({ length: 20 * heads * shape.dim }, () => 2 * rng.uniform() - 1);
    return fromFloat32(values, [20, heads, shape.dim]);
  };
  return [of('query', shape.heads), of('key', shape.keyValueHeads), of('value', shape.keyValueHeads)];
}

describe('the call', () => {
  it('is to the operator that this libtorch has', () => {
    const schema = addon().schema(addon().operator(name, ''));
    expect(schema).toContain(
      `${name}(Tensor query, Tensor key, Tensor value, Tensor? cum_seq_q, Tensor? cum_seq_k, SymInt max_q, ` +
        'SymInt max_k, float dropout_p, bool is_causal, bool return_debug_mask, *, float? scale=None, ' +
        'SymInt? window_size_left=None, SymInt? window_size_right=None',
    );
  });

  it.each([undefined, 3])('fits it: what is missing is a kernel for the CPU, window %s', (window) => {
    scope(() => {
      const [query, key, value] = inputs().map((x) => toDtype(x, 'bfloat16')) as [Tensor, Tensor, Tensor];
      const call = () => attendFlash(query, key, value, documentBounds(lengths), window);
      expect(call).toThrow(/Could not run .*_flash_attention_forward.* 'CPU' backend/s);
      query.requiresGrad();
      expect(call).toThrow(/Could not run .*_flash_attention_forward.* 'CPU' backend/s);
    });
  });
});

it('is for CUDA in half precision, and heads that its kernels take', () => {
  expect(flashFits('cuda:0', 'bfloat16', 128)).toBe(true);
  expect(flashFits('cuda:1', 'float16', 64)).toBe(true);
  expect(flashFits('cuda:0', 'float32', 128)).toBe(false);
  expect(flashFits('cpu', 'bfloat16', 128)).toBe(false);
  expect(flashFits('cuda:0', 'bfloat16', 260)).toBe(false);
  expect(flashFits('cuda:0', 'bfloat16', 20)).toBe(false);
});

it.each([
  ['all before', [undefined]],
  ['the last 4', [4]],
  ['a window that hides nothing', [12]],
])('attends as the other ways do: %s', (_, windows) => {
  isRead = true;
  scope(() => {
    const [query, key, value] = inputs();
    const model = (device: string, dtype: AttendingModel['dtype']): AttendingModel => {
      return { device, dtype, config: { windows, headDim: shape.dim }, rotation: () => undefined };
    };
    const attended = (device: string, dtype: AttendingModel['dtype']): Float32Array =>
      noGrad(() => toFloat32(new PackedAttention(model(device, dtype), lengths).attend(0, query, key, value)));
    const [ours, expected] = [attended('cuda:0', 'bfloat16'), attended('cpu', 'float32')];
    expect(ours.length).toBe(20 * shape.heads * shape.dim);
    expect(Math.max(...ours.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(1e-5);
  });
});
