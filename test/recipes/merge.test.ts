import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkMergeOutput, run } from '../../recipes/merge.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { toFloat32 } from '../../src/torch/convert.ts';

const golden = join(import.meta.dirname, '../golden');
const adapter = join(golden, 'lora-llama-tied');
const scratch = mkdtempSync(join(tmpdir(), 'merge-'));

const weightsOf = (folder: string, dtype: 'float32' | 'bfloat16') => {
  const { decoder } = loadModel(folder, { dtype });
  const values = [...decoder.parameters].map(([name, tensor]) => [name, toFloat32(tensor)] as const);
  decoder.release();
  return values;
};

it.each([
  ['float32', 0, 1e-4],
  ['bfloat16', 1e-3, 1],
] as const)(
  'writes a model that needs no adapters, in %s, and what the merging changed',
  async (dtype, least, most) => {
    const output = join(scratch, dtype);
    const result = await run({ adapter, output, dtype });
    expect(result.largestLogitDifference).toBeGreaterThanOrEqual(least);
    expect(result.largestLogitDifference).toBeLessThan(most);
    expect(result.logitRange).toBeGreaterThan(1);
    expect(JSON.parse(readFileSync(join(output, 'merge.json'), 'utf8'))).toEqual(result);
    if (dtype === 'float32') expect(weightsOf(output, dtype)).toEqual(weightsOf(adapter, dtype));
    expect(weightsOf(output, 'float32')).not.toEqual(weightsOf(join(golden, 'llama-tied'), 'float32'));
    for (const name of ['tokenizer.json', 'chat_template.jinja']) expect(existsSync(join(output, name))).toBe(true);
    expect(() => checkMergeOutput({ adapter, output })).not.toThrow(); // again, over what it made itself
  },
);

it('refuses folders that are not adapters, that miss their model, or hold something else', () => {
  const output = join(scratch, 'none');
  expect(() => checkMergeOutput({ adapter: join(golden, 'llama-tied'), output })).toThrow('holds no adapters');
  const lonely = join(scratch, 'lonely');
  cpSync(adapter, lonely, { recursive: true });
  expect(() => checkMergeOutput({ adapter: lonely, output })).toThrow('there is no such model folder');
  mkdirSync(join(scratch, 'taken'));
  writeFileSync(join(scratch, 'taken', 'thesis.txt'), '');
  expect(() => checkMergeOutput({ adapter, output: join(scratch, 'taken') })).toThrow('no merged model');
});
