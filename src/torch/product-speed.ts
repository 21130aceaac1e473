/** How fast this machine multiplies matrices: what an estimate of training time can rest on. */
import { elapsedMs, gpu } from './machine.ts';
import { zeros } from './ops.ts';
import { mmInto } from './products.ts';
import { type Dtype, scope, type Tensor } from './tensor.ts';

/** Enough to keep the processor busy; a GPU has a hundred times as many lanes. */
const sizes = { cpu: 1024, gpu: 8192 };
const longEnoughMs = 1000;

/** Floating-point operations a second of square products, the fastest of those that a second has room for. */
export function productSpeed(dtype: Dtype): number {
  return scope(() => {
    const size = gpu() ? sizes.gpu : sizes.cpu;
    const square = (): Tensor => zeros([size, size], dtype);
    const [out, a, b] = [square(), square(), square()];
    const endMs = performance.now() + longEnoughMs;
    let bestMs = Number.POSITIVE_INFINITY;
    while (performance.now() < endMs)
      bestMs = Math.min(
        bestMs,
        elapsedMs(() => mmInto(out, a, b)),
      );
    return (2 * size ** 3) / (bestMs / 1000);
  });
}
