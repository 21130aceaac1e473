/** What decides the bits of a training run besides its configuration: said in checkpoints, compared on resuming. */
import { gpu, machine } from '../torch/machine.ts';
import type { Dtype } from '../torch/tensor.ts';

export interface Numerics {
  readonly torchVersion: string;
  /** The instruction set that libtorch and our kernels chose. */
  readonly cpuCapability: string;
  readonly threads: number;
  readonly dtype: string;
  /** The GPU by its name; absent: the CPU. */
  readonly gpu?: string;
}

export function currentNumerics(dtype: Dtype): Numerics {
  const { torchVersion, cpuCapability, threads } = machine();
  const found = gpu();
  return { torchVersion, cpuCapability, threads, dtype, ...(found && { gpu: found.name }) };
}

/** In words, what differs; undefined where resuming gives the same bits. */
export function numericsDifference(saved: Numerics, now: Numerics): string | undefined {
  const keys = Object.keys({ ...saved, ...now }) as (keyof Numerics)[];
  const different = keys.filter((key) => saved[key] !== now[key]);
  const change = (key: keyof Numerics) => `${key} ${saved[key] ?? 'none'} → ${now[key] ?? 'none'}`;
  return different.length === 0 ? undefined : different.map(change).join(', ');
}
