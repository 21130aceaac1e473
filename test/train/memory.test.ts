import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { thisMachine } from '../../recipes/plan-target.ts';
import { planSchema, planTrain } from '../../recipes/plan-train.ts';
import type { SftResult } from '../../recipes/sft.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { parameterShapes } from '../../src/model/decoder.ts';
import { writeModelFolder } from '../../src/model/directory.ts';
import { type MemorySettings, type PackSizes, planMemory } from '../../src/train/memory.ts';
import { tinyModel, understudy } from '../cli/program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-memory-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const llama = (sizes: Record<string, unknown>) =>
  parseModelConfig({
    model_type: 'llama',
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    eos_token_id: 2,
    ...sizes,
  });

describe('planMemory', () => {
  // A block: norms 16, q 64, k and v 32 each, o 64, gate, up and down 128 each: 592. Tables 80 each, the last norm 8.
  const config = llama({
    hidden_size: 8,
    intermediate_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: 10,
  });
  const parameters = 2 * 592 + 2 * 80 + 8;
  const settings: MemorySettings = {
    dtype: 'float32',
    storedDtype: 'float32',
    recompute: false,
    stepInBackward: false,
    heldOut: false,
    keepCheckpoints: 1,
  };
  const sizes: PackSizes = { tokens: 10, longest: 10, labels: 10, accumulates: false, dataTokens: 0 };
  const plan = (more: Partial<MemorySettings> = {}, packs: Partial<PackSizes> = {}) =>
    planMemory(config, { ...settings, ...more }, { ...sizes, ...packs });
  const lora = { rank: 2, targets: [] };

  it('counts weights, their masters and moments as worked by hand', () => {
    // q, k, v, gate and up are copied side by side, and their pages of the file stay: 2 · 384 of 4 bytes.
    expect(plan()).toMatchObject({ parameters, trained: parameters, weights: 4 * parameters + 4 * 768, masters: 0 });
    expect(plan().moments).toBe(8 * parameters);
    expect(plan({ storedDtype: 'bfloat16' }).weights).toBe(4 * parameters);
    expect(plan({ dtype: 'bfloat16' })).toMatchObject({ weights: 2 * parameters, masters: 4 * parameters });
    // Inputs 6 · 8 + 16, outputs 8 + 4 + 4 + 8 + 16 + 16 + 8: 128 a block, twice that of rank 2.
    expect(plan({ lora })).toMatchObject({ trained: 512, moments: 8 * 512, gradients: 4 * 512 });
    expect(plan({ lora: { rank: 2, targets: ['down_proj'] } }).trained).toBe(2 * 2 * (16 + 8));
    // Beside adapters weights are only read: in bf16 they are mapped too.
    expect(plan({ lora, dtype: 'bfloat16', storedDtype: 'bfloat16' }).weights).toBe(2 * (parameters + 512 + 768));
    expect(plan({ lora, dtype: 'bfloat16' }).weights).toBe(2 * (parameters + 512));
  });

  it('counts what dropout before adapters takes', () => {
    const dropping = { ...lora, dropout: 0.1 };
    // Fused: what one adapter sees, of the widest layer, down_proj with 16 inputs; masks are not kept.
    expect(plan({ lora: dropping }).scratch - plan({ lora }).scratch).toBe(4 * 10 * 16);
    expect(plan({ lora: { ...dropping, dropout: 0 } })).toEqual(plan({ lora }));
    expect(plan({ lora: dropping }).activations).toBe(plan({ lora }).activations);
    // By autograd: in each block's graph the inputs of seven layers, 6 · 8 + 16, and a byte for each; bits of one mask, twice.
    const onGpu = (more: Partial<MemorySettings>) => planMemory(config, { ...settings, ...more }, sizes, 'gpu');
    const [kept, none] = [onGpu({ lora: dropping }), onGpu({ lora })];
    expect(kept.activations - none.activations).toBe(2 * 10 * 64 * (4 + 1));
    expect(kept.scratch - none.scratch).toBe(2 * 4 * 10 * 16);
    const again = { recompute: true };
    const [recomputed, plain] = [onGpu({ lora: dropping, ...again }), onGpu({ lora, ...again })];
    expect(recomputed.activations - plain.activations).toBe(10 * 64 * (4 + 1));
  });

  it('counts gradients: of blocks, of tables in fp32, and what is added to the head’s', () => {
    expect(plan().gradients).toBe(4 * 1184 + 4 * 160 + 4 * 80);
    expect(plan({}, { accumulates: true }).gradients).toBe(4 * 1184 + 4 * 592 + 4 * 160 + 4 * 80);
    expect(plan({ dtype: 'bfloat16' }).gradients).toBe(2 * 1184 + 4 * 160 + 2 * 80);
    // Of one block; the head was stepped before the embedding has its gradient.
    expect(plan({ stepInBackward: true }).gradients).toBe(4 * 592 + 4 * 80 + 4 * 80);
  });

  it('counts what is kept for the backward, of all blocks or of one', () => {
    // Two inputs, the output, its gradient: 8 each; a block's 16 + 8 + 8 + 32; two factors of fp32.
    expect(plan().activations).toBe(10 * (4 * (4 * 8 + 2 * 64) + 2 * 2 * 4));
    expect(plan({ recompute: true }).activations).toBe(10 * (4 * (4 * 8 + 64) + 2 * 4));
    expect(plan({ dtype: 'bfloat16' }).activations).toBe(10 * (2 * (4 * 8 + 2 * 64) + 2 * 2 * 4));
    expect(plan({}, { tokens: 20 }).activations).toBe(2 * plan().activations);
  });

  it('counts the disk as train sft does: checkpoints of 12 bytes, one more while saving, and the model', () => {
    expect(plan().disk).toBe((2 * 12 + 4) * parameters);
    expect(plan({ heldOut: true, keepCheckpoints: 2 }).disk).toBe((4 * 12 + 4) * parameters);
    expect(plan({ lora }).disk).toBe((2 * 12 + 4) * 512);
  });

  it('says when the peak is', () => {
    const trained = plan();
    const { weights, moments, gradients, activations, scratch: shared, loss, slack, process } = trained;
    expect(trained.peakAt).toBe('training');
    expect(trained.peak).toBe(process + weights + moments + gradients + activations + shared + loss + slack);
    // With adapters in bf16 the fp32 weights are there only at first, as pages of the file; in a file in bf16 never.
    const large = llama({
      hidden_size: 1024,
      intermediate_size: 4096,
      num_hidden_layers: 8,
      num_attention_heads: 8,
      vocab_size: 32_000,
    });
    const adapters = planMemory(large, { ...settings, dtype: 'bfloat16', lora }, sizes);
    expect([adapters.peakAt, adapters.peak]).toEqual(['loading', adapters.process + 6 * adapters.parameters]);
    const short = { ...settings, dtype: 'bfloat16', storedDtype: 'bfloat16', lora } as const;
    const mapped = planMemory(large, short, sizes);
    expect(mapped.peak).toBeLessThan(mapped.process + 4 * mapped.parameters);
    // All weights in bf16 are rounded one by one on their way to the file: a table's bytes are less than the gradients.
    const whole = planMemory(large, { ...settings, dtype: 'bfloat16' }, sizes);
    expect(whole.peakAt).toBe('training');
    expect(whole.peak).toBeLessThan(whole.process + (4 + 2 + 8 + 2 + 2) * whole.parameters);
  });
});

