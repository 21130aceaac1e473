/**
 * AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on fp32 master weights with fp32 moments. Where the model
 * computes in bf16, its weights are the rounded copies: small updates are not lost. The gradient's global norm is
 * measured first; the clipping factor goes into the update, so that gradients are read once.
 */
import { noGrad } from '../torch/grad.ts';
import { adamwInto, sumOfSquares } from '../torch/kernels.ts';
import { zerosLike } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';
import type { Gradients } from './gradients.ts';

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

  /**
   * `working` is what is computed with; `master` its fp32 weights: the very same tensors where fp32 is computed in.
   * Moments that are not given start at zero. The optimizer owns the moments, and masters that are not `working`.
   */
  constructor(
    working: ReadonlyMap<string, Tensor>,
    master: ReadonlyMap<string, Tensor>,
    settings: AdamWSettings,
    moments?: Pick<OptimizerState, 'first' | 'second'>,
  ) {
    this.#working = working;
    this.#settings = settings;
    const zeroMoments = () => new Map([...master].map(([name, tensor]) => [name, zerosLike(tensor)]));
    this.state = keep(
      scope(() => ({ master, first: moments?.first ?? zeroMoments(), second: moments?.second ?? zeroMoments() })),
    );
  }

  /** Changes nothing; not finite when any gradient is not. */
  gradientNorm(gradients: Gradients): number {
    let squares = 0;
    for (const gradient of gradients.byName.values()) squares += sumOfSquares(gradient);
    return Math.sqrt(squares);
  }

  /** `step` counts from 1; `norm` is `gradientNorm` of the same gradients. */
  step(gradients: Gradients, step: number, learningRate: number, norm: number): void {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = this.#settings;
    // PyTorch's clip_grad_norm_ divides by norm + 1e-6; the same here, so that losses compare.
    const scale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
    noGrad(() => {
      for (const [name, gradient] of gradients.byName) {
        const working = this.#working.get(name) as Tensor;
        const master = this.state.master.get(name) as Tensor;
        const [first, second] = [this.state.first.get(name), this.state.second.get(name)] as [Tensor, Tensor];
        const shadow = working === master ? null : working;
        adamwInto(
          master,
          gradient,
          first,
          second,
          shadow,
          step,
          learningRate,
          beta1,
          beta2,
          epsilon,
          weightDecay,
          scale,
        );
      }
    });
  }

  release(): void {
    releaseAll([this.state.first, this.state.second]);
    if (this.#working !== this.state.master) releaseAll(this.state.master);
  }
}
