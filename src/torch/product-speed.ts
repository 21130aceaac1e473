/** How fast this machine multiplies matrices: what an estimate of training time can rest on. */
import { mmInto, zeros } from './ops.ts';
import { type Dtype, scope, type Tensor } from './tensor.ts';

const size = 1024;
const longEnoughMs = 1000;

/** Floating-point operations a second of square products, the fastest of those that a second has room for. */
export function productSpeed(dtype: Dtype): number {
  return scope(() => {
    const square = (): Tensor => zeros([size, size], dtype);
    const [out, a, b] = [square(), square(), square()];
    const startedMs = performance.now();
    let bestMs = Number.POSITIVE_INFINITY;
    for (let fromMs = startedMs; fromMs < startedMs + longEnoughMs; fromMs = performance.now()) {
      mmInto(out, a, b);
      bestMs = Math.min(bestMs, performance.now() - fromMs);
    }
    return (2 * size ** 3) / (bestMs / 1000);
  });
}
