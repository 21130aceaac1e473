import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkComparisonInput } from '../../recipes/comparison-input.ts';
import { type DpoConfig, preferenceSettings } from '../../recipes/dpo-config.ts';
import { encodeGroups } from '../../src/data/answer-groups.ts';
import { readPreferences } from '../../src/data/formats.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { liveTensors } from '../../src/torch/tensor.ts';
import { type Comparison, comparisons, dpoConfig, rowsFile, trainDpo } from './comparison-run.ts';
import { checkpointsIn, fileIn, goldenModel, logOf, modelWithBrokenLetter, randomModel, scratch } from './sft-run.ts';

const model = goldenModel('llama-tied');
const data = [rowsFile('yes', comparisons(24))];
const lora = { rank: 2, alpha: 8, targets: 'all', dropout: 0 } as const;
const reference = 'reference-logprobs.json';
const reading = (notes: readonly string[]) => notes.filter((note) => note.includes('the reference reads'));

const configure = (name: string, more: Partial<DpoConfig> = {}): DpoConfig =>
  dpoConfig(name, { model, data, epochs: 3, learningRate: 1e-3, ...more });

/** Σ log p of both answers to every prompt by a folder. */
async function sumsBy(folder: string): Promise<{ chosen: number; rejected: number }[]> {
  const { decoder, tokenizer, template } = loadModel(folder, { dtype: 'float32' });
  const { groups } = encodeGroups(readPreferences(data[0] as string), tokenizer, template, 1000);
  const sums = await answerLogprobs(
    decoder,
    groups.flatMap(({ documents }) => documents),
  );
  decoder.release();
  return groups.map((_, i) => ({ chosen: sums[2 * i]!.sum, rejected: sums[2 * i + 1]!.sum }));
}

describe.each([
  { name: 'all weights', more: {}, file: 'model.safetensors' },
  { name: 'adapters', more: { lora, learningRate: 1e-2 }, file: 'adapter_model.safetensors' },
  {
    name: 'qwen2 in bf16',
    more: {
      lora: { ...lora, targets: ['q_proj', 'down_proj'] },
      learningRate: 1e-2,
      model: randomModel('qwen2'),
      dtype: 'bfloat16',
    },
    file: 'adapter_model.safetensors',
  },
] as { name: string; more: Partial<DpoConfig>; file: string }[])('dpo, $name', ({ name, more, file }) => {
  const whole = configure(`${name} whole`, { evalShare: 0.2, ...more });
  const tolerance = more.dtype === 'bfloat16' ? 0.05 : 1e-4;

  it('begins where the policy is its reference, and parts the answers from there', async () => {
    const before = liveTensors();
    const { result, rows, notes } = await trainDpo(whole);
    expect(liveTensors()).toBeLessThanOrEqual(before);
    expect(reading(notes)).toEqual(['the reference reads 48 answers, once']);
    const [first, last] = [rows[0]!, rows.at(-1)!];
    expect(Math.abs(first.loss - Math.LN2)).toBeLessThan(tolerance);
    for (const metric of ['rewards/chosen', 'rewards/rejected', 'rewards/margins']) {
      expect(Math.abs(first.metrics![metric]!)).toBeLessThan(tolerance);
    }
    expect(last.loss).toBeLessThan(0.9 * Math.LN2);
    expect(last.metrics!['rewards/margins']).toBeGreaterThan(0.2);
    expect(last.metrics!['rewards/accuracies']).toBeGreaterThan(0.8);
    expect(last.metrics!['eval/rewards/margins']).toBeGreaterThan(0.1);
    const { 'rewards/chosen': chosen, 'rewards/rejected': rejected, 'rewards/margins': margin } = last.metrics!;
    expect(chosen! - rejected!).toBeCloseTo(margin!, 12);
    expect(result.receipt).toMatchObject({ prompts: 24, pairs: 24, ties: 0 });
  });

  it('interrupted and resumed, has the same bits, and asks the reference no more', async () => {
    const stopped = configure(`${name} stopped`, { evalShare: 0.2, ...more });
    await expect(trainDpo(stopped, 2)).rejects.toThrow('saved after step 2');
    const kept = fileIn(stopped.output, reference);
    const { rows, notes } = await trainDpo(stopped);
    expect(reading(notes)).toEqual([]);
    expect(rows[0]).toMatchObject({ step: 3 });
    expect(checkpointsIn(stopped.output)).toEqual([]);
    expect(fileIn(stopped.output, reference).equals(kept)).toBe(true);
    expect(fileIn(stopped.output, file).equals(fileIn(whole.output, file))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(whole.output));
  });

  it('does nothing again when it is done, and never mixes two settings in one folder', async () => {
    const { rows, notes } = await trainDpo(whole);
    expect([rows, reading(notes)]).toEqual([[], []]);
    await expect(trainDpo({ ...whole, beta: 0.2 })).rejects.toThrow('holds a run with other settings');
  });
});

