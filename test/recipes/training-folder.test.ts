import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDisk } from '../../recipes/training-folder.ts';
import { configFor, dataFile, fileIn, goldenModel, logOf, scratch, sums, train } from './sft-run.ts';

const model = goldenModel('llama-tied');
const data = [dataFile('sums', sums(8))];

/** Of an event file (read whole in test/train/tensorboard.test.ts): the step it begins with, its scalars' steps and tags. */
function eventFile(folder: string, name: string) {
  const bytes = fileIn(folder, name);
  const events: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16 + Number(bytes.readBigUInt64LE(at))) {
    events.push(bytes.subarray(at + 12, at + 12 + Number(bytes.readBigUInt64LE(at))));
  }
  // Key and wall time take 9 bytes, the step's key one, a step below 128 one.
  const [, start, ...scalars] = events.map((event) => ({ step: event[10], text: event.toString('latin1') }));
  const tags = scalars.map(({ text }) => text.match(/(?:train|eval)\/[a-z_]+/g));
  return { firstStep: start?.step, steps: scalars.map(({ step }) => step), tags };
}

describe('the TensorBoard folder', () => {
  it('gets a file each time the run is begun, which goes on after the checkpoint', async () => {
    const config = configFor('board', { model, data, evalShare: 0.25 });
    await expect(train(config, 2)).rejects.toThrow('saved after step 2');
    const { result } = await train(config);
    const folder = join(config.output, 'tensorboard');
    const names = readdirSync(folder).sort();
    expect(names.length).toBe(2);
    const [first, second] = names.map((name) => eventFile(folder, name));
    expect(first).toMatchObject({ firstStep: 1, steps: [1, 2] });
    const rest = Array.from({ length: result.steps - 2 }, (_, i) => i + 3);
    expect(second).toMatchObject({ firstStep: 3, steps: rest });
    const tags = ['train/loss', 'train/grad_norm', 'train/learning_rate', 'train/tokens'];
    expect([...first!.tags, ...second!.tags]).toEqual(
      logOf(config.output).map(({ heldOutLoss }) => (heldOutLoss === undefined ? tags : [...tags, 'eval/loss'])),
    );
  });

  it('stands elsewhere where told to', async () => {
    const tensorboard = join(scratch, 'boards', 'mine');
    const { result } = await train(configFor('no-board', { model, data, epochs: 1, tensorboard }));
    expect(readdirSync(tensorboard).length).toBe(1);
    expect(readdirSync(result.model)).not.toContain('tensorboard');
  });
});

describe('the learning rate of the log', () => {
  const ratesOf = async (name: string, more: object) => {
    const { result } = await train(configFor(name, { model, data, epochs: 3, learningRate: 4e-3, ...more }));
    const rates = logOf(result.model).map(({ learningRate }) => learningRate as number);
    expect(rates.length).toBeGreaterThan(5);
    return rates;
  };

  it('falls in a straight line', async () => {
    const rates = await ratesOf('linear', { schedule: 'linear', warmupRatio: 0, minLearningRateRatio: 0.5 });
    const steps = rates.length;
    rates.forEach((rate, i) => {
      expect(rate).toBeCloseTo(4e-3 - (2e-3 * (i + 1)) / (steps + 1), 12);
    });
  });

  it('stays where it is, once warmed up', async () => {
    const rates = await ratesOf('constant', { schedule: 'constant', warmupRatio: 0.3 });
    const warmup = Math.ceil(0.3 * rates.length);
    expect(warmup).toBeGreaterThan(1);
    rates.forEach((rate, i) => {
      expect(rate).toBeCloseTo(4e-3 * Math.min(1, (i + 1) / warmup), 12);
    });
  });
});

describe('the disk', () => {
  const config = (name: string, more: object = {}) => configFor(name, { model, data, ...more });

  it('is refused where not all would fit: how much is needed, for what, and what to do', () => {
    // 10¹⁵ weights: 12 PB a checkpoint; two to keep, one being written, the best; 4 PB the model.
    const { output, ...rest } = config('full', { keepCheckpoints: 2, evalShare: 0.1 });
    const check = () => checkDisk({ ...rest, output }, 1e15, 4e15, 0);
    expect(check).toThrow(
      / of disk are free, training needs 52000000\.0 GB \(4 checkpoints of 12000000\.0 GB and the model\)$/,
    );
    expect(check).toThrow(new RegExp(`^${output}: \\d+\\.\\d GB of disk`));
    expect(check).toThrow(
      expect.objectContaining({
        code: 'config',
        hint: 'free some space, choose another output, or train adapters (lora)',
      }),
    );
  });

  it('counts neither the best where no rows are held out, nor what stands there already', () => {
    expect(() => checkDisk(config('less'), 1e15, 4e15, 0)).toThrow('needs 28000000.0 GB (2 checkpoints of');
    expect(() => checkDisk(config('less'), 1e15, 4e15, 12e15)).toThrow('needs 16000000.0 GB (2 checkpoints of');
    expect(() => checkDisk(config('less'), 1e15, 4e15, 28e15)).not.toThrow();
    expect(() => checkDisk(config('less'), 1000, 4000, 0)).not.toThrow();
  });
});

it('is the same run on whatever device: done on one, it is done', async () => {
  const config = configFor('device', { model, data, epochs: 1 });
  const { result } = await train(config);
  expect((await train({ ...config, device: 'cpu' })).result).toEqual(result);
});
