import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gpu, type Target } from '../../recipes/plan-target.ts';
import {
  inSection,
  type PlanConfig,
  planSchema,
  planTrain,
  shortage,
  type TrainPlan,
} from '../../recipes/plan-train.ts';
import { sftAliases } from '../../recipes/sft-aliases.ts';
import { parseConfig } from '../../src/run/config.ts';
import { model as hubModel, startHubServer } from '../hub/hub-server.ts';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-plan-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const data = join(scratch, 'data.json');
const rows = Array.from({ length: 30 }, (_, i) => ({ instruction: `Count to ${i}.`, output: `${i} it is.` }));
writeFileSync(data, JSON.stringify(rows));

/** A folder with a description alone: planning needs no weights. */
function describedModel(name: string, more: Record<string, unknown>): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const file = JSON.parse(readFileSync(join(tinyModel, 'config.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...file, head_dim: undefined, ...more }));
  return folder;
}
const ofSevenBillion = {
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  vocab_size: 32_000,
  max_position_embeddings: 4096,
  tie_word_embeddings: false,
};
const sevenBillion = describedModel('seven', ofSevenBillion);

/** Words alone: where libtorch would be, there is nothing. */
const wordsOnly = { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } };
const plan = (...args: string[]) => understudy(['plan', 'train', ...args], wordsOnly);

describe('plan train', () => {
  it('says for people what is needed, with no libtorch, and that it fits', async () => {
    const { code, stdout, stderr } = await plan(
      '--model',
      tinyModel,
      '--max-tokens',
      '128',
      '--out',
      join(scratch, 'out'),
    );
    expect([code, stderr]).toEqual([0, '✓ it fits\n']);
    for (const name of ['weights', 'optimizer moments', 'gradients', 'activations kept', 'peak', 'available', 'disk']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\d+\\.\\d\\d GB`, 'm'));
    }
    expect(stdout).toMatch(/^ {2}disk .* free$/m);
    expect(stdout).toMatch(/^ {2}time +unknown {2}--measure/m);
    expect(existsSync(join(scratch, 'out'))).toBe(false);
  });

  it('plans the very steps and tokens that training then does', async () => {
    const settings = ['--model', tinyModel, '--data', data, '--max-tokens', '128', '--dtype', 'float32', '--json'];
    const sizes = ['--batch-tokens', '256', '--pack-tokens', '128', '--epochs', '2', '--eval-share', '0.1'];
    const planned = await plan(...settings, ...sizes);
    expect(planned.code).toBe(0);
    const { training, packs, memory } = JSON.parse(planned.stdout) as TrainPlan;
    expect(packs).toMatchObject({ from: 'data', accumulates: true });
    expect(packs.tokens).toBeLessThanOrEqual(128);
    const trained = await understudy(['train', 'sft', ...settings, ...sizes, '--out', join(scratch, 'trained')]);
    expect(trained.code).toBe(0);
    expect(JSON.parse(trained.stdout)).toMatchObject({
      steps: training?.steps,
      trainedTokens: training?.tokens,
      parameters: memory.parameters,
    });
  });

  it('ends with 1 and the nearest settings where a GPU is too small, and says that none was measured', async () => {
    const args = ['--model', sevenBillion, '--batch-tokens', '1024'];
    const small = await plan(...args, '--gpu', 'A100 80', '--json');
    expect(small.code).toBe(1);
    expect(small.stderr).toMatch(/needs about 1\d\d\.\d GB of memory; 80\.0 GB are available on one a100-80/);
    expect(small.stderr).toMatch(/→ the nearest that fits, with \d+\.\d GB: --lora-rank 8$/m);
    expect(JSON.parse(small.stdout)).toMatchObject({ fits: false, nearest: { flags: ['--lora-rank 8'] } });
    const large = await plan(...args, '--gpu', 'h200');
    expect([large.code, large.stderr]).toEqual([0, expect.stringContaining('no GPU path has been measured')]);
    expect(large.stdout).toMatch(
      /time +≈ .* for 1,000 tokens; assuming 6 operations .* at 35 % of 989 TFLOP\/s in bfloat16/,
    );
    expect((await plan('--model', tinyModel, '--gpu', 'h300')).stderr).toContain('did you mean h200?');
  });

  it('refuses what train sft would refuse', async () => {
    const none = await plan('--data', data);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--model <folder>')]);
    const long = await plan('--model', tinyModel, '--max-tokens', '999999');
    expect([long.code, long.stderr]).toEqual([2, expect.stringMatching(/maxTokens: the model has \d+ positions/)]);
    const empty = join(scratch, 'empty.json');
    writeFileSync(empty, '[]');
    expect((await plan('--model', tinyModel, '--max-tokens', '128', '--data', empty)).code).toBe(2);
    const builtin = await plan('--model', 'builtin');
    expect([builtin.code, builtin.stderr]).toEqual([2, expect.stringContaining('not set up yet')]);
    const several = await plan('--model', sevenBillion, '--step-in-backward', '--clip', 'block');
    expect([several.code, several.stderr]).toEqual([2, expect.stringContaining('a step must be one pack')]);
  });

  it('fetches of a model on the hub what describes it, and no weights', async () => {
    const names = [
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'chat_template.jinja',
      'model.safetensors',
    ];
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(tinyModel, name))]));
    const hub = await startHubServer({ files });
    try {
      const env = { ...wordsOnly.env, HF_ENDPOINT: hub.endpoint };
      const args = ['plan', 'train', '--model', hubModel, '--data', data, '--max-tokens', '128', '--json'];
      const { code, stdout } = await understudy(args, { env });
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ model: hubModel, fits: true, packs: { from: 'data' } });
      expect(hub.served('config.json')).toHaveLength(1);
      expect(hub.served('model.safetensors')).toEqual([]);
      expect(existsSync(join(scratch, 'nowhere'))).toBe(false);
    } finally {
      await hub.close();
    }
  });

  it('measures products where it is asked to, for the time', async () => {
    const args = ['--model', tinyModel, '--max-tokens', '128', '--data', data, '--dtype', 'float32'];
    const { code, stdout } = await understudy(['plan', 'train', ...args, '--measure', '--json']);
    expect(code).toBe(0);
    const { time } = JSON.parse(stdout) as TrainPlan;
    expect(time?.assuming).toMatch(/^6 operations a parameter and token, at 50 % of \d+ GFLOP\/s in float32$/);
    expect(time?.seconds).toBeGreaterThan(0);
  });
});

describe('train', () => {
  // No machine has the memory for it; it has no weights, so that nothing is loaded in the end.
  const enormous = describedModel('enormous', {
    hidden_size: 65_536,
    intermediate_size: 262_144,
    num_hidden_layers: 200,
    num_attention_heads: 64,
    num_key_value_heads: 64,
  });
  const pairs = join(scratch, 'pairs.json');
  writeFileSync(pairs, JSON.stringify([{ prompt: 'Is 1 small?', chosen: 'yes', rejected: 'no' }]));

  it.each([
    ['sft', data, 'dpo'],
    ['reward', pairs, 'sft'],
    ['dpo', pairs, 'reward'],
  ])('%s is refused for its memory, but not where it is done', async (kind, file, other) => {
    const out = join(scratch, `done ${kind}`);
    const train = () => understudy(['train', kind, '--model', enormous, '--data', file, '--out', out]);
    const short = [2, expect.stringMatching(/needs about \d+\.\d GB of memory/)];
    const refused = async () => {
      const { code, stderr } = await train();
      return [code, stderr];
    };
    expect(await refused()).toEqual(short);
    mkdirSync(out);
    // Another training's result is not this one's.
    writeFileSync(join(out, `${other}.json`), '{}');
    expect(await refused()).toEqual(short);
    writeFileSync(join(out, `${kind}.json`), '{}');
    expect(await refused()).toEqual([2, expect.stringContaining('expected a tokenizer')]);
  });
});

describe('the nearest settings that fit', () => {
  const on = (availableBytes: number, computesInBf16: boolean): Target => {
    return { name: 'this machine', device: 'cpu', availableBytes, computesInBf16 };
  };
  const config = planSchema.parse({ model: sevenBillion, batchTokens: 4096, packTokens: 4096, dtype: 'float32' });
  const { lora } = planSchema.parse({ model: sevenBillion, lora: {} });
  type Changes = Partial<PlanConfig>;
  const peakOf = (changes: Changes) => planTrain({ ...config, ...changes }, on(1e15, true)).memory.peak;
  const nearest = (availableBytes: number, changes: Changes = {}, computesInBf16 = false) =>
    planTrain({ ...config, ...changes }, on(availableBytes, computesInBf16)).nearest?.flags;

  /** Of everything that comes before steps inside the backward. */
  const leastRounded = () =>
    Math.min(...[4096, 2048, 1024].map((packTokens) => peakOf({ recompute: 'always', dtype: 'bfloat16', packTokens })));

  it('come in order: recomputing, smaller packs, bf16, steps inside the backward, adapters', () => {
    expect(planTrain(config, on(1e15, false))).toMatchObject({ fits: true, nearest: null });
    expect(nearest(peakOf({ recompute: 'always' }))).toEqual(['--recompute always']);
    const halved = peakOf({ recompute: 'always', packTokens: 2048 });
    expect(nearest(halved)).toEqual(['--recompute always', '--pack-tokens 2048']);
    // No further than the longest document, which may have 1,024 tokens.
    const quartered = peakOf({ recompute: 'always', packTokens: 1024 });
    expect(nearest(quartered)).toEqual(['--recompute always', '--pack-tokens 1024']);
    expect(nearest(quartered - 1)).toEqual(['--dtype bfloat16']);
    const rounded = leastRounded();
    expect(nearest(rounded - 1)).toEqual(['--recompute always', '--step-in-backward', '--clip block']);
    // Several packs a step cannot be stepped inside the backward.
    expect(nearest(rounded - 1, { batchTokens: 8192 })).toEqual(['--lora-rank 8']);
    expect(nearest(peakOf({ lora }) - 1)).toEqual(['--recompute always', '--lora-rank 8']);
    // Beside adapters, weights as they are stored: 7B on a laptop.
    const stored = describedModel('seven-bf16', { ...ofSevenBillion, dtype: 'bfloat16' });
    expect(nearest(28e9, { model: stored })).toEqual(['--recompute always', '--dtype bfloat16', '--lora-rank 8']);
    expect(nearest(1e9)).toBeUndefined();
  });

  it('have bf16 among them where it costs no time: in hardware, or in fused blocks', () => {
    const thin = { intermediate_size: 4096, num_hidden_layers: 16, vocab_size: 32_000, max_position_embeddings: 4096 };
    // Wide batches over a small model, and documents as long as packs.
    const model = describedModel('thin', {
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      ...thin,
    });
    const changes: Changes = { model, batchTokens: 8192, maxTokens: 4096 };
    const rounded = peakOf({ ...changes, recompute: 'always', dtype: 'bfloat16' });
    expect(rounded).toBeLessThan(peakOf({ ...changes, recompute: 'always' }));
    expect(nearest(rounded, changes, true)).toEqual(['--recompute always', '--dtype bfloat16']);
    expect(nearest(rounded, changes, false)).toEqual(['--recompute always', '--dtype bfloat16']);
    const byOperators = describedModel('biased', {
      hidden_size: 1024,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      mlp_bias: true,
      ...thin,
    });
    expect(nearest(rounded, { ...changes, model: byOperators })?.join(' ')).not.toContain('bfloat16');
  });

  it('are named as flags, or as settings of a section of a file', () => {
    const target = on(leastRounded() - 1, false);
    const hintOf = (changes: Changes, ...spelling: [] | [ReturnType<typeof inSection>]) =>
      shortage(planTrain({ ...config, ...changes }, target), ...spelling)?.hint.replace(/with .* GB: /, '');
    expect(hintOf({})).toBe('the nearest that fits, --recompute always --step-in-backward --clip block');
    expect(hintOf({}, inSection('sft'))).toBe(
      'the nearest that fits, recompute: always, stepInBackward: true, clip: block under sft',
    );
    const several: Changes = { batchTokens: 8192 };
    expect(hintOf(several, inSection('sft'))).toBe('the nearest that fits, loraRank: 8 under sft');
    const given = { model: 'm', stepInBackward: true, clip: 'block', loraRank: 8 };
    expect(parseConfig(planSchema, given, 'sft', { aliases: { '': sftAliases } })).toMatchObject({ lora: { rank: 8 } });
  });

  it('knows each GPU’s memory, and which has no bf16', () => {
    expect(gpu('H100')).toMatchObject({ availableBytes: 80e9, computesInBf16: true });
    expect(gpu('rtx 6000 ada').availableBytes).toBe(48e9);
    expect(gpu('t4')).toMatchObject({ availableBytes: 16e9, computesInBf16: false });
    expect(planTrain(planSchema.parse({ model: sevenBillion }), gpu('t4')).settings.dtype).toBe('float32');
  });
});

describe('train sft', () => {
  it('refuses what is clearly beyond this machine before it loads anything, unless told to go on', async () => {
    const sizes = {
      hidden_size: 65_536,
      intermediate_size: 262_144,
      num_attention_heads: 512,
      num_key_value_heads: 512,
    };
    const huge = describedModel('huge', { ...sizes, num_hidden_layers: 100, max_position_embeddings: 4096 });
    const args = ['train', 'sft', '--model', huge, '--data', data, '--out', join(scratch, 'refused')];
    const refused = await understudy(args);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/GB of memory; .* are available here/)]);
    expect(refused.stderr).toContain('--ignore-memory');
    const forced = await understudy([...args, '--ignore-memory']);
    expect(forced.stderr).not.toContain('of memory');
    expect(forced.stderr).toContain('tokenizer');
  });
});