describe('the peak that happens', () => {
  const model = join(scratch, 'model');
  const data = join(scratch, 'data.json');

  /** 28 million parameters, which outweigh the process. */
  beforeAll(() => {
    const config = llama({
      hidden_size: 512,
      intermediate_size: 1408,
      num_hidden_layers: 8,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      vocab_size: 8192,
      tie_word_embeddings: true,
    });
    const noise = Float32Array.from({ length: 1 << 20 }, (_, i) => 0.05 * Math.sin(1000 * i));
    const weights = [...parameterShapes(config)].map(([name, shape]) => {
      const bytes = () => {
        const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
        for (let at = 0; at < values.length; at += noise.length) values.set(noise.subarray(0, values.length - at), at);
        if (name.endsWith('norm.weight')) values.fill(1);
        return new Uint8Array(values.buffer);
      };
      return [name, { dtype: 'float32', shape, bytes }] as const;
    });
    mkdirSync(model);
    writeModelFolder(model, { config, weights: new Map(weights), from: tinyModel });
    // A token is a byte: documents of 80 to 200 tokens.
    const rows = Array.from({ length: 24 }, (_, i) => ({
      instruction: `Say ${i}.`,
      output: 'abcdefgh '.repeat(5 + (i % 14)),
    }));
    writeFileSync(data, JSON.stringify(rows));
  });

  it.each([
    ['all weights', { packTokens: 512, batchTokens: 512, maxTrainTokens: 1200 }],
    ['recomputed, packs summed', { packTokens: 256, batchTokens: 1024, recompute: 'always', maxTrainTokens: 1100 }],
    ['adapters', { packTokens: 512, batchTokens: 512, lora: { rank: 8 }, maxTrainTokens: 1200 }],
    ['adapters, dropout', { packTokens: 512, batchTokens: 512, lora: { rank: 8, dropout: 0.1 }, maxTrainTokens: 1200 }],
  ])('comes to what was planned, give or take 15 in 100: %s', async (name, settings) => {
    const output = join(scratch, name);
    const config = { model, data: [data], output, dtype: 'float32', ...settings };
    const file = join(scratch, `${name}.yaml`);
    writeFileSync(file, JSON.stringify(config));
    const { memory } = planTrain(planSchema.parse(config), thisMachine());
    const { code, stdout, stderr } = await understudy(['train', 'sft', '--config', file, '--json']);
    expect([code, stderr]).toEqual([0, expect.anything()]);
    const { peakBytes } = JSON.parse(stdout) as SftResult;
    expect(memory.peak / peakBytes).toBeGreaterThan(0.85);
    expect(memory.peak / peakBytes).toBeLessThan(1.15);
  });
});
