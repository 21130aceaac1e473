/**
 * Memory that is asked for again and again in the same shapes: kept between packs, because fresh memory has to be
 * mapped page by page. What `take` returns belongs to the current scope; its contents last until the name is taken again.
 */
import { narrow, view, zeros } from '../torch/ops.ts';
import { type Dtype, keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

export class Buffers {
  readonly #byName = new Map<string, Tensor>();

  /** A contiguous tensor with whatever stood there before. */
  take(name: string, shape: readonly number[], dtype: Dtype): Tensor {
    const elements = shape.reduce((product, length) => product * length, 1);
    let flat = this.#byName.get(name);
    if (!flat || flat.elements < elements || flat.dtype !== dtype) {
      flat?.release();
      flat = keep(scope(() => zeros([elements], dtype)));
      this.#byName.set(name, flat);
    }
    const part = narrow(flat, 0, 0, elements);
    const shaped = view(part, shape);
    part.release();
    return shaped;
  }

  release(): void {
    releaseAll(this.#byName);
    this.#byName.clear();
  }
}
