import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../recipes/sft.ts';
import { type SftConfig, sftSchema } from '../../recipes/sft-config.ts';
import type { TrainingEvent } from '../../recipes/training.ts';
import { readHeader } from '../../src/torch/safetensors.ts';
import { liveTensors } from '../../src/torch/tensor.ts';

const model = join(import.meta.dirname, '../golden/llama-tied');
const scratch = mkdtempSync(join(tmpdir(), 'understudy-sft-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const data = join(scratch, 'data.json');
const rows = Array.from({ length: 24 }, (_, i) => ({
  instruction: `Add ${i} and ${i + 1}.`,
  input: i % 3 === 0 ? 'Show the working.' : '',
  output: `${i} + ${i + 1} = ${2 * i + 1}.`,
}));
writeFileSync(data, JSON.stringify(rows));

const configFor = (name: string, more: Partial<SftConfig> = {}): SftConfig =>
  sftSchema.parse({
    model,
    data: [data],
    output: join(scratch, name),
    dtype: 'float32',
    epochs: 2,
    learningRate: 5e-3,
    batchTokens: 256,
    packTokens: 128,
    checkpointEverySteps: 3,
    ...more,
  });

/** Runs; `stopAfter` presses Ctrl-C when that step is done. */
async function train(config: SftConfig, stopAfter?: number) {
  const controller = new AbortController();
  const events: TrainingEvent[] = [];
  const emit = (event: TrainingEvent) => {
    events.push(event);
    if (event.kind === 'step' && event.row.step === stopAfter) controller.abort();
  };
  const promise = run(config, { signal: controller.signal, emit });
  return { events, result: await promise };
}

/** A model folder with its log; no checkpoints, nothing temporary. */
const finished = [
  '.lock',
  'chat_template.jinja',
  'config.json',
  'events.jsonl',
  'generation_config.json',
  'model.safetensors',
  'sft.json',
  'tensorboard',
  'tokenizer.json',
  'tokenizer_config.json',
  'train.jsonl',
];

const weights = (name: string) => readFileSync(join(scratch, name, 'model.safetensors'));
const log = (name: string) =>
  readFileSync(join(scratch, name, 'train.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds: _, ...row } = JSON.parse(line) as Record<string, number>;
      return row;
    });

describe('supervised fine-tuning', () => {
  it('learns, and leaves a model folder, a log and no checkpoints', async () => {
    const before = liveTensors();
    const { result, events } = await train(configFor('whole'));
    expect(liveTensors()).toBe(before);
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps.length).toBe(result.steps);
    expect(result.steps).toBeGreaterThan(8);
    const losses = steps.map(({ row }) => row.loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.8);
    expect(readdirSync(join(scratch, 'whole')).sort()).toEqual(finished);
    expect(existsSync(join(result.model, 'chat_template.jinja'))).toBe(true);
    expect(result.trainedTokens).toBe(steps.at(-1)!.totalTokens);
  });

  it('interrupted and resumed, gives the same bits as undisturbed', async () => {
    await expect(train(configFor('stopped'), 4)).rejects.toThrow('saved after step 4');
    expect(readdirSync(join(scratch, 'stopped'))).toContain('checkpoint-4');
    await expect(train(configFor('stopped'), 7)).rejects.toThrow('saved after step 7');
    expect(readdirSync(join(scratch, 'stopped')).filter((name) => name.startsWith('checkpoint'))).toEqual([
      'checkpoint-7',
    ]);
    const { events } = await train(configFor('stopped'));
    expect(events.find((event) => event.kind === 'step')).toMatchObject({ row: { step: 8 } });
    expect(weights('stopped').equals(weights('whole'))).toBe(true);
    expect(log('stopped')).toEqual(log('whole'));
  });

  it('resumes to the same bits in bf16 as well, and saves what it computed in', async () => {
    const settings = { dtype: 'bfloat16', epochs: 1 } as const;
    await train(configFor('bf16', settings));
    await expect(train(configFor('bf16-stopped', settings), 2)).rejects.toThrow('saved after step 2');
    await train(configFor('bf16-stopped', settings));
    expect(weights('bf16-stopped').equals(weights('bf16'))).toBe(true);
    const { entries } = readHeader(join(scratch, 'bf16', 'model.safetensors'));
    expect(new Set([...entries.values()].map(({ dtype }) => dtype))).toEqual(new Set(['bfloat16']));
  });

  it('never writes over another model', async () => {
    const copy = join(scratch, 'base');
    cpSync(model, copy, { recursive: true });
    await expect(train(configFor('base', { model: copy }))).rejects.toThrow('holds a model that was not trained here');
  });

  it('is a model folder at every checkpoint', async () => {
    await expect(train(configFor('checkpoint'), 3)).rejects.toThrow('saved after step 3');
    const folder = join(scratch, 'checkpoint', 'checkpoint-3');
    const files = ['chat_template.jinja', 'config.json', 'generation_config.json', 'model.safetensors'];
    expect(readdirSync(folder)).toEqual(expect.arrayContaining([...files, 'optimizer.safetensors', 'tokenizer.json']));
    expect(readHeader(join(folder, 'model.safetensors')).entries.size).toBe(20);
  });

  it('does nothing again when it is done, and never mixes two settings in one folder', async () => {
    const { events, result } = await train(configFor('whole'));
    expect(events.filter((event) => event.kind === 'step')).toEqual([]);
    expect(result.model).toBe(join(scratch, 'whole'));
    await expect(train(configFor('whole', { learningRate: 1e-3 }))).rejects.toThrow('holds a run with other settings');
    await expect(train(configFor('checkpoint', { seed: 2 }))).rejects.toThrow('holds a run with other settings');
  });

  it('forgets what a kill tore: a half line of the log, a half-written checkpoint', async () => {
    await expect(train(configFor('torn'), 4)).rejects.toThrow('saved after step 4');
    const file = join(scratch, 'torn', 'train.jsonl');
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"step":5,"epoch":0,"loss":1,"gradNorm":1,"learn`);
    mkdirSync(join(scratch, 'torn', '.checkpoint-6.tmp-999999999-0123abcd'));
    mkdirSync(join(scratch, 'torn', 'checkpoint-9')); // without a state it is none
    await train(configFor('torn'));
    expect(weights('torn').equals(weights('whole'))).toBe(true);
    expect(log('torn')).toEqual(log('whole'));
    expect(
      readdirSync(join(scratch, 'torn'))
        .filter((name) => name !== 'checkpoint-9')
        .sort(),
    ).toEqual(finished);
  });

  it('says what it leaves out, and refuses to train on nothing', async () => {
    const { events, result } = await train(configFor('cut', { maxTokens: 60, epochs: 1 }));
    expect(result.receipt.dropped.length).toBeGreaterThan(0);
    expect(result.receipt.kept + result.receipt.dropped.length).toBe(rows.length);
    expect(events.find((event) => event.kind === 'note')).toMatchObject({
      text: expect.stringContaining('the limit is 60'),
    });
    await expect(train(configFor('none', { maxTokens: 10 }))).rejects.toThrow('the limit is 10');
  });

  it('refuses a template whose end of turn is not what generation stops at', async () => {
    const copy = join(scratch, 'other-stop');
    cpSync(model, copy, { recursive: true });
    writeFileSync(join(copy, 'generation_config.json'), JSON.stringify({ eos_token_id: 0 }));
    await expect(train(configFor('never-stops', { model: copy }))).rejects.toThrow(
      'the end of a turn is never trained',
    );
  });

  it('stops on a loss that is not finite, and changes nothing', async () => {
    const wild = configFor('wild', { learningRate: 1e30, maxGradNorm: 0, weightDecay: 0, warmupRatio: 0 });
    await expect(train(wild)).rejects.toThrow(/step \d+: the loss is .*(NaN|Infinity).*; nothing was changed/);
  });
});
