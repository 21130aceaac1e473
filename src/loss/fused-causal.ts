/**
 * Cross-entropy of next tokens with its gradient by our kernel: causalLoss (causal.ts) without autograd, for models that
 * end in an RMSNorm. A chunk's logits become their own gradient in place.
 *
 * Legend: tokens = all of a pack; labels = positions whose next token is to be learned; hidden; vocab.
 */
import type { LabelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { crossEntropyInto, rmsNormBackwardInto, rmsNormForward, transposeInto } from '../torch/kernels.ts';
import { full, indexCopyInto, indexSelect, narrow, transpose, zeros, zerosLike } from '../torch/ops.ts';
import { mmInto, wantsRowsAdjacent } from '../torch/products.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

/**
 * Memory for a chunk's products, [rows, columns] or [vocab, hidden]: used again for the next chunk, or the next pack.
 * `room`: elements that the largest will have.
 */
export type Take = (name: string, shape: readonly number[], room: number) => Tensor;

/**
 * hidden [tokens, hidden] is the last block's output; head [vocab, hidden]. `addHeadGradient` gets scale · Σ loss's
 * gradient by the head in parts, which it must copy or add; without it the head is frozen. `maxLabels`: of any pack to come.
 * Returns Σ loss in nats, the gradient by `hidden`, written into `gradHidden`, and that by the norm's weight.
 */
export function fusedCausalLoss(
  gradHidden: Tensor,
  hidden: Tensor,
  norm: { readonly weight: Tensor; readonly epsilon: number },
  head: Tensor,
  labels: LabelPositions,
  scale: number,
  take: Take,
  addHeadGradient: ((part: Tensor) => void) | undefined,
  { maxLabels = 0, chunk = 512 }: { maxLabels?: number; chunk?: number } = {},
): { lossSum: number; gradNorm: Tensor } {
  return scope(() => {
    const count = labels.positions.length;
    const most = Math.min(chunk, Math.max(count, maxLabels));
    const [vocab, width] = head.shape as [number, number];
    const at = fromIntegers(labels.positions, [count]);
    const targets = fromIntegers(labels.targets, [count]);
    const rows = indexSelect(hidden, 0, at); // [labels, hidden]
    const [normed, rstd] = rmsNormForward(rows, norm.weight, norm.epsilon) as [Tensor, Tensor];
    const gradNormed = zerosLike(normed);
    const scales = full([count], scale, rstd.dtype);
    let lossSum = 0;
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      scope(() => {
        const part = narrow(normed, 0, start, length);
        const logits = mmInto(take('logits', [length, vocab], most * vocab), part, transpose(head, 0, 1));
        lossSum += crossEntropyInto(logits, narrow(targets, 0, start, length), narrow(scales, 0, start, length));
        mmInto(narrow(gradNormed, 0, start, length), logits, head);
        if (!addHeadGradient) return;
        const gradHead = take('gradient of the head', [vocab, width], vocab * width);
        addHeadGradient(mmInto(gradHead, transposed(logits, most * vocab, take), part));
      });
    }
    const gradRows = zeros(rows.shape, rows.dtype);
    const gradNorm = rmsNormBackwardInto(gradRows, gradNormed, rows, norm.weight, rstd);
    indexCopyInto(gradHidden, 0, at, gradRows);
    return { lossSum, gradNorm };
  });
}

/** Laid out anew where products want it. */
export function transposed(logits: Tensor, room: number, take: Take): Tensor {
  if (!wantsRowsAdjacent(logits)) return transpose(logits, 0, 1);
  const [rows, columns] = logits.shape as [number, number];
  const out = take('logits transposed', [columns, rows], room);
  transposeInto(out, logits);
  return out;
}
