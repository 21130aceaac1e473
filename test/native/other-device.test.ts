/**
 * What a GPU will do, without one: everything numeric on a device that is not the CPU (other-device.cpp), where a kernel of
 * ours or a tensor on the CPU among others fails, beside the same on the CPU with our kernels.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TokenDocument } from '../../src/data/pack.ts';
import { type DecodeRequest, decode } from '../../src/infer/decode.ts';
import { answerLogprobs } from '../../src/infer/logprobs.ts';
import { greedy } from '../../src/infer/sample.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { createAdapters } from '../../src/model/lora.ts';
import { quantizeParameters } from '../../src/model/quantize.ts';
import { fromFloat32, fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { sumOfSquares } from '../../src/torch/kernels.ts';
import { elapsedMs, openDevice, setDeterministic } from '../../src/torch/machine.ts';
import { tensorOperator } from '../../src/torch/operator.ts';
import { add, toDtype } from '../../src/torch/ops.ts';
import { type Dtype, keep, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import { createExecutor } from '../../src/train/executor.ts';
import { Gradients } from '../../src/train/gradients.ts';
import { AdamW } from '../../src/train/optimizer.ts';
import { configFor, dataFile, fileIn, jsonIn, logOf, randomModel, sums, train } from '../recipes/sft-run.ts';
import { loadOtherDevice } from './other-device.ts';

beforeAll(() => {
  loadOtherDevice();
  setDeterministic(true);
});

/** On the CPU, then on the other device; nothing stays behind on either. */
async function onBoth<T>(body: () => T | Promise<T>): Promise<[onCpu: T, onOther: T]> {
  const results: T[] = [];
  for (const device of ['cpu', 'other']) {
    expect(liveTensors()).toBe(0);
    openDevice(device);
    results.push(await body());
  }
  expect(liveTensors()).toBe(0);
  return results as [T, T];
}

const golden = join(import.meta.dirname, '../golden');
const families = ['llama-tied', 'llama3-untied', 'llama-biases', 'mistral', 'qwen2', 'qwen3', 'opt'];
const idsOf = (length: number, salt = 0): number[] => Array.from({ length }, (_, i) => 3 + ((i * 7 + salt * 13) % 60));

/** Where the values are about 1: the largest difference. */
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, i) => Math.abs(value - b[i]!)).reduce((most, one) => Math.max(most, one), 0);
};

const zerosOn = tensorOperator<[readonly number[], 'float32', null, string]>('aten::zeros');

it('fails where a GPU would: kernels of ours, and tensors of two devices', () => {
  openDevice('other');
  scope(() => {
    const tensor = fromFloat32([1, 2], [2]);
    expect(tensor.device).toBe('other:0');
    expect(() => sumOfSquares(tensor)).toThrow('kernel for the CPU');
    expect(() => add(tensor, zerosOn([2], 'float32', null, 'cpu'))).toThrow('device');
    expect([...toFloat32(add(tensor, tensor))]).toEqual([2, 4]);
  });
});

it('is timed by its own events', () => {
  openDevice('other');
  const ms = elapsedMs(() => {
    for (const end = performance.now() + 5; performance.now() < end; );
  });
  expect(ms).toBeGreaterThanOrEqual(5);
});

describe.each(families)('%s', (name) => {
  const load = (dtype: Dtype) => loadDecoder(join(golden, name), dtype);
  /** The golden models have from 72 tokens on. */
  const limited = (ids: readonly number[]) => ids.map((id) => id % 70);

  it.each([
    ['float32', 1e-5],
    ['bfloat16', 0.03],
  ] as const)('has the same logits, in %s', async (dtype, tolerance) => {
    const lengths = [20, 1, 9];
    const [cpu, other] = await onBoth(() => {
      const decoder = load(dtype);
      const logits = scope(() =>
        noGrad(() => {
          const ids = lengths.flatMap((length) => limited(idsOf(length, length)));
          const hidden = decoder.hidden(fromIntegers(ids, [ids.length]), new PackedAttention(decoder, lengths));
          return toFloat32(decoder.logits(hidden));
        }),
      );
      decoder.release();
      return logits;
    });
    expect(furthest(cpu, other) / Math.max(...cpu.map(Math.abs))).toBeLessThan(tolerance);
  });

  it('gives the same answers, alike beginnings shared, some sampled; and finds them as likely', async () => {
    const beginning = limited(idsOf(40, 5));
    const prompts = [idsOf(3), [...beginning, 5, 6], [...beginning, 8], idsOf(12, 2), idsOf(4, 3)].map(limited);
    const requests = prompts.map((promptIds, i): DecodeRequest => {
      const sampling = i % 2 === 0 ? greedy : { ...greedy, temperature: 0.8, topP: 0.9, repetitionPenalty: 1.1 };
      return { key: String(i), promptIds, maxNewTokens: 4 + i, sampling };
    });
    const [cpu, other] = await onBoth(async () => {
      const decoder = load('float32');
      const answers = await decode(decoder, requests, { stopTokens: [], rows: 2 });
      const labelled = prompts.map((ids) => ({ ids, labelMask: Uint8Array.from(ids, (_, at) => at % 2) }));
      const likely = await answerLogprobs(decoder, labelled);
      decoder.release();
      return { answers, likely };
    });
    expect(other.answers).toEqual(cpu.answers);
    expect(
      furthest(
        other.likely.map(({ sum }) => sum),
        cpu.likely.map(({ sum }) => sum),
      ),
    ).toBeLessThan(1e-3);
  });

  it.each([
    ['float32', 1e-4],
    ['bfloat16', 0.02],
  ] as const)('learns the same, in %s', async (dtype, tolerance) => {
    const [cpu, other] = await onBoth(() => learn(load(dtype)));
    expect(furthest(cpu.losses, other.losses)).toBeLessThan(tolerance * cpu.losses[0]!);
    expect(furthest(cpu.norms, other.norms)).toBeLessThan(10 * tolerance * Math.max(...cpu.norms));
    expect(other.kind).toBe(AutogradExecutor.name);
  });
});

