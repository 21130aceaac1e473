/** Where a fine-tuning is planned for: this machine as it is now, or a GPU of the table. Needs no libtorch. */
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { ConfigError } from '../src/base/errors.ts';
import { nearestName } from '../src/base/nearest.ts';
import type { MemoryDevice } from '../src/train/memory.ts';

export type ComputeType = 'float32' | 'bfloat16';

/** Where to train. */
export interface Target {
  readonly name: string;
  readonly device: MemoryDevice;
  readonly availableBytes: number;
  readonly computesInBf16: boolean;
  /** Of matrix products, floating-point operations a second by compute type; undefined: not known. */
  readonly speed?: Partial<Readonly<Record<ComputeType, number>>> | undefined;
}

/** Memory in GB as they are sold; dense products in TFLOP/s by the vendors' data sheets. */
const gpus: Readonly<Record<string, { readonly gigabytes: number } & Partial<Record<ComputeType, number>>>> = {
  h200: { gigabytes: 141, bfloat16: 989, float32: 67 },
  h100: { gigabytes: 80, bfloat16: 989, float32: 67 },
  'a100-80': { gigabytes: 80, bfloat16: 312, float32: 19.5 },
  'a100-40': { gigabytes: 40, bfloat16: 312, float32: 19.5 },
  l40s: { gigabytes: 48, bfloat16: 362, float32: 91.6 },
  'rtx-6000-ada': { gigabytes: 48, bfloat16: 364, float32: 91.1 },
  '4090': { gigabytes: 24, bfloat16: 165, float32: 82.6 },
  '3090': { gigabytes: 24, bfloat16: 71, float32: 35.6 },
  l4: { gigabytes: 24, bfloat16: 121, float32: 30.3 },
  t4: { gigabytes: 16, float32: 8.1 },
};

export function gpu(name: string): Target {
  const key = name.toLowerCase().replaceAll(/[\s_]+/g, '-');
  const known = Object.keys(gpus);
  const found = Object.hasOwn(gpus, key) ? gpus[key] : undefined;
  if (!found) {
    const near = nearestName(key, known);
    throw new ConfigError(`no GPU ${name} in the table: expected ${known.join(', ')}`, {
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    });
  }
  const { gigabytes, ...tera } = found;
  const speed = Object.fromEntries(Object.entries(tera).map(([dtype, value]) => [dtype, 1e12 * value]));
  const computesInBf16 = found.bfloat16 !== undefined;
  return { name: key, device: 'gpu', availableBytes: 1e9 * gigabytes, computesInBf16, speed };
}

/** What is free here now, or what the process may have where that is less. */
export function thisMachine(): Target {
  // On Linux freemem is MemAvailable; elsewhere it leaves out what the system would give back.
  const free = process.platform === 'linux' ? freemem() : totalmem();
  const limit = process.constrainedMemory();
  const availableBytes = limit > 0 ? Math.min(free, limit) : free;
  return { name: 'this machine', device: 'cpu', availableBytes, computesInBf16: hasBf16() };
}

/** As resolveDtype of src/local/loaded-model.ts, which needs libtorch. */
export const computeType = (dtype: ComputeType | 'auto', { computesInBf16 }: Target): ComputeType =>
  dtype !== 'auto' ? dtype : computesInBf16 ? 'bfloat16' : 'float32';

/** As computesInBf16 of src/torch/machine.ts, which needs libtorch. */
function hasBf16(): boolean {
  if (process.platform !== 'linux') return false;
  return /^flags\s*:.*\b(avx512_bf16|amx_bf16)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}
