import { expect, it } from 'vitest';
import type { EngineMachine } from '../../recipes/engine.ts';
import { targetFor } from '../../recipes/plan-device.ts';
import { thisMachine } from '../../recipes/plan-target.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { type MemorySettings, type PackSizes, planMemory } from '../../src/train/memory.ts';

const gpu = { name: 'NVIDIA H200', capability: 9, freeBytes: 149e9, totalBytes: 150.7e9, peakBytes: 0 };
const engine =
  (found: typeof gpu | null): (() => Promise<EngineMachine>) =>
  () =>
    Promise.resolve({
      ...{ torchVersion: '2.13.0', threads: 1, cpuCapability: 'AVX2', cpuFeatures: [], kernelThreads: 1 },
      ...{ builtForCuda: true, cuda: found !== null, device: found ? 'cuda:0' : 'cpu' },
      ...{ gpu: found, computesInBf16: found !== null },
    });
const never = () => Promise.reject(new Error('the engine is not to be asked'));

it('is this machine where no GPU can be, or none is wanted: nothing is started to find out', async () => {
  expect((await targetFor('auto', never, false)).device).toBe('cpu');
  expect((await targetFor('cpu', never, true)).name).toBe(thisMachine().name);
});

it('is what the engine computes on, with the memory that is free there', async () => {
  expect(await targetFor('auto', engine(gpu), true)).toEqual({
    ...{ name: 'NVIDIA H200', device: 'gpu', availableBytes: 149e9, computesInBf16: true },
  });
  expect((await targetFor('cuda:0', engine(null), true)).device).toBe('cpu');
});

/** LLaMA-7B: 6,738,415,616 parameters. */
const llama = parseModelConfig({
  ...{ model_type: 'llama', hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32 },
  ...{ num_attention_heads: 32, num_key_value_heads: 32, vocab_size: 32000, max_position_embeddings: 2048 },
  ...{ rms_norm_eps: 1e-6, hidden_act: 'silu', tie_word_embeddings: false },
});
const settings: MemorySettings = {
  ...{ dtype: 'bfloat16', storedDtype: 'bfloat16', recompute: false, stepInBackward: false, heldOut: false },
  keepCheckpoints: 1,
};
const sizes: PackSizes = { tokens: 2048, longest: 512, labels: 1024, accumulates: true, dataTokens: 0 };

it('plans a GPU for autograd: graphs of every block beside summed gradients, or one where blocks are computed again', () => {
  const kept = planMemory(llama, settings, sizes, 'gpu');
  expect([kept.weights, kept.masters, kept.moments].map((bytes) => bytes / kept.parameters)).toEqual([2, 4, 8]);
  // A token of a block: 6 · hidden, 3 · queries, 3 · keys, 4 · intermediate, in bf16; flash attention makes no scores.
  expect(kept.activations).toBe(32 * 2 * 2048 * (12 * 4096 + 4 * 11008));
  expect(kept.peak).toBeGreaterThan(14 * kept.parameters + kept.gradients + kept.activations);
  expect(kept.peak).toBeLessThan(141e9);
  const again = planMemory(llama, { ...settings, recompute: true }, { ...sizes, tokens: 8192, labels: 4096 }, 'gpu');
  expect(again.activations).toBe(2 * 8192 * (32 * 4096 + 12 * 4096 + 4 * 11008));
  expect(again.peak).toBeLessThan(kept.peak);
});
