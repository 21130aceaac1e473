/**
 * Kernels of our own for the CPU (native/kernels): what one pass over memory can do in place of several operators. They
 * know nothing of autograd: a forward and its backward are called by hand (src/train). T is float32, float64 or bfloat16;
 * arithmetic is in float32 (float64 for float64). The slow clear versions of all of them stand in
 * test/torch/kernels.test.ts.
 */
import { plainOperator, tensorOperator, tensorsOperator } from './operator.ts';
import type { Tensor } from './tensor.ts';

/** x [tokens, dim] or [tokens, heads, dim], weight [dim], epsilon → y as x, rstd [tokens · heads]. */
export const rmsNormForward = tensorsOperator<[Tensor, Tensor, number]>('understudy::rms_norm');
/** gradX += …; gradY, x, weight, rstd → the weight's gradient [dim], in float32 (float64). */
export const rmsNormBackwardInto = tensorOperator<[Tensor, Tensor, Tensor, Tensor, Tensor]>(
  'understudy::rms_norm_backward_',
);
/** out [tokens, width] = silu(gate) · up, both [tokens, width] with adjacent elements. */
export const swigluInto = plainOperator<undefined, [Tensor, Tensor, Tensor]>('understudy::swiglu_');
/** gradGateUp and, once more, out, from gradOut and gateUp [tokens, 2 · width], a row being gate, then up. */
export const swigluBackwardInto = plainOperator<undefined, [Tensor, Tensor, Tensor, Tensor]>(
  'understudy::swiglu_backward_',
);
/** x [tokens, heads, dim] in place; cos and sin of `Rotation`; sign -1 turns back: the backward. */
export const rotateInto = plainOperator<undefined, [Tensor, Tensor, Tensor, number]>('understudy::rotate_');
/**
 * scores […, queries, keys] in place → softmax of scale · scores over the keys a query may see: those up to its own
 * place (queries stand at the end of the keys), of them the last `window`.
 */
export const causalSoftmaxInto = plainOperator<undefined, [Tensor, number, number, (number | null)?]>(
  'understudy::causal_softmax_',
);
/** grad of the weights in place → of the scores; weights, queries, scale, window. */
export const causalSoftmaxBackwardInto = plainOperator<undefined, [Tensor, Tensor, number, number, (number | null)?]>(
  'understudy::causal_softmax_backward_',
);
/** logits [rows, vocab], targets [rows] → log p of each target, in nats; fp32 for bf16 too. */
export const tokenLogprobs = tensorOperator<[Tensor, Tensor]>('understudy::token_logprobs');
/** logits [rows, vocab] in place → each row's scale · their gradient; targets [rows], scales [rows] fp32; Σ loss in nats. */
export const crossEntropyInto = plainOperator<number, [Tensor, Tensor, Tensor]>('understudy::cross_entropy_');
export const sumOfSquares = plainOperator<number, [Tensor]>('understudy::sum_of_squares');
/** out [columns, rows] from values [rows, columns]. */
export const transposeInto = plainOperator<undefined, [Tensor, Tensor]>('understudy::transpose_');
/** Arguments: master, gradient, first and second moment, working copy, step, learning rate, β₁, β₂, ε, decay, scale. */
export const adamwInto = plainOperator<
  undefined,
  [Tensor, Tensor, Tensor, Tensor, Tensor | null, number, number, number, number, number, number, number]
>('understudy::adamw_');
/**
 * out = x [rows, width] with elements zeroed by where they stand; row key, column key, limit: native/kernels/table.h. `out`
 * may be x.
 */
export const dropInto = plainOperator<undefined, [Tensor, Tensor, number, number, number]>('understudy::drop_');
/**
 * x [rows, in] · weightᵀ → [rows, out] in x's dtype, added in float32. Weight [out, in] as float32 or bfloat16; int8 with
 * scales float32 [out]; or 4 bits, uint8 [out, in / 2] with scales bfloat16 [out, in / 32, 2]: scale and low of 32 weights,
 * of which byte i holds weight i and, above it, weight 16 + i. For few rows; each is the same to the bit whatever the others.
 */
export const linearOfFewRows = tensorOperator<[Tensor, Tensor, Tensor | null]>('understudy::linear');
/**
 * Products of matrices of which one may be bf16 and the other float32, whose rows or columns are adjacent: added in float32,
 * rounded once, into a's dtype. On processors that do not multiply bf16 (products.ts).
 */
export const mmWidened = tensorOperator<[Tensor, Tensor]>('understudy::mm_widened');
/** The same for every matrix of a batch: [batch, rows, inner] · [batch, inner, columns]. */
export const bmmWidened = tensorOperator<[Tensor, Tensor]>('understudy::bmm_widened');
/** out = addend ([rows, columns], which may be out, or [columns]; null: none) + scale · a · b */
export const mmWidenedInto = plainOperator<undefined, [Tensor, Tensor | null, Tensor, Tensor, number]>(
  'understudy::mm_widened_',
);
/**
 * Attention of one token more a row: query [rows, heads, dim] → [rows, heads, dim]. Key and value [rows, keyValueHeads, dim]
 * are written into their caches [rows, keyValueHeads, capacity, dim] behind the tokens each row holds, int64 [rows]; then
 * scale and window.
 */
export const attendStep =
  tensorOperator<[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, number, (number | null)?]>('understudy::attend_step');
/**
 * Attention within short documents, or families of them, side by side: out [rows, heads · dim] of packed
 * [rows, (heads + 2 · keyValueHeads) · dim], a row being queries, keys, values. Runs [runs, 3], int64: first row, rows, and 1
 * where a family begins: that run is its trunk, which sees itself, causally; those behind it see the trunk, then themselves.
 * Rows of no run are left alone. Then heads, keyValueHeads, scale, window.
 */
export const attendRunsInto = plainOperator<
  undefined,
  [Tensor, Tensor, Tensor, number, number, number, (number | null)?]
>('understudy::attend_runs_');
/** gradPacked from gradOut, packed, runs, heads, keyValueHeads, scale, window; the weights are computed again. */
export const attendRunsBackwardInto = plainOperator<
  undefined,
  [Tensor, Tensor, Tensor, Tensor, number, number, number, (number | null)?]
>('understudy::attend_runs_backward_');
export const threadsUsed = plainOperator<number, [number]>('understudy::threads_used');
