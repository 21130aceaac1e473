import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fromFloat32, toFloat32 } from '../../src/torch/convert.ts';
import {
  bestOf,
  type HeldOutLoss,
  latestCheckpoint,
  loadMoments,
  removeCheckpoints,
  saveCheckpoint,
  type TrainerState,
} from '../../src/train/checkpoint.ts';
import {
  checkpointsIn,
  configFor,
  dataFile,
  fileIn,
  goldenModel,
  jsonIn,
  logOf,
  scratch,
  sums,
  train,
} from '../recipes/sft-run.ts';

const numerics = { torchVersion: '2', cpuCapability: 'AVX2', threads: 1, dtype: 'float32' };
const stateAt = (step: number, heldOut: readonly HeldOutLoss[] = []): TrainerState => {
  const best = bestOf(heldOut);
  return {
    global_step: step,
    max_steps: 9,
    best_global_step: best?.step ?? null,
    best_metric: best?.loss ?? null,
    log_history: [],
    understudy: { identity: 'this run', numerics, heldOut },
  };
};
const tensors = (...values: number[]) => new Map([['weight', fromFloat32(values, [values.length])]]);

const newOutput = (): string => mkdtempSync(join(scratch, 'output-'));

/** Its weights are a text that names the step. */
const save = (output: string, step: number, { losses = {}, keepNewest = 9 }: SaveOptions = {}) => {
  const heldOut = Object.entries(losses).map(([at, loss]) => ({ step: Number(at), loss }));
  const known = heldOut.filter((loss) => loss.step <= step);
  return saveCheckpoint(output, stateAt(step, known), {
    optimizer: { master: tensors(1), first: tensors(step, 0.1), second: tensors(-step, 1e-30) },
    writeModel: (folder) => writeFileSync(join(folder, 'weights'), `weights ${step}`),
    keepNewest,
  });
};

interface SaveOptions {
  /** Held-out losses of the whole run, by step. */
  readonly losses?: Readonly<Record<number, number>>;
  readonly keepNewest?: number;
}

function latest(output: string) {
  const notes: string[] = [];
  const checkpoint = latestCheckpoint(output, (note) => notes.push(note));
  return { step: checkpoint?.state.global_step, checkpoint, notes };
}

function flipByte(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 1;
  writeFileSync(file, bytes);
}

