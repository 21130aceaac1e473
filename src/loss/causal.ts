/**
 * Cross-entropy of next tokens, fused with the output head: logits exist only for positions that carry a label, a
 * chunk at a time, and their gradient is taken at once. A [tokens, vocab] matrix is never held.
 *
 * Legend: tokens = all of a pack; labels = positions whose next token is to be learned; hidden; vocab.
 */

import type { LabelPositions } from '../text/labels.ts';
import { fromIntegers } from '../torch/convert.ts';
import { grad, noGrad } from '../torch/grad.ts';
import {
  addInto,
  cat,
  crossEntropy,
  detach,
  indexCopyInto,
  indexSelect,
  item,
  linear,
  mulScalar,
  narrow,
  toDtype,
  zeros,
} from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';

export interface CausalLoss {
  /** Σ of −log p over the labels, in nats. */
  readonly lossSum: number;
  /** Of scale · Σ loss, with respect to the last block's output [tokens, hidden]. */
  readonly gradHidden: Tensor;
  /** In the order of `normParameters`; none where norm and head are frozen. */
  readonly gradNorms: readonly Tensor[];
  readonly gradHead: Tensor | undefined;
}

/** Logits in fp32 take 4 · vocab bytes a row: 100 MB at 512 rows of a 49,152-word vocabulary. */
const defaultChunk = 512;

/**
 * hidden [tokens, hidden] is the last block's output, before `norm`; head [vocab, hidden]. `scale` multiplies the
 * summed loss: 1 / (label tokens of the whole step) makes accumulated packs equal to one large batch.
 */
export function causalLoss(
  hidden: Tensor,
  norm: (x: Tensor) => Tensor,
  normParameters: readonly Tensor[],
  head: Tensor,
  labels: LabelPositions,
  scale: number,
  { frozen = false, chunk = defaultChunk }: { frozen?: boolean; chunk?: number } = {},
): CausalLoss {
  return scope(() => {
    const count = labels.positions.length;
    const at = fromIntegers(labels.positions, [count]);
    const targets = fromIntegers(labels.targets, [count]);
    const rows = noGrad(() => indexSelect(hidden, 0, at)).requiresGrad(); // [labels, hidden]
    const normed = norm(rows);
    const gradParts: Tensor[] = [];
    let gradHead: Tensor | undefined;
    let lossSum = 0;
    for (let start = 0; start < count; start += chunk) {
      const length = Math.min(chunk, count - start);
      const part = scope(() => {
        const leaf = detach(narrow(normed, 0, start, length)).requiresGrad();
        const logits = toDtype(linear(leaf, head), 'float32'); // [chunk, vocab]
        const loss = crossEntropy(logits, narrow(targets, 0, start, length), null, 2);
        lossSum += item(loss);
        const inputs = frozen ? [leaf] : [leaf, head];
        const [gradLeaf, gradChunk] = grad([mulScalar(loss, scale)], inputs) as [Tensor, Tensor?];
        return { gradLeaf, gradChunk };
      });
      gradParts.push(part.gradLeaf);
      if (!part.gradChunk) continue;
      gradHead = gradHead === undefined ? part.gradChunk : addInto(gradHead, part.gradChunk);
      if (gradHead !== part.gradChunk) part.gradChunk.release();
    }
    const gradNormed = gradParts.length === 1 ? (gradParts[0] as Tensor) : cat(gradParts, 0);
    const inputs = frozen ? [rows] : [rows, ...normParameters];
    const [gradRows, ...gradNorms] = grad([normed], inputs, { gradOutputs: [gradNormed] }) as [Tensor, ...Tensor[]];
    const gradHidden = indexCopyInto(zeros(hidden.shape, hidden.dtype), 0, at, gradRows);
    return { lossSum, gradHidden, gradNorms, gradHead };
  });
}
