/** Where a training will run: on the GPU that the engine finds, or on this machine's processor. */
import { existsSync } from 'node:fs';
import type { EngineMachine } from './engine.ts';
import { type Target, thisMachine } from './plan-target.ts';

/** What NVIDIA's driver leaves where it is: as modules, in containers, under WSL. */
const driverFiles = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'];

/** The engine is asked only where there may be a GPU: without one nothing has to be set up or started. */
export async function targetFor(
  device: string,
  askEngine: () => Promise<EngineMachine>,
  mayHaveGpu = driverFiles.some((file) => existsSync(file)),
): Promise<Target> {
  if (device === 'cpu' || !mayHaveGpu) return thisMachine();
  const { gpu, computesInBf16 } = await askEngine();
  if (!gpu) return thisMachine();
  return { name: gpu.name, device: 'gpu', availableBytes: gpu.freeBytes, computesInBf16 };
}
