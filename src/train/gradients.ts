/** Gradients of one optimizer step, by parameter name. */
import { addInto, contiguous, toDtype } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

/** In fp32, whatever the compute type, wherever something is added. */
export class Gradients {
  readonly byName = new Map<string, Tensor>();
  /** Whether several packs make up the step. */
  readonly accumulates: boolean;

  constructor(options: { accumulates: boolean }) {
    this.accumulates = options.accumulates;
  }

  /** Takes over `gradient`. `sums`: more is added even in one pack, and in bf16 small addends would vanish. */
  add(name: string, gradient: Tensor, sums = this.accumulates): void {
    const sum = this.byName.get(name);
    if (sum) {
      addInto(sum, gradient);
      if (sum !== gradient) gradient.release();
      return;
    }
    const own = scope(() => contiguous(sums ? toDtype(gradient, 'float32') : gradient));
    if (own !== gradient) gradient.release();
    this.byName.set(name, keep(own));
  }

  /** Takes these away; they are the caller's to release. */
  take(names: readonly string[]): Gradients {
    const taken = new Gradients({ accumulates: this.accumulates });
    for (const name of names) {
      const gradient = this.byName.get(name);
      if (!gradient) continue;
      taken.byName.set(name, gradient);
      this.byName.delete(name);
    }
    return taken;
  }

  release(): void {
    releaseAll(this.byName);
    this.byName.clear();
  }
}
