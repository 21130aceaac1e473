/**
 * Memory that is asked for again and again: kept between packs, because fresh memory has to be mapped page by page, and
 * made once with room for the largest, because the allocator finds no use for the place of what was outgrown. What `take`
 * returns belongs to the current scope; its contents last until the name is taken again.
 */
import { narrow, view, zeros } from '../torch/ops.ts';
import { type Dtype, keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

export class Buffers {
  readonly #byName = new Map<string, Tensor>();

  /**
   * A contiguous tensor with whatever stood there before. `room`: elements that the name will come to need; where more are
   * asked for all the same, it grows.
   */
  take(name: string, shape: readonly number[], dtype: Dtype, room = 0): Tensor {
    const elements = shape.reduce((product, length) => product * length, 1);
    let flat = this.#byName.get(name);
    if (!flat || flat.elements < elements || flat.dtype !== dtype) {
      flat?.release();
      flat = keep(scope(() => zeros([Math.max(elements, room)], dtype)));
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
