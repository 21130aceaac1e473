/**
 * A linear layer of a fused block, and its way back: one matrix that may hold several parameters, and the low-rank
 * adapters beside them.
 *
 * Legend: tokens = Σ document lengths; rank of the adapters.
 */
import { adapterParameters } from '../model/lora.ts';
import { addInto, addmmInto, matmul, mmInto, mulScalar, narrow, transpose } from '../torch/ops.ts';
import type { Tensor } from '../torch/tensor.ts';
import type { FusedLinear } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

/** out = x · weightᵀ + bias + what the adapters add */
export function apply(out: Tensor, x: Tensor, linear: FusedLinear): void {
  const transposed = transpose(linear.weight, 0, 1);
  if (linear.bias) addmmInto(out, linear.bias, x, transposed);
  else mmInto(out, x, transposed);
  addAdapters(out, x, linear);
}

/** out += scale · x · downᵀ · upᵀ, in each adapted parameter's columns */
export function addAdapters(out: Tensor, x: Tensor, { slices }: FusedLinear): void {
  for (const { adapter, from, rows } of slices) {
    if (!adapter) continue;
    const low = matmul(x, transpose(adapter.down, 0, 1)); // [tokens, rank]
    addInto(narrow(out, 1, from, rows), mulScalar(matmul(low, transpose(adapter.up, 0, 1)), adapter.scale));
  }
}

/** gradX = gradOut · weight, and the same through the adapters */
export function applyBackward(gradX: Tensor, gradOut: Tensor, { weight, slices }: FusedLinear): void {
  mmInto(gradX, gradOut, weight);
  for (const { adapter, from, rows } of slices) {
    if (!adapter) continue;
    const gradLow = mulScalar(matmul(narrow(gradOut, 1, from, rows), adapter.up), adapter.scale); // [tokens, rank]
    addInto(gradX, matmul(gradLow, adapter.down));
  }
}

export function addAdapterGradients({ slices }: FusedLinear, gradOut: Tensor, x: Tensor, gradients: Gradients): void {
  for (const { adapter, name, from, rows } of slices) {
    if (!adapter) continue;
    const grad = narrow(gradOut, 1, from, rows);
    const low = matmul(x, transpose(adapter.down, 0, 1)); // [tokens, rank]
    const gradLow = mulScalar(matmul(grad, adapter.up), adapter.scale);
    const parts = { down: matmul(transpose(gradLow, 0, 1), x), up: matmul(transpose(grad, 0, 1), low) };
    const scaled = { ...parts, up: mulScalar(parts.up, adapter.scale), scale: adapter.scale };
    for (const [parameter, gradient] of adapterParameters(new Map([[name, scaled]]))) {
      gradients.add(parameter, gradient);
    }
  }
}
