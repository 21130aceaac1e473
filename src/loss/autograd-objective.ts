/**
 * An objective (objective.ts) on the last block's output by libtorch's autograd: the clear reference that
 * fused-objective.ts is held to, and what serves every other model and device.
 */
import { invariant } from '../base/errors.ts';
import type { LabelPositions } from '../text/labels.ts';
import { fromFloat32, fromIntegers, toFloat64 } from '../torch/convert.ts';
import { grad, noGrad } from '../torch/grad.ts';
import {
  add,
  addInto,
  detach,
  gather,
  indexAddInto,
  indexSelect,
  linear,
  logsumexp,
  mulScalar,
  sub,
  toDtype,
  view,
  zeros,
} from '../torch/ops.ts';
import { scope, type Tensor } from '../torch/tensor.ts';
import type { Derivatives, Objective, Outputs, Readings } from './objective.ts';

/** What stands after the last block: [vocab, hidden] and [1, hidden], where they are there. */
export interface ReferenceHeads {
  readonly norm: (x: Tensor) => Tensor;
  readonly normParameters: readonly Tensor[];
  readonly head: Tensor | undefined;
  readonly scalar: Tensor | undefined;
}

export interface LossGradients {
  /** With respect to the last block's output [tokens, hidden]. */
  readonly gradHidden: Tensor;
  /** In the order of the norm's parameters; none where norm and head are frozen. */
  readonly gradNorms: readonly Tensor[];
  readonly gradHead?: Tensor | undefined;
  readonly gradScalar?: Tensor | undefined;
}

const chunk = 512;

export function readByOperators(
  hidden: Tensor,
  heads: ReferenceHeads,
  labels: LabelPositions,
  { logprobs: wanted, valuesAt = [] }: Readings,
): Outputs {
  invariant(!wanted || heads.head, 'log-probabilities are asked for, and the model has no output head');
  invariant(valuesAt.length === 0 || heads.scalar, 'values are asked for, and the model has no scalar head');
  return noGrad(() =>
    scope(() => {
      const logprobs = wanted
        ? chunksOf(labels).flatMap((part) => [
            ...toFloat64(logprobsOf(normedAt(hidden, part.positions, heads), part.targets, heads, wanted)),
          ])
        : [];
      const values = valuesAt.length > 0 ? toFloat64(valuesOf(normedAt(hidden, valuesAt, heads), heads)) : [];
      return { logprobs: Float64Array.from(logprobs), values: Float64Array.from(values) };
    }),
  );
}

/** hidden [tokens, hidden], detached. With `frozen` only the scalar head is trained. */
export function autogradObjective(
  hidden: Tensor,
  heads: ReferenceHeads,
  labels: LabelPositions,
  objective: Objective,
  { frozen = false }: { readonly frozen?: boolean } = {},
): LossGradients {
  return scope(() => {
    const { logprobs: wanted, valuesAt = [] } = objective;
    const derivatives = objective.derive(readByOperators(hidden, heads, labels, objective));
    const sums = new GradientSums(hidden, frozen ? [] : heads.normParameters);
    if (wanted) {
      let at = 0;
      for (const { positions, targets } of chunksOf(labels)) {
        const given = part(derivatives.logprobs, at, targets.length);
        at += targets.length;
        const trained = frozen ? [] : [heads.head as Tensor];
        sums.add(positions, heads, trained, given, (normed) => logprobsOf(normed, targets, heads, wanted));
      }
    }
    if (valuesAt.length > 0) {
      const given = part(derivatives.values, 0, valuesAt.length);
      sums.add(valuesAt, heads, [heads.scalar as Tensor], given, (normed) => valuesOf(normed, heads));
    }
    const { gradHidden, gradNorms, byHead } = sums;
    const gradOf = (head: Tensor | undefined) => head && byHead.get(head);
    return { gradHidden, gradNorms, gradHead: gradOf(heads.head), gradScalar: gradOf(heads.scalar) };
  });
}

/** Gradients that come in parts, added up. */
class GradientSums {
  readonly gradHidden: Tensor;
  readonly gradNorms: Tensor[] = [];
  readonly byHead = new Map<Tensor, Tensor>();
  readonly #hidden: Tensor;
  readonly #normParameters: readonly Tensor[];

  constructor(hidden: Tensor, normParameters: readonly Tensor[]) {
    this.#hidden = hidden;
    this.#normParameters = normParameters;
    this.gradHidden = zeros(hidden.shape, hidden.dtype);
  }

  add(
    positions: readonly number[],
    { norm }: ReferenceHeads,
    trained: readonly Tensor[],
    derivatives: Float32Array,
    compute: (normed: Tensor) => Tensor,
  ): void {
    const at = fromIntegers(positions, [positions.length]);
    const rows = detach(indexSelect(this.#hidden, 0, at)).requiresGrad();
    const out = compute(norm(rows));
    const gradOut = toDtype(fromFloat32(derivatives, out.shape), out.dtype);
    const inputs = [rows, ...trained, ...this.#normParameters];
    const [gradRows, ...others] = grad([out], inputs, { gradOutputs: [gradOut] }) as [Tensor, ...Tensor[]];
    noGrad(() => indexAddInto(this.gradHidden, 0, at, gradRows));
    trained.forEach((head, i) => {
      const sum = this.byHead.get(head);
      const own = toDtype(others[i] as Tensor, 'float32');
      this.byHead.set(head, sum ? addInto(sum, own) : own);
    });
    others.slice(trained.length).forEach((gradNorm, i) => {
      const sum = this.gradNorms[i];
      this.gradNorms[i] = sum ? add(sum, gradNorm) : gradNorm;
    });
  }
}

const part = (derivatives: Derivatives['values'], start: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => derivatives?.[start + i] ?? 0);

const normedAt = (hidden: Tensor, positions: readonly number[], { norm }: ReferenceHeads): Tensor =>
  norm(indexSelect(hidden, 0, fromIntegers(positions, [positions.length])));

/** normed [labels, hidden] → [labels] fp32 */
function logprobsOf(
  normed: Tensor,
  targets: readonly number[],
  { head }: ReferenceHeads,
  { temperature = 1 }: NonNullable<Readings['logprobs']>,
): Tensor {
  const logits = mulScalar(toDtype(linear(normed, head as Tensor), 'float32'), 1 / temperature);
  const chosen = gather(logits, 1, fromIntegers(targets, [targets.length, 1]));
  return sub(view(chosen, [targets.length]), logsumexp(logits, [1], false));
}

/** normed [values, hidden] → [values, 1] fp32 */
const valuesOf = (normed: Tensor, { scalar }: ReferenceHeads): Tensor =>
  linear(toDtype(normed, 'float32'), toDtype(scalar as Tensor, 'float32'));

const chunksOf = ({ positions, targets }: LabelPositions): LabelPositions[] =>
  Array.from({ length: Math.ceil(positions.length / chunk) }, (_, i) => ({
    positions: positions.slice(i * chunk, (i + 1) * chunk),
    targets: targets.slice(i * chunk, (i + 1) * chunk),
  }));
