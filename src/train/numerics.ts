/** What decides the bits of a training run besides its configuration: said in checkpoints, compared on resuming. */
import { machine } from '../torch/machine.ts';
import type { Dtype } from '../torch/tensor.ts';

export interface Numerics {
  readonly torchVersion: string;
  /** The instruction set that libtorch and our kernels chose. */
  readonly cpuCapability: string;
  readonly threads: number;
  readonly dtype: string;
}

export function currentNumerics(dtype: Dtype): Numerics {
  const { torchVersion, cpuCapability, threads } = machine();
  return { torchVersion, cpuCapability, threads, dtype };
}

/** In words, what differs; undefined where resuming gives the same bits. */
export function numericsDifference(saved: Numerics, now: Numerics): string | undefined {
  const keys = Object.keys(now) as (keyof Numerics)[];
  const different = keys.filter((key) => saved[key] !== now[key]);
  return different.length === 0 ? undefined : different.map((key) => `${key} ${saved[key]} → ${now[key]}`).join(', ');
}
