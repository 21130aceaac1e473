import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { describe, expect, it } from 'vitest';
import { run, type SftResult } from '../../recipes/sft.ts';
import type { SftConfig } from '../../recipes/sft-config.ts';
import { readConversations } from '../../src/data/formats.ts';
import { encodeDocuments, holdOut, packTokens } from '../../src/data/pack.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { liveTensors } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import {
  checkpointsIn,
  configFor,
  dataFile,
  fileIn,
  goldenModel,
  jsonIn,
  logOf,
  modelWithBrokenLetter,
  type Row,
  sums,
  train,
} from './sft-run.ts';

const model = goldenModel('llama-tied');
const rows = sums(12);
const data = [dataFile('sums', rows)];
/** Three of the twelve rows. */
const held = { evalShare: 0.25 };

/** The documents of a data file, as the recipe parts them with seed 1. */
function parted(file: string) {
  const { decoder, tokenizer, template } = loadModel(model, { dtype: 'float32' });
  decoder.release();
  const { documents } = encodeDocuments(readConversations(file), tokenizer, template, 1024);
  return holdOut(documents, held.evalShare, 1);
}

/** Mean loss of a model on documents, by autograd: another way than the recipe's own. */
function lossOf(folder: string, documents: ReturnType<typeof parted>['heldOut']): number {
  const executor = new AutogradExecutor(loadModel(folder, { dtype: 'float32' }).decoder);
  const gradients = new Gradients({ accumulates: true });
  const sum = documents.reduce((loss, one) => loss + executor.forwardBackward([one], gradients, 1), 0);
  gradients.release();
  executor.release();
  return sum / documents.reduce((tokens, { labelTokens }) => tokens + labelTokens, 0);
}

/** Some rows with another answer of the same length. */
const altered = (which: readonly string[]): Row[] =>
  rows.map((row, i) => (which.includes(`sums:${i}`) ? { ...row, output: row.output.replace('It is', 'Ha ha') } : row));

const weights = (folder: string): Buffer => fileIn(folder, 'model.safetensors');
const withoutHeldOut = (folder: string) => logOf(folder).map(({ heldOutLoss: _, ...row }) => row);

describe('held-out rows', () => {
  const { training, heldOut } = parted(data[0]!);

  it('are measured after every epoch, and never learned', async () => {
    const before = liveTensors();
    const { result, notes, events } = await train(configFor('apart', { model, data, ...held }));
    expect(liveTensors()).toBe(before);
    expect(heldOut.length).toBe(3);
    expect(notes.at(-1)).toContain('12 of 12 rows kept (0 cut, 0 dropped), 3 held out, ');
    expect(result.trainedTokens).toBe(2 * packTokens(training));
    const measured = logOf(result.model).filter(({ heldOutLoss }) => heldOutLoss !== undefined);
    expect(measured.map(({ step }) => step)).toEqual([result.steps / 2, result.steps]);
    expect(result.heldOut?.losses).toEqual(measured.map(({ step, heldOutLoss }) => ({ step, loss: heldOutLoss })));
    expect(events.filter((event) => event.kind === 'step').at(-1)).toMatchObject({ row: measured.at(-1) });
    expect(result.heldOut).toMatchObject({ rows: 3, bestStep: result.steps });
    expect(result.heldOut?.losses.at(-1)?.loss).toBeCloseTo(lossOf(result.model, heldOut), 4);

    // Other answers in the held-out rows change what is measured and nothing else; in one that is learned, the weights.
    const others = dataFile('held-out-altered', altered(heldOut.map(({ id }) => id)));
    const same = await train(configFor('held-out-altered', { model, data: [others], ...held }));
    expect(withoutHeldOut(same.result.model)).toEqual(withoutHeldOut(result.model));
    expect(weights(same.result.model).equals(weights(result.model))).toBe(true);
    expect(same.result.heldOut?.losses).not.toEqual(result.heldOut?.losses);
    const learned = dataFile('learned-altered', altered([training[0]!.id]));
    const other = await train(configFor('learned-altered', { model, data: [learned], ...held }));
    expect(withoutHeldOut(other.result.model)).not.toEqual(withoutHeldOut(result.model));
  });

  // A rate that rises with every step: the loss falls at first, then grows.
  const rising: Partial<SftConfig> = {
    ...held,
    evalEverySteps: 1,
    earlyStoppingPatience: 2,
    epochs: 3,
    learningRate: 0.1,
    warmupRatio: 1,
    maxGradNorm: 0,
  };
  const adapted: Partial<SftConfig> = { dtype: 'bfloat16', lora: { rank: 2, alpha: 8, targets: 'all', dropout: 0 } };

  it.each([
    ['all weights', 'model.safetensors', {}],
    ['adapters in bf16', 'adapter_model.safetensors', adapted],
  ])('decide when to stop and which weights are the best, interrupted or not: %s', async (name, file, more) => {
    const configOf = (folder: string) => configFor(`${name}-${folder}`, { model, data, ...rising, ...more });
    const whole = configOf('whole');
    const before = liveTensors();
    const { result, events } = await train(whole);
    expect(liveTensors()).toBeLessThanOrEqual(before); // what interrupted runs left may go meanwhile
    const { losses, bestStep } = result.heldOut as NonNullable<SftResult['heldOut']>;
    const lowest = Math.min(...losses.map(({ loss }) => loss));
    expect(losses.find(({ loss }) => loss === lowest)?.step).toBe(bestStep);
    expect(bestStep).toBeGreaterThan(1);
    const planned = events.find((event) => event.kind === 'step')?.steps;
    expect(result.steps).toBe(bestStep + 2);
    expect(result.steps).toBeLessThan(planned as number);
    expect(lossOf(whole.output, heldOut)).toBeCloseTo(lowest, name === 'all weights' ? 4 : 1);

    const stopped = configOf('stopped');
    await expect(train(stopped, bestStep)).rejects.toThrow(`saved after step ${bestStep}`);
    expect(fileIn(stopped.output, `checkpoint-${bestStep}`, file).equals(fileIn(whole.output, file))).toBe(true);
    await expect(train(stopped, bestStep + 1)).rejects.toThrow(`saved after step ${bestStep + 1}`);
    expect(checkpointsIn(stopped.output)).toEqual([`checkpoint-${bestStep}`, `checkpoint-${bestStep + 1}`]);
    await train(stopped);
    expect(fileIn(stopped.output, file).equals(fileIn(whole.output, file))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(whole.output));
    expect(jsonIn<SftResult>(stopped.output, 'sft.json').heldOut).toEqual(result.heldOut);
    expect(checkpointsIn(stopped.output)).toEqual([]);
  });

  it('are measured before a cancelled run is saved, so that it goes on as if it had not been', async () => {
    const config = configFor('cancelled', { model, data, ...held, evalEverySteps: 2 });
    const controller = new AbortController();
    const cancelled = run(config, {
      signal: controller.signal,
      emit(event) {
        // While the second step is computed, which is evaluated at its end.
        if (event.kind === 'step' && event.row.step === 1) setImmediate(() => controller.abort());
      },
    });
    await expect(cancelled).rejects.toThrow('saved after step 2');
    expect(logOf(config.output).at(-1)).toMatchObject({ step: 2, heldOutLoss: expect.any(Number) });
    const whole = configFor('not-cancelled', { model, data, ...held, evalEverySteps: 2 });
    await train(config);
    await train(whole);
    expect(logOf(config.output)).toEqual(logOf(whole.output));
    expect(weights(config.output).equals(weights(whole.output))).toBe(true);
  });
});

