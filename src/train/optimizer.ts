/**
 * AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on fp32 master weights with fp32 moments. Where the model
 * computes in bf16, its weights are the rounded copies: small updates are not lost. The gradient's global norm is
 * measured first; the clipping factor goes into the update, so that gradients are read once.
 */
import { noGrad } from '../torch/grad.ts';
import { zerosLike } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Gradients } from './gradients.ts';
import { byKernels, byOperators, type UpdateArithmetic } from './update-arithmetic.ts';

export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global gradient norm; 0 does not clip. */
  readonly maxGradNorm: number;
}

/** fp32 tensors by parameter name: what a checkpoint must hold besides the step's number. */
export interface OptimizerState {
  readonly master: ReadonlyMap<string, Tensor>;
  readonly first: ReadonlyMap<string, Tensor>;
  readonly second: ReadonlyMap<string, Tensor>;
}

export class AdamW {
  readonly state: OptimizerState;
  readonly #working: ReadonlyMap<string, Tensor>;
  readonly #settings: AdamWSettings;
  readonly #arithmetic: UpdateArithmetic;

  /**
   * `working` is what is computed with; `master` its fp32 weights: the very same tensors where fp32 is computed in.
   * Moments that are not given start at zero. The optimizer owns the moments, and masters that are not `working`.
   * `arithmetic`: by default our kernels on the CPU, libtorch's operators elsewhere.
   */
  constructor(
    working: ReadonlyMap<string, Tensor>,
    master: ReadonlyMap<string, Tensor>,
    settings: AdamWSettings,
    moments?: Pick<OptimizerState, 'first' | 'second'>,
    arithmetic?: UpdateArithmetic,
  ) {
    const [some] = master.values();
    this.#arithmetic = arithmetic ?? (some === undefined || some.device === 'cpu' ? byKernels : byOperators);
    this.#working = working;
    this.#settings = settings;
    const zeroMoments = () => new Map([...master].map(([name, tensor]) => [name, zerosLike(tensor)]));
    this.state = keep(
      scope(() => ({ master, first: moments?.first ?? zeroMoments(), second: moments?.second ?? zeroMoments() })),
    );
  }

  /** Changes nothing; not finite when any gradient is not. */
  gradientNorm(gradients: Gradients): number {
    return Math.sqrt(this.#arithmetic.sumOfSquares([...gradients.byName.values()]));
  }

  /** `step` counts from 1; `norm` is `gradientNorm` of the same gradients. */
  step(gradients: Gradients, step: number, learningRate: number, norm: number): void {
    const { maxGradNorm } = this.#settings;
    // PyTorch's clip_grad_norm_ divides by norm + 1e-6; the same here, so that losses compare.
    const scale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
    noGrad(() => {
      for (const [name, gradient] of gradients.byName) {
        const [computing, master] = [this.#working.get(name), this.state.master.get(name)] as [Tensor, Tensor];
        const [first, second] = [this.state.first.get(name), this.state.second.get(name)] as [Tensor, Tensor];
        const working = computing === master ? null : computing;
        const numbers = { ...this.#settings, step, learningRate, scale };
        this.#arithmetic.adamw({ master, gradient, first, second, working }, numbers);
      }
    });
  }

  release(): void {
    releaseAll([this.state.first, this.state.second]);
    if (this.#working !== this.state.master) releaseAll(this.state.master);
  }
}