describe('a checkpoint', () => {
  it('holds the model, both moments, the state, and a checksum of each of these files', async () => {
    const output = newOutput();
    await save(output, 7);
    const folder = join(output, 'checkpoint-7');
    const files = ['optimizer.safetensors', 'trainer_state.json', 'weights'];
    expect(readdirSync(folder).sort()).toEqual(['checksums.json', ...files]);
    const checksums = jsonIn<Record<string, unknown>>(folder, 'checksums.json');
    expect(Object.keys(checksums)).toEqual(files);
    for (const file of files) {
      const bytes = fileIn(folder, file);
      expect(checksums[file]).toEqual({ bytes: bytes.length, crc32: crc32(bytes) });
    }
    const { checkpoint, notes } = latest(output);
    expect(checkpoint).toEqual({ folder, state: stateAt(7) });
    expect(notes).toEqual([]);
    const { first, second } = loadMoments(checkpoint!);
    expect([first, second].map((moment) => toFloat32(moment.get('weight')!))).toEqual([
      Float32Array.of(7, 0.1),
      Float32Array.of(-7, 1e-30),
    ]);
  });

  it('goes when enough newer ones are there, unless it is the best of one that stays', async () => {
    const output = newOutput();
    const options = { losses: { 2: 1.5, 4: 1.6, 10: 1.4 }, keepNewest: 2 };
    const stepsAfter = async (step: number) => {
      await save(output, step, options);
      return checkpointsIn(output).map((name) => Number(name.replace('checkpoint-', '')));
    };
    expect(await stepsAfter(1)).toEqual([1]);
    expect(await stepsAfter(2)).toEqual([1, 2]);
    expect(await stepsAfter(3)).toEqual([2, 3]);
    expect(await stepsAfter(4)).toEqual([2, 3, 4]);
    expect(await stepsAfter(5)).toEqual([2, 4, 5]);
    expect(await stepsAfter(10)).toEqual([2, 5, 10]); // by number, not by name
    expect(await stepsAfter(11)).toEqual([10, 11]);
    removeCheckpoints(output);
    expect(readdirSync(output)).toEqual([]);
  });

  it.each<[string, (folder: string) => void, string]>([
    ['a flipped bit', (folder) => flipByte(join(folder, 'weights'), 3), 'weights has changed since it was written'],
    ['a cut file', (folder) => truncateSync(join(folder, 'weights'), 4), 'weights has 4 bytes, 9 were written'],
    ['a missing file', (folder) => rmSync(join(folder, 'optimizer.safetensors')), 'optimizer.safetensors is missing'],
    ['no state', (folder) => rmSync(join(folder, 'trainer_state.json')), 'trainer_state.json is missing'],
    [
      'a state that was changed',
      (folder) => writeFileSync(join(folder, 'trainer_state.json'), '{}'),
      /^trainer_state.json has 2 bytes, \d+ were written$/.source,
    ],
    ['no checksums', (folder) => rmSync(join(folder, 'checksums.json')), 'checksums.json is missing'],
    ['torn checksums', (folder) => truncateSync(join(folder, 'checksums.json'), 20), 'checksums.json is not JSON'],
  ])('with %s is set aside, and the one before it is taken', async (_, damage, found) => {
    const output = newOutput();
    for (const step of [3, 6]) await save(output, step);
    mkdirSync(join(output, 'checkpoint-6.damaged')); // of another time
    const folder = join(output, 'checkpoint-6');
    const files = readdirSync(folder);
    damage(folder);
    const { step, notes } = latest(output);
    expect(step).toBe(3);
    expect(notes.length).toBe(1);
    expect(notes[0]).toContain(`${folder}: `);
    expect(notes[0]).toMatch(new RegExp(found.replace(/^\^|\$$/g, '')));
    expect(notes[0]).toMatch(/; set aside as .*checkpoint-6\.damaged$/);
    expect(checkpointsIn(output)).toEqual(['checkpoint-3', 'checkpoint-6.damaged']);
    expect(files).toEqual(expect.arrayContaining(readdirSync(`${folder}.damaged`)));
    expect(readdirSync(`${folder}.damaged`)).toContain('weights');
    expect(latest(output)).toMatchObject({ step: 3, notes: [] });
    removeCheckpoints(output);
    expect(checkpointsIn(output)).toEqual(['checkpoint-6.damaged']);
  });

  it('is of no use without the best of its run, whose weights the result would have', async () => {
    const output = newOutput();
    for (const step of [2, 4, 6, 8]) await save(output, step, { losses: { 2: 1.5, 4: 1.4, 6: 1.5, 8: 1.4 } });
    flipByte(join(output, 'checkpoint-4', 'weights'), 0);
    const { step, notes } = latest(output);
    expect(step).toBe(2);
    expect(notes.map((note) => note.replace(/; set aside.*/, ''))).toEqual([
      `${join(output, 'checkpoint-8')}: the best so far, checkpoint-4: weights has changed since it was written`,
      `${join(output, 'checkpoint-6')}: the best so far, checkpoint-4: weights has changed since it was written`,
      `${join(output, 'checkpoint-4')}: weights has changed since it was written`,
    ]);
  });

  it('is none while it is being written, nor where all are damaged', async () => {
    const output = newOutput();
    expect(latest(output)).toMatchObject({ step: undefined, notes: [] });
    await save(output, 3);
    mkdirSync(join(output, '.checkpoint-4.tmp-999999999-0123abcd'));
    mkdirSync(join(output, 'checkpoint-5')); // somebody else's
    expect(latest(output).step).toBe(3);
    expect(checkpointsIn(output)).toEqual(['checkpoint-3', 'checkpoint-5']);
    expect(existsSync(join(output, '.checkpoint-4.tmp-999999999-0123abcd'))).toBe(false);
    flipByte(join(output, 'checkpoint-3', 'trainer_state.json'), 5);
    expect(latest(output).step).toBeUndefined();
    const failing = saveCheckpoint(output, stateAt(6), {
      optimizer: { master: tensors(1), first: tensors(1), second: tensors(1) },
      writeModel: () => {
        throw new Error('the disk is full');
      },
      keepNewest: 1,
    });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(readdirSync(output).sort()).toEqual(['checkpoint-3.damaged', 'checkpoint-5']);
  });
});

