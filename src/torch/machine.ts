/** What libtorch runs on, and which device it computes on: one a process. */
import { ConfigError } from '../base/errors.ts';
import type { NativeGpu, NativeMachine } from '../native/addon.ts';
import { addon } from '../native/load.ts';

export type { NativeGpu, NativeMachine };

export const machine = (): NativeMachine => addon().machine();

/** The GPU that is computed on, its memory as it is now; null on the CPU. */
export const gpu = (): NativeGpu | null => addon().gpu();

/**
 * Chooses the device, before the first tensor is made: `cpu`, `cuda`, `cuda:N`, or `auto`, the first CUDA device where one
 * answers and else the CPU. `meta` is for tests: shapes without values. Throws ConfigError where it is not there.
 */
export function openDevice(wanted: string): string {
  try {
    return addon().setDevice(wanted === 'auto' ? (machine().cuda ? 'cuda' : 'cpu') : wanted);
  } catch (error) {
    throw new ConfigError(`device ${wanted}: ${(error as Error).message}`, {
      hint: 'take auto or cpu; `./understudy doctor` says what libtorch is built for and what it finds',
      cause: error,
    });
  }
}

/** NVIDIA's Ampere, the first generation with bf16 products. */
const bf16Capability = 8;

/** Whether the device multiplies bf16 matrices itself; elsewhere libtorch emulates bf16, many times slower than fp32. */
export function computesInBf16(): boolean {
  const found = gpu();
  if (found) return found.capability >= bf16Capability;
  const { cpuFeatures } = machine();
  return cpuFeatures.includes('avx512_bf16') || cpuFeatures.includes('amx_bf16');
}

/** Same bits for the same input on the same machine and threads. */
export const setDeterministic = (on: boolean): void => addon().setDeterministic(on);

/** How long the device works at what `body` asks of it, which a GPU may still do when `body` has returned. */
export const elapsedMs = (body: () => void): number => addon().elapsedMs(body);
