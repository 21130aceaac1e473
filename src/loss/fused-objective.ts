/**
 * An objective (objective.ts) on the last block's output, with gradients by our kernels: for models that end in an RMSNorm.
 * Log-probabilities of all labels come first, because a derivative may depend on all of them; then a chunk's logits are
 * made again, if there is more than one, and become their own gradient in place.
 */
import { invariant } from '../base/errors.ts';
import type { LabelPositions } from '../text/labels.ts';
import { fromFloat32, fromIntegers, toFloat64 } from '../torch/convert.ts';
import { crossEntropyInto, rmsNormBackwardInto, rmsNormForward, tokenLogprobs } from '../torch/kernels.ts';
import { indexAddInto, indexSelect, mulScalar, narrow, toDtype, transpose, zeros, zerosLike } from '../torch/ops.ts';
import { mm, mmInto } from '../torch/products.ts';
import { scope, type Tensor } from '../torch/tensor.ts';
import { type Take, transposed } from './fused-causal.ts';
import type { Derivatives, Objective, Outputs, Readings } from './objective.ts';

/** What stands after the last block. */
export interface OutputHeads {
  readonly norm: { readonly weight: Tensor; readonly epsilon: number };
  /** [vocab, hidden]; needed where log-probabilities are read. */
  readonly head?: Tensor | undefined;
  /** [1, hidden]; needed where values are read. */
  readonly scalar?: Tensor | undefined;
}

/** Takes parts of gradients, which it must copy or add; what is absent is frozen. */
export interface HeadGradients {
  readonly addNorm?: (part: Tensor) => void;
  readonly addHead?: (part: Tensor) => void;
  readonly addScalar?: (part: Tensor) => void;
}

const chunk = 512;

/** hidden [tokens, hidden] is the last block's output. */
export function readOutputs(
  hidden: Tensor,
  heads: OutputHeads,
  labels: LabelPositions,
  readings: Readings,
  take: Take,
): Outputs {
  return scope(() => {
    const { logprobs } = openLogprobs(hidden, heads, labels, readings, take);
    const { values } = openValues(hidden, heads, readings);
    return { logprobs, values };
  });
}

/** Adds the objective's gradient by `hidden` to `gradHidden`, and those of the heads to `gradients`. */
export function fusedObjective(
  gradHidden: Tensor,
  hidden: Tensor,
  heads: OutputHeads,
  labels: LabelPositions,
  objective: Objective,
  take: Take,
  gradients: HeadGradients,
): void {
  scope(() => {
    const ofLabels = openLogprobs(hidden, heads, labels, objective, take);
    const ofValues = openValues(hidden, heads, objective);
    const derivatives = objective.derive({ logprobs: ofLabels.logprobs, values: ofValues.values });
    const gradNorms = [
      ofLabels.backward(gradHidden, derivatives, gradients),
      ofValues.backward(gradHidden, derivatives, gradients),
    ];
    for (const gradNorm of gradNorms) if (gradNorm) gradients.addNorm?.(gradNorm);
  });
}

interface Opened {
  /** Adds to `gradHidden`; the gradient by the norm's weight, where anything was read. */
  backward(gradHidden: Tensor, derivatives: Derivatives, gradients: HeadGradients): Tensor | undefined;
}