describe('what the metrics say', () => {
  it('is so of the saved model: a reward is β times what an answer has gained', async () => {
    const config = configure('told', { epochs: 4, schedule: 'constant', batchTokens: 100_000, packTokens: 100_000 });
    const { result, rows } = await trainDpo(config);
    // The last step measures the model before it: one more step, of the whole data, measures this one.
    const next = await trainDpo(
      configure('next', { ...config, output: join(scratch, 'next'), model: result.model, epochs: 1 }),
    );
    const [was, is] = [await sumsBy(model), await sumsBy(result.model)];
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const metrics = next.rows[0]!.metrics!;
    expect(metrics['logps/chosen']).toBeCloseTo(mean(is.map(({ chosen }) => chosen)), 2);
    expect(metrics['logps/rejected']).toBeCloseTo(mean(is.map(({ rejected }) => rejected)), 2);
    const gained = (which: 'chosen' | 'rejected') =>
      config.beta * mean(is.map((one, i) => one[which] - was[i]![which]));
    expect(gained('chosen') - gained('rejected')).toBeGreaterThan(rows.at(-1)!.metrics!['rewards/margins']!);
    expect(rows[0]!.metrics!['logps/chosen']).toBeCloseTo(mean(was.map(({ chosen }) => chosen)), 2);
  });
});

describe('the reference', () => {
  it('is read again where it is another: other data, another model, or nothing left of it', async () => {
    const config = configure('read again', { epochs: 1 });
    expect(reading((await trainDpo(config)).notes)).toHaveLength(1);
    const other = configure('other data', { data: [rowsFile('other', comparisons(10))], epochs: 1 });
    cpSync(join(config.output, reference), join(other.output, reference));
    expect(reading((await trainDpo(other)).notes)).toEqual(['the reference reads 20 answers, once']);
    const changed = configure('other model', { model: goldenModel('llama3-untied'), epochs: 1 });
    cpSync(join(config.output, reference), join(changed.output, reference));
    expect(reading((await trainDpo(changed)).notes)).toHaveLength(1);
    rmSync(join(config.output, reference));
    rmSync(join(config.output, 'dpo.json'));
    expect(reading((await trainDpo(config)).notes)).toHaveLength(1);
  });

  it('of another run is left as it is, and a run that is done reads none', async () => {
    const config = configure('done', { epochs: 1 });
    await trainDpo(config);
    const kept = fileIn(config.output, reference);
    const other = { ...config, data: [rowsFile('others', comparisons(10))] };
    await expect(trainDpo(other)).rejects.toThrow('other settings or other data');
    expect(fileIn(config.output, reference).equals(kept)).toBe(true);
    rmSync(join(config.output, reference));
    expect(reading((await trainDpo(config)).notes)).toEqual([]);
  });
});

