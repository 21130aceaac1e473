import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/local/loaded-model.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { scope } from '../../src/torch/tensor.ts';
import { configFor, dataFile, goldenModel, randomModel, sums, train } from '../recipes/sft-run.ts';

const python = process.env['PEERS_PYTHON'] as string;
const script = join(import.meta.dirname, '../../scripts/peers/logits.py');

function theirs(folder: string, ids: readonly number[]): number[] {
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  const output = execFileSync(python, [script, folder, JSON.stringify(ids)], { maxBuffer: 2 ** 30, stdio });
  return (JSON.parse(output.toString()) as { logits: number[][] }).logits.flat();
}

function ours(folder: string, ids: readonly number[]): number[] {
  const { decoder } = loadModel(folder, { dtype: 'float32' });
  const logits = scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [ids.length]);
      return toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention)));
    }),
  );
  decoder.release();
  return [...logits];
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), a.length === b.length ? 0 : Infinity);

describe('PEFT', () => {
  it.each([
    ['llama-tied, all layers', goldenModel('llama-tied'), 'all', 'float32'],
    ['llama3-untied, in bf16', goldenModel('llama3-untied'), ['v_proj', 'o_proj', 'up_proj'], 'bfloat16'],
    ['qwen2, some layers', randomModel('qwen2'), ['q_proj', 'down_proj'], 'float32'],
  ] as const)('loads the adapters we trained, with the same logits: %s', async (name, model, targets, dtype) => {
    const lora = { rank: 3, alpha: 12, targets: targets === 'all' ? targets : [...targets], dropout: 0.1 };
    const data = [dataFile('sums', sums(8))];
    const { result } = await train(configFor(name, { model, data, dtype, lora, learningRate: 2e-2 }));
    const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * 37) % 256));
    const logits = theirs(result.model, ids);
    expect(furthest(ours(result.model, ids), logits)).toBeLessThan(1e-4);
    // Had the adapters not been found, PEFT would only have warned.
    expect(furthest(ours(model, ids), logits)).toBeGreaterThan(0.1);
  });
});
