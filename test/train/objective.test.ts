import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import type { TokenDocument } from '../../src/data/pack.ts';
import { documentsApart, documentsShared } from '../../src/infer/pack-layout.ts';
import type { Objective, Outputs } from '../../src/loss/objective.ts';
import { scalarHeadName } from '../../src/model/config.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { loadDecoder } from '../../src/model/directory.ts';
import { createAdapters } from '../../src/model/lora.ts';
import { lastPositions } from '../../src/text/labels.ts';
import { fromFloat32, toFloat64 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { addInto } from '../../src/torch/ops.ts';
import { keep, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';
import { AutogradExecutor } from '../../src/train/autograd-executor.ts';
import type { Executor } from '../../src/train/executor.ts';
import { FusedExecutor } from '../../src/train/fused-executor.ts';
import { Gradients } from '../../src/train/gradients.ts';

const golden = join(import.meta.dirname, '../golden');
const uniform = (length: number, ...key: string[]): Float32Array => {
  const rng = new Rng('objective', ...key);
  return Float32Array.from({ length }, () => rng.uniform() - 0.5);
};

function withScalarHead(name: string, { lora = false } = {}): Decoder {
  const { config, parameters } = loadDecoder(join(golden, name), 'float32');
  const head = keep(scope(() => fromFloat32(uniform(config.hiddenSize, 'head'), [1, config.hiddenSize])));
  const all = new Map([...parameters, [scalarHeadName, head]]);
  const adapters = lora ? createAdapters(parameters, { rank: 4, alpha: 8, targets: [] }, 1) : undefined;
  if (adapters) {
    // Fresh adapters change nothing: then nothing before them would have a gradient.
    for (const [layer, { up }] of adapters)
      noGrad(() => scope(() => addInto(up, fromFloat32(uniform(up.elements, layer), up.shape))));
  }
  return new Decoder(config, all, adapters);
}

/** Two documents, or so many that their labels are more than one chunk. */
const documents = (vocab: number, count = 2): TokenDocument[] =>
  Array.from({ length: count }, (_, i) => {
    const rng = new Rng('document', i);
    const ids = Array.from({ length: 9 + 5 * (i % 3) }, () => rng.int(vocab));
    const labelMask = Uint8Array.from(ids, (_id, at) => Number(at >= 4));
    return { id: String(i), ids, labelMask, labelTokens: ids.length - 4 };
  });

const kinds = {
  autograd: (decoder: Decoder): Executor => new AutogradExecutor(decoder),
  'autograd, recomputing': (decoder: Decoder): Executor => new AutogradExecutor(decoder, { recompute: true }),
  fused: (decoder: Decoder): Executor => new FusedExecutor(decoder),
  'fused, recomputing': (decoder: Decoder): Executor => new FusedExecutor(decoder, { recompute: true }),
};

function run(executor: Executor, pack: readonly TokenDocument[], objective: (outputs: Outputs) => Objective) {
  const gradients = new Gradients({ accumulates: false });
  const whole = { logprobs: {}, ...(executor.decoder.scalarHead && { valuesAt: lastPositions(pack) }) };
  const made = objective(executor.read(pack, whole));
  const ready: string[] = [];
  let given: Outputs | undefined;
  executor.learn(
    pack,
    gradients,
    {
      ...made,
      derive(outputs) {
        given = outputs;
        return made.derive(outputs);
      },
    },
    (names) => ready.push(...names),
  );
  const byName = new Map([...gradients.byName].map(([name, tensor]) => [name, toFloat64(tensor)]));
  const outputs = executor.read(pack, made);
  gradients.release();
  return { byName, given: given as Outputs, outputs, ready };
}

function expectSame(got: ReadonlyMap<string, Float64Array>, wanted: ReadonlyMap<string, Float64Array>) {
  expect([...got.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, gradient] of wanted) {
    const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - got.get(name)![i]!)), 0);
    expect(worst, name).toBeLessThan(2e-5 * Math.max(largest, 1e-3));
  }
}

const weighted = (outputs: Outputs, { temperature = 0.7 } = {}): Objective => ({
  logprobs: { temperature },
  valuesAt: Array.from({ length: outputs.values.length }, (_, i) => 3 * i + 1),
  // Depends on all that is read, so that a stale or shifted reading shows.
  derive: ({ logprobs, values }) => ({
    logprobs: uniform(logprobs.length, 'logprobs').map((d, i) => d * Math.exp(logprobs[i]! / 10) + values[0]!),
    values: uniform(values.length, 'values').map((d, i) => d + values[i]! + logprobs[0]! / 10),
  }),
});

describe.each([
  ['llama-tied', 2],
  ['llama3-untied', 2],
  ['llama-tied', 80],
] as const)('%s, %d documents', (name, count) => {
  it.each(Object.keys(kinds).slice(1) as (keyof typeof kinds)[])('%s gives what autograd gives', (kind) => {
    for (const lora of [false, true]) {
      const reference = kinds.autograd(withScalarHead(name, { lora }));
      const executor = kinds[kind](withScalarHead(name, { lora }));
      const pack = documents(reference.decoder.config.vocabSize, count);
      if (count > 2) expect(pack.reduce((sum, { labelTokens }) => sum + labelTokens, 0)).toBeGreaterThan(512);
      const wanted = run(reference, pack, weighted);
      const got = run(executor, pack, weighted);
      expectSame(got.byName, wanted.byName);
      expect([...got.byName.keys()].sort()).toEqual([...new Set(got.ready)].sort());
      expect([...executor.decoder.trainable.keys()].sort()).toEqual([...new Set(got.ready)].sort());
      reference.release();
      executor.release();
    }
  });
});