describe('the other losses', () => {
  it('ipo begins at (1 / 2β)²', async () => {
    const beta = 0.2;
    const { rows } = await trainDpo(configure('ipo', { loss: 'ipo', beta }));
    expect(Math.abs(rows[0]!.loss - (1 / (2 * beta)) ** 2)).toBeLessThan(1e-4);
    expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss);
  });

  it('cdpo begins at log 2 whatever the smoothing, and then parts the answers less', async () => {
    const ends: number[] = [];
    for (const smoothing of [0, 0.3]) {
      const { rows } = await trainDpo(configure(`cdpo ${smoothing}`, { smoothing, epochs: 6 }));
      expect(Math.abs(rows[0]!.loss - Math.LN2)).toBeLessThan(1e-4);
      ends.push(rows.at(-1)!.metrics!['rewards/margins']!);
    }
    expect(ends[1]).toBeLessThan(ends[0]!);
  });

  it('simpo has no reference, and rewards that are β times the mean of an answer’s tokens', async () => {
    const config = configure('simpo', { loss: 'simpo', beta: 2, gamma: 1, batchTokens: 100_000, packTokens: 100_000 });
    const { rows, notes, result } = await trainDpo(config);
    expect(reading(notes)).toEqual([]);
    expect(existsSync(join(result.model, reference))).toBe(false);
    const was = await sumsBy(model);
    const rows24: readonly Comparison[] = comparisons(24);
    const gaps = was.map(({ chosen, rejected }, i) => {
      const { chosen: better, rejected: worse } = rows24[i]!; // a byte is a token, and one ends the turn
      return 2 * (chosen / (better.length + 1) - rejected / (worse.length + 1));
    });
    const expected = gaps.reduce((sum, gap) => sum + Math.log1p(Math.exp(1 - gap)), 0) / gaps.length;
    expect(rows[0]!.loss).toBeCloseTo(expected, 4);
    expect(rows.at(-1)!.loss).toBeLessThan(rows[0]!.loss);
  });

  it('are refused settings that are another’s', () => {
    const refused = (more: Partial<DpoConfig>) => () => preferenceSettings(configure('settings', more));
    expect(refused({ loss: 'ipo', smoothing: 0.1 })).toThrow('smoothing: is for loss dpo, not ipo');
    expect(refused({ loss: 'dpo', gamma: 1 })).toThrow('gamma: is for loss simpo, not dpo');
    expect(refused({ smoothing: 0.5 })).toThrow();
    expect(preferenceSettings(configure('settings', { loss: 'simpo' })).logprobs).toBe('mean');
    expect(preferenceSettings(configure('settings', { loss: 'ipo', logprobs: 'sum' })).logprobs).toBe('sum');
    expect(preferenceSettings(configure('settings')).logprobs).toBe('sum');
  });
});

describe('what cannot be learned from', () => {
  it('is refused before anything is loaded', () => {
    const config = configure('checked');
    expect(() => checkComparisonInput(config)).not.toThrow();
    const refused = (more: Partial<DpoConfig>) => () => checkComparisonInput({ ...config, ...more });
    expect(refused({ template: 'absent' })).toThrow('no chat template absent');
    expect(refused({ stepInBackward: true })).toThrow('stepInBackward: the norm of all gradients');
    expect(refused({ model: join(scratch, 'absent') })).toThrow('no such model');
    expect(refused({ data: [rowsFile('conversations', [{ instruction: 'Hi', output: 'ho' }])] })).toThrow();
    expect(refused({ output: model })).toThrow('holds a model that was not trained here');
  });

  it('stops it, and changes nothing: a log-probability that is no number', async () => {
    const file = rowsFile('broken', [...comparisons(4), { prompt: 'Is Z small?', chosen: 'yes', rejected: 'no' }]);
    const broken = { model: modelWithBrokenLetter('Z'), data: [file], epochs: 1 };
    const config = configure('broken', broken);
    await expect(trainDpo(config)).rejects.toThrow(/the log-probability of .* is NaN/);
    expect(readdirSync(config.output)).toEqual(['.lock']);
    const withoutReference = configure('broken simpo', { ...broken, loss: 'simpo', beta: 2 });
    await expect(trainDpo(withoutReference)).rejects.toThrow(/the loss is NaN, .*; nothing was changed/);
    expect(readdirSync(withoutReference.output)).not.toContain('config.json');
  });
});