const document = (length: number, salt: number): TokenDocument => ({
  id: String(salt),
  ids: idsOf(length, salt),
  labelMask: Uint8Array.from({ length }, (_, at) => Number(at > length / 3)),
  labelTokens: length - 1 - Math.floor(length / 3),
});

/** Four steps, every other one of two packs. */
function learn(decoder: Decoder, { recompute = false, dropRate = 0 } = {}) {
  const executor = createExecutor(decoder, { recompute });
  const working = executor.decoder.trainable;
  const master = scope(() =>
    keep(
      executor.decoder.dtype === 'float32'
        ? working
        : new Map([...working].map(([name, tensor]) => [name, toDtype(tensor, 'float32')])),
    ),
  );
  const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 0.5 };
  const optimizer = new AdamW(working, master, settings);
  const [losses, norms]: [number[], number[]] = [[], []];
  for (let step = 1; step <= 4; step++) {
    const packs = [[document(30, step), document(2, 2)], [document(17, 9)]].slice(0, 1 + (step % 2));
    const gradients = new Gradients({ accumulates: packs.length > 1 });
    const sum = packs.reduce((total, pack, i) => {
      const dropout = dropRate > 0 ? { rate: dropRate, key: [step, i] } : undefined;
      return total + executor.forwardBackward(pack, gradients, 0.05, undefined, dropout);
    }, 0);
    const norm = optimizer.gradientNorm(gradients);
    optimizer.step(gradients, step, 5e-3, norm);
    gradients.release();
    losses.push(sum);
    norms.push(norm);
  }
  optimizer.release();
  executor.release();
  return { losses, norms, kind: executor.constructor.name };
}

it('computes with weights stored in fewer bits', async () => {
  for (const format of ['bf16', 'int8'] as const) {
    const [cpu, other] = await onBoth(() => {
      const { config, headName, parameters } = loadDecoder(join(golden, 'llama-tied'), 'float32');
      const decoder = noGrad(() => new Decoder(config, quantizeParameters(parameters, headName, format)));
      const logits = scope(() =>
        noGrad(() => {
          const hidden = decoder.hidden(fromIntegers(idsOf(9), [9]), new PackedAttention(decoder, [9]));
          return toFloat32(decoder.logits(hidden));
        }),
      );
      decoder.release();
      return logits;
    });
    expect(furthest(cpu, other) / Math.max(...cpu.map(Math.abs))).toBeLessThan(1e-4);
  }
});

it.each([0, 0.25])('learns adapters, with dropout %s before them, and computes blocks again', async (dropRate) => {
  const [cpu, other] = await onBoth(() => {
    const { config, parameters } = loadDecoder(join(golden, 'qwen2'), 'float32');
    const adapters = createAdapters(parameters, { rank: 4, alpha: 8, targets: [] }, 1);
    return learn(new Decoder(config, parameters, adapters), { recompute: true, dropRate });
  });
  expect(furthest(cpu.losses, other.losses)).toBeLessThan(1e-4 * cpu.losses[0]!);
});

it('attends to long documents as to short ones', async () => {
  const lossOf = (executor: AutogradExecutor) => {
    const gradients = new Gradients({ accumulates: false });
    const loss = executor.forwardBackward([document(1030, 1), document(5, 2)], gradients, 1e-3);
    const gradient = toFloat32(gradients.byName.get('model.layers.0.self_attn.q_proj.weight') as Tensor);
    gradients.release();
    executor.release();
    return { loss, gradient };
  };
  const [cpu, other] = await onBoth(() =>
    lossOf(new AutogradExecutor(loadDecoder(join(golden, 'llama-tied'), 'float32'))),
  );
  expect(Math.abs(cpu.loss - other.loss) / cpu.loss).toBeLessThan(1e-5);
  expect(furthest(cpu.gradient, other.gradient)).toBeLessThan(1e-4 * Math.max(...cpu.gradient.map(Math.abs)));
});

it('trains as `train sft` does, to the same model, interrupted and gone on with', async () => {
  const data = [dataFile('sums', sums(24))];
  const settings = { model: randomModel('llama-tied'), data, evalShare: 0.2, checkpointEverySteps: 2 };
  const config = (name: string) => configFor(name, { ...settings, dtype: 'bfloat16' });
  const [cpu, other] = [config('on-cpu'), config('on-other')];
  openDevice('cpu');
  await train(cpu);
  openDevice('other');
  await expect(train(other, 3)).rejects.toThrow('saved after step 3');
  const { notes } = await train(other);
  expect(notes).toContain('going on after step 3'); // and nothing of another machine
  const [expected, log] = [logOf(cpu.output), logOf(other.output)];
  expect(log.length).toBeGreaterThan(6);
  for (const figure of ['loss', 'gradNorm', 'heldOutLoss'] as const) {
    const values = (rows: typeof log) => rows.flatMap((row) => row[figure] ?? []);
    expect(furthest(values(log), values(expected)), figure).toBeLessThan(0.02 * Math.max(...values(expected)));
  }
  expect(jsonIn(other.output, 'config.json')).toEqual(jsonIn(cpu.output, 'config.json'));
  const [weights, same] = [other, cpu].map(({ output }) => fileIn(output, 'model.safetensors'));
  expect(weights?.length).toBe(same?.length);
});
