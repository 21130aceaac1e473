/** What libtorch runs on. */
import type { NativeMachine } from '../native/addon.ts';
import { addon } from '../native/load.ts';

export type { NativeMachine };

export const machine = (): NativeMachine => addon().machine();

/** Whether the processor multiplies bf16 matrices itself; elsewhere bf16 is emulated and slower than fp32. */
export function computesInBf16(): boolean {
  const { cpuFeatures } = machine();
  return cpuFeatures.includes('avx512_bf16') || cpuFeatures.includes('amx_bf16');
}

/** Same bits for the same input on the same machine and threads. */
export const setDeterministic = (on: boolean): void => addon().setDeterministic(on);