describe.each(['llama-tied', 'mistral', 'qwen3'])('%s: documents that begin alike', (name) => {
  /** By what they begin with: 40 or 50 tokens that several share, or tokens of their own; one answer longer than a chunk of queries. */
  const answers = (vocab: number): TokenDocument[] =>
    [40, 50, 0, 50, 40, 40, 33].map((shared, i) => {
      const [own, prompt] = [new Rng('answer', i), new Rng('prompt', shared || 1)];
      const begun = shared || 5;
      const ids = Array.from({ length: begun + (i === 3 ? 270 : 4 + i) }, (_, at) =>
        (at < begun ? prompt : own).int(vocab),
      );
      const labelMask = Uint8Array.from(ids, (_id, at) => Number(at >= begun));
      return { id: String(i), ids, labelMask, labelTokens: ids.length - begun };
    });

  it.each(['fused', 'fused, recomputing'] as const)(
    '%s computes the beginning once and gives what each alone gives',
    (kind) => {
      const reference = kinds.autograd(withScalarHead(name));
      const executor = kinds[kind](withScalarHead(name));
      const pack = answers(reference.decoder.config.vocabSize);
      const rows = documentsShared(pack);
      expect(rows.ids.length).toBe(documentsApart(pack).ids.length - 2 * 40 - 50);
      const wanted = run(reference, pack, weighted);
      const got = run(executor, pack, weighted);
      got.given.logprobs.forEach((logprob, i) => {
        expect(logprob).toBeCloseTo(wanted.given.logprobs[i]!, 4);
      });
      got.given.values.forEach((value, i) => {
        expect(value).toBeCloseTo(wanted.given.values[i]!, 4);
      });
      expectSame(got.byName, wanted.byName);
      reference.release();
      executor.release();
    },
  );
});

it.each(Object.keys(kinds) as (keyof typeof kinds)[])(
  '%s: what is read is what an objective is given, to the bit',
  (kind) => {
    const executor = kinds[kind](withScalarHead('llama-tied'));
    const pack = documents(executor.decoder.config.vocabSize, 5);
    const { given, outputs } = run(executor, pack, weighted);
    expect(given.logprobs.length).toBe(pack.reduce((sum, { labelTokens }) => sum + labelTokens, 0));
    expect(outputs).toEqual(given);
    const live = liveTensors();
    run(executor, pack, weighted);
    expect(liveTensors()).toBe(live);
    executor.release();
  },
);

it.each(Object.keys(kinds) as (keyof typeof kinds)[])(
  '%s: cross-entropy is the objective of derivative −scale',
  (kind) => {
    const executor = kinds[kind](loadDecoder(join(golden, 'llama-tied'), 'float32'));
    const pack = documents(executor.decoder.config.vocabSize, 3);
    const scale = 1 / 17;
    const gradients = new Gradients({ accumulates: false });
    const loss = executor.forwardBackward(pack, gradients, scale);
    const wanted = new Map([...gradients.byName].map(([name, tensor]) => [name, toFloat64(tensor)]));
    gradients.release();
    const got = run(executor, pack, () => ({
      logprobs: {},
      derive: ({ logprobs }) => ({ logprobs: logprobs.map(() => -scale) }),
    }));
    expectSame(got.byName, wanted);
    expect(-got.given.logprobs.reduce((sum, value) => sum + value, 0)).toBeCloseTo(loss, 3);
    executor.release();
  },
);

it.each(['llama-tied', 'qwen3'])('%s: without its adapters a model reads as it was before them', (name) => {
  const plain = kinds.autograd(withScalarHead(name));
  const pack = documents(plain.decoder.config.vocabSize, 4);
  const wanted = plain.read(pack, { logprobs: { temperature: 0.8 } });
  for (const kind of ['autograd', 'fused'] as const) {
    const executor = kinds[kind](withScalarHead(name, { lora: true }));
    const { logprobs } = executor.read(pack, { logprobs: { temperature: 0.8 } }, { adapters: false });
    const beside = executor.read(pack, { logprobs: { temperature: 0.8 } });
    logprobs.forEach((logprob, i) => {
      expect(logprob).toBeCloseTo(wanted.logprobs[i]!, 4);
    });
    expect(Math.max(...logprobs.map((logprob, i) => Math.abs(logprob - beside.logprobs[i]!)))).toBeGreaterThan(0.1);
    executor.release();
  }
  plain.release();
});

it('a value is the scalar head times the normed hidden state', () => {
  const executor = kinds.fused(withScalarHead('llama-tied'));
  const { decoder } = executor;
  const pack = documents(decoder.config.vocabSize, 1);
  const { values } = executor.read(pack, { valuesAt: [4] });
  const doubled = noGrad(() =>
    scope(() => toFloat64(addInto(decoder.scalarHead?.tensor as Tensor, decoder.scalarHead?.tensor as Tensor))),
  );
  expect(doubled.length).toBe(decoder.config.hiddenSize);
  expect(executor.read(pack, { valuesAt: [4] }).values[0]).toBeCloseTo(2 * values[0]!, 5);
  executor.release();
});