describe('a batch that cannot be computed', () => {
  const broken = modelWithBrokenLetter('Z');
  const withZ = (place: number): Row[] =>
    rows.map((row, i) => (i === place ? { ...row, instruction: `Z ${row.instruction}` } : row));
  const configOf = (name: string, place: number, more: Partial<SftConfig>) =>
    configFor(name, { model: broken, data: [dataFile('zed', withZ(place))], epochs: 1, keepCheckpoints: 9, ...more });

  it('ends the run where told to, names its rows, and changes nothing', async () => {
    const config = configOf('stop', 5, { checkpointEverySteps: 1 });
    const error = (await train(config).catch((caught: unknown) => caught)) as Error;
    const [, step, named] =
      /^step (\d+): the loss is NaN, its gradient norm NaN; nothing was changed \(rows (.*)\)$/.exec(
        error.message,
      ) as string[];
    expect(error).toMatchObject({ code: 'work', hint: expect.stringContaining('lower learning rate') });
    expect(named?.split(', ')).toContain('zed:5');
    expect(named?.split(', ').length).toBeLessThan(5);
    expect(Number(step)).toBeGreaterThan(1);
    expect(checkpointsIn(config.output).at(-1)).toBe(`checkpoint-${Number(step) - 1}`);
    expect(logOf(config.output).at(-1)?.['step']).toBe(Number(step) - 1);
    expect(existsSync(join(config.output, 'model.safetensors'))).toBe(false);
    await expect(train(config)).rejects.toThrow(error.message);
  });

  it('is left out where told to: weights and moments stay, the run goes on', async () => {
    const config = configOf('skip', 5, { onNonFinite: 'skip', checkpointEverySteps: 1 });
    const { result, notes } = await train(config);
    const skipped = logOf(result.model).filter(({ loss }) => loss === null);
    expect(skipped.length).toBe(1);
    const step = skipped[0]?.['step'] as number;
    expect(step).toBeGreaterThan(1);
    expect(step).toBeLessThan(result.steps);
    expect(notes.at(-1)).toMatch(new RegExp(`^step ${step}: the loss is NaN, .*zed:5.*; skipped$`));

    const stopped = configOf('skip-stopped', 5, { onNonFinite: 'skip', checkpointEverySteps: 1 });
    await expect(train(stopped, step + 1)).rejects.toThrow('saved after');
    const [before, skipping, after] = [step - 1, step, step + 1].map((number) => {
      const files = ['model.safetensors', 'optimizer.safetensors'];
      return files.map((file) => fileIn(stopped.output, `checkpoint-${number}`, file).toString('base64'));
    });
    expect(skipping).toEqual(before);
    expect(after).not.toEqual(skipping);
    await train(stopped);
    expect(weights(stopped.output).equals(weights(config.output))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(config.output));
  });

  it('among the held-out rows is never the best, also after going on', async () => {
    const place = Number(parted(data[0]!).heldOut[0]!.id.replace('sums:', ''));
    const settings = { ...held, evalEverySteps: 1, earlyStoppingPatience: 3, epochs: 2 };
    const config = configOf('held-out', place, settings);
    const { result, notes } = await train(config);
    expect(result.steps).toBe(3);
    expect(result.heldOut).toMatchObject({ rows: 3, bestStep: 3 });
    expect(notes.slice(1)).toEqual([1, 2, 3].map((step) => `step ${step}: the held-out loss is NaN`));
    const stopped = configOf('held-out-stopped', place, settings);
    await expect(train(stopped, 2)).rejects.toThrow('saved after step 2');
    await train(stopped);
    expect(weights(stopped.output).equals(weights(config.output))).toBe(true);
    expect(logOf(stopped.output)).toEqual(logOf(config.output));
  });
});
