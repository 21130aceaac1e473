/** libtorch's autograd: gradients of outputs with respect to inputs, and the switch that turns recording off. */
import { addon } from '../native/load.ts';
import { Tensor } from './tensor.ts';

/**
 * Gradients in the order of `inputs`; undefined for an input no output depends on. Outputs that are not scalars need
 * `gradOutputs` of their shapes. The graph is freed unless `retainGraph`.
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: { gradOutputs?: readonly Tensor[]; retainGraph?: boolean } = {},
): (Tensor | undefined)[] {
  const handles = addon().grad(
    outputs.map((tensor) => tensor.handle),
    inputs.map((tensor) => tensor.handle),
    options.gradOutputs?.map((tensor) => tensor.handle) ?? null,
    options.retainGraph ?? false,
  );
  return handles.map((handle) => (handle === null ? undefined : new Tensor(handle)));
}

/** Runs `body` without recording for gradients. */
export function noGrad<T>(body: () => T): T {
  const before = addon().setGradMode(false);
  try {
    return body();
  } finally {
    addon().setGradMode(before);
  }
}