describe('checkpoints of a fine-tuning', () => {
  const data = [dataFile('sums', sums(12))];
  const model = goldenModel('llama-tied');
  // The loss falls, then grows, as the rate rises: the best is in the middle.
  const settings = {
    model,
    data,
    learningRate: 0.1,
    warmupRatio: 1,
    maxGradNorm: 0,
    epochs: 3,
    evalShare: 0.25,
    evalEverySteps: 1,
    maxTrainTokens: 900,
    checkpointEverySteps: 1,
    keepCheckpoints: 2,
  };
  const configOf = (name: string) => configFor(name, settings);
  const weights = (folder: string) => fileIn(folder, 'model.safetensors');

  it('are the newest and the best, and say what Hugging Face’s Trainer says', async () => {
    const { result } = await train(configOf('whole'));
    const best = result.heldOut?.bestStep as number;
    expect(best).toBeGreaterThan(1);
    expect(best).toBeLessThan(result.steps);
    expect(checkpointsIn(result.model)).toEqual([]);

    const { output } = configOf('kept');
    await expect(train(configOf('kept'), result.steps - 1)).rejects.toThrow('saved after');
    const last = result.steps - 1;
    const kept = [...new Set([best, last - 1, last])].map((step) => `checkpoint-${step}`);
    expect(checkpointsIn(output)).toEqual(kept);
    const folder = join(output, kept.at(-1)!);
    const files = readdirSync(folder).filter((name) => name !== 'checksums.json');
    expect(Object.keys(jsonIn(folder, 'checksums.json'))).toEqual(files.sort());
    expect(files).toEqual(expect.arrayContaining(['model.safetensors', 'optimizer.safetensors', 'tokenizer.json']));
    const log = logOf(output);
    const losses = log.map(({ heldOutLoss }) => heldOutLoss as number);
    expect(jsonIn(folder, 'trainer_state.json')).toMatchObject({
      global_step: last,
      max_steps: result.steps,
      best_global_step: best,
      best_metric: Math.min(...losses),
      log_history: log.map(({ step, epoch, loss, gradNorm, learningRate, heldOutLoss }) => {
        return { step, epoch, loss, grad_norm: gradNorm, learning_rate: learningRate, eval_loss: heldOutLoss };
      }),
    });
  });

  it.each<[string, 'newest' | 'best', (folder: string) => void]>([
    ['a flipped bit', 'newest', (folder) => flipByte(join(folder, 'optimizer.safetensors'), 2000)],
    ['a missing file', 'newest', (folder) => rmSync(join(folder, 'model.safetensors'))],
    ['a cut file in the best', 'best', (folder) => truncateSync(join(folder, 'model.safetensors'), 1000)],
  ])('are not gone on from with %s: the one before gives the same model', async (name, which, damage) => {
    const { output } = configOf('whole');
    const { bestStep } = jsonIn<{ heldOut: { bestStep: number } }>(output, 'sft.json').heldOut;
    const config = configOf(name);
    const last = bestStep + 1;
    await expect(train(config, last)).rejects.toThrow(`saved after step ${last}`);
    expect(checkpointsIn(config.output)).toEqual([`checkpoint-${bestStep}`, `checkpoint-${last}`]);
    damage(join(config.output, `checkpoint-${which === 'best' ? bestStep : last}`));
    const { notes, events } = await train(config);
    expect(notes).toContainEqual(expect.stringContaining(`checkpoint-${last}.damaged`));
    const first = which === 'newest' ? last : 1;
    expect(events.find((event) => event.kind === 'step')).toMatchObject({ row: { step: first } });
    expect(weights(config.output).equals(weights(output))).toBe(true);
    expect(logOf(config.output)).toEqual(logOf(output));
    expect(checkpointsIn(config.output)).toContain(`checkpoint-${last}.damaged`);
  });
});

describe('bestOf', () => {
  it('is the first of the lowest, whatever is not a number', () => {
    const losses = (...values: unknown[]) => values.map((loss, i) => ({ step: i + 1, loss: loss as number }));
    expect(bestOf([])).toBeUndefined();
    expect(bestOf(losses(3, 2, 2, 4))?.step).toBe(2);
    expect(bestOf(losses(Number.NaN, 2, Number.NaN))?.step).toBe(2);
    expect(bestOf(losses(null, 2, null, 1, null))?.step).toBe(4); // NaN, as JSON gives it back
    expect(bestOf(losses(Number.NaN, null, Number.POSITIVE_INFINITY))).toBeUndefined();
  });
});