function openLogprobs(
  hidden: Tensor,
  { norm, head }: OutputHeads,
  labels: LabelPositions,
  { logprobs: wanted }: Readings,
  take: Take,
): Opened & Pick<Outputs, 'logprobs'> {
  const count = labels.positions.length;
  if (!wanted || count === 0) return { logprobs: new Float64Array(0), backward: () => undefined };
  invariant(head, 'log-probabilities are asked for, and the model has no output head');
  const { temperature = 1 } = wanted;
  const [vocab, width] = head.shape as [number, number];
  const most = Math.min(chunk, count) * vocab;
  const at = fromIntegers(labels.positions, [count]);
  const targets = fromIntegers(labels.targets, [count]);
  const rows = indexSelect(hidden, 0, at); // [labels, hidden]
  const [normed, rstd] = rmsNormForward(rows, norm.weight, norm.epsilon) as [Tensor, Tensor];
  // Cooler logits by way of what they are made from.
  const seen = temperature === 1 ? normed : mulScalar(normed, 1 / temperature);
  const parts = Array.from({ length: Math.ceil(count / chunk) }, (_, i) => {
    return { start: i * chunk, length: Math.min(chunk, count - i * chunk) };
  });
  const logitsOf = ({ start, length }: (typeof parts)[number]) =>
    mmInto(take('logits', [length, vocab], most), narrow(seen, 0, start, length), transpose(head, 0, 1));
  const logprobs = new Float64Array(count);
  let standing: Tensor | undefined;
  for (const part of parts) {
    const ownTargets = narrow(targets, 0, part.start, part.length);
    standing = logitsOf(part);
    logprobs.set(toFloat64(tokenLogprobs(standing, ownTargets)), part.start);
  }
  return {
    logprobs,
    backward(gradHidden, derivatives, { addHead }) {
      // The loss falls as log p rises: a cross-entropy with a scale of its own for every label.
      const scales = fromFloat32(
        Float32Array.from(derivatives.logprobs ?? new Float64Array(count), (d) => -d),
        [count],
      );
      const gradSeen = zerosLike(seen);
      for (const part of parts) {
        scope(() => {
          const own = (tensor: Tensor) => narrow(tensor, 0, part.start, part.length);
          const logits = parts.length === 1 && standing ? standing : logitsOf(part);
          crossEntropyInto(logits, own(targets), own(scales));
          mmInto(own(gradSeen), logits, head);
          if (!addHead) return;
          const gradHead = take('gradient of the head', [vocab, width], vocab * width);
          addHead(mmInto(gradHead, transposed(logits, most, take), own(seen)));
        });
      }
      const gradNormed = temperature === 1 ? gradSeen : mulScalar(gradSeen, 1 / temperature);
      return backThroughNorm(gradHidden, gradNormed, { rows, at, rstd }, norm);
    },
  };
}

function openValues(
  hidden: Tensor,
  { norm, scalar }: OutputHeads,
  { valuesAt = [] }: Readings,
): Opened & Pick<Outputs, 'values'> {
  const count = valuesAt.length;
  if (count === 0) return { values: new Float64Array(0), backward: () => undefined };
  invariant(scalar, 'values are asked for, and the model has no scalar head');
  const at = fromIntegers(valuesAt, [count]);
  const rows = indexSelect(hidden, 0, at); // [values, hidden]
  const [normed, rstd] = rmsNormForward(rows, norm.weight, norm.epsilon) as [Tensor, Tensor];
  // In fp32 whatever the compute type: rewards are compared by differences smaller than bf16 has.
  const [seen, weight] = [toDtype(normed, rstd.dtype), toDtype(scalar, rstd.dtype)];
  return {
    values: toFloat64(mm(seen, transpose(weight, 0, 1))),
    backward(gradHidden, derivatives, { addScalar }) {
      const derivative = Float32Array.from(derivatives.values ?? new Float64Array(count));
      const gradValues = toDtype(fromFloat32(derivative, [count, 1]), rstd.dtype);
      addScalar?.(mm(transpose(gradValues, 0, 1), seen));
      const gradNormed = toDtype(mm(gradValues, weight), normed.dtype);
      return backThroughNorm(gradHidden, gradNormed, { rows, at, rstd }, norm);
    },
  };
}

function backThroughNorm(
  gradHidden: Tensor,
  gradNormed: Tensor,
  { rows, at, rstd }: { readonly rows: Tensor; readonly at: Tensor; readonly rstd: Tensor },
  { weight }: OutputHeads['norm'],
): Tensor {
  const gradRows = zeros(rows.shape, rows.dtype);
  const gradNorm = rmsNormBackwardInto(gradRows, gradNormed, rows, weight, rstd);
  indexAddInto(gradHidden, 0, at, gradRows);
  return gradNorm;
}
