/**
 * Training speed and memory of a model by its shape: random weights, made-up documents as long as Alpaca's; no model, no
 * data, no disk. The loop is `train sft`'s: packs, executor, clipping, AdamW with fp32 masters.
 * node bench/shape.mjs --shape llama-7b --device cuda --batch-tokens 32768 --pack-tokens 2048   (after `npm run setup`)
 * One JSON line a step, then medians, TFLOP/s of the matrices' products, and the peak beside the one that `plan train` says.
 */
import { Rng } from '../dist/src/base/rng.js';
import { planTraining } from '../dist/src/data/pack.js';
import { resolveDtype } from '../dist/src/local/loaded-model.js';
import { parseModelConfig } from '../dist/src/model/config.js';
import { Decoder, parameterShapes } from '../dist/src/model/decoder.js';
import { elapsedMs, gpu, openDevice, setDeterministic } from '../dist/src/torch/machine.js';
import { inPlaceOperator } from '../dist/src/torch/operator.js';
import { full, toDtype, zeros } from '../dist/src/torch/ops.js';
import { keep, scope } from '../dist/src/torch/tensor.js';
import { createExecutor, largestPack } from '../dist/src/train/executor.js';
import { Gradients } from '../dist/src/train/gradients.js';
import { planMemory } from '../dist/src/train/memory.js';
import { AdamW } from '../dist/src/train/optimizer.js';
import { Update } from '../dist/src/train/update.js';
import { median, settings } from './peers.mjs';

/** hidden, intermediate, layers, heads, key/value heads, vocabulary, tied embeddings. */
const shapes = {
  'llama-7b': [4096, 11008, 32, 32, 32, 32000, false],
  'llama-3.2-1b': [2048, 8192, 16, 32, 8, 128256, true],
  'llama-700m': [1536, 4096, 24, 12, 12, 32000, false],
  'smollm2-135m': [576, 1536, 30, 9, 3, 49152, true],
  tiny: [64, 128, 2, 4, 2, 256, true],
};

const options = settings({
  shape: 'smollm2-135m',
  device: 'auto',
  dtype: 'auto',
  'batch-tokens': 4096,
  'pack-tokens': 1024,
  'document-tokens': 121, // of a mean row: 52,002 rows, three times, in 30 minutes at 10,500 tokens/s
  recompute: 'never',
  'step-in-backward': 'no',
  steps: 8,
  warmup: 2,
});
process.env['CUBLAS_WORKSPACE_CONFIG'] ??= ':4096:8'; // as the engine's process has it
openDevice(options.device);
setDeterministic(true);
const dtype = resolveDtype(options.dtype);
const config = configOf(options.shape);
const stepInBackward = options['step-in-backward'] === 'yes';

function configOf(shape) {
  if (!(shape in shapes)) throw new Error(`--shape: expected ${Object.keys(shapes).join(', ')}, got ${shape}`);
  const [
    hidden_size,
    intermediate_size,
    num_hidden_layers,
    num_attention_heads,
    num_key_value_heads,
    vocab_size,
    tied,
  ] = shapes[shape];
  return parseModelConfig({
    ...{ model_type: 'llama', hidden_size, intermediate_size, num_hidden_layers, num_attention_heads },
    ...{ num_key_value_heads, vocab_size, tie_word_embeddings: tied, max_position_embeddings: 2048 },
    ...{ rms_norm_eps: 1e-6, rope_theta: 10000, hidden_act: 'silu' },
  });
}

const normalInto = inPlaceOperator('aten::normal_');

/** fp32, as a new model's: matrices from a narrow normal distribution, norms of one. */
const randomWeights = () =>
  new Map(
    [...parameterShapes(config)].map(([name, shape]) => [
      name,
      scope(() => keep(shape.length === 1 ? full(shape, 1, 'float32') : normalInto(zeros(shape, 'float32'), 0, 0.02))),
    ]),
  );

/** Lengths from an exponential distribution, which Alpaca's resemble; the second half of each is to be learned. */
function documents(tokens) {
  const rng = new Rng('shape', 1);
  const all = [];
  for (let sum = 0; sum < tokens; sum += all.at(-1).ids.length) {
    const length = Math.min(512, Math.max(8, Math.round(-options['document-tokens'] * Math.log(1 - rng.uniform()))));
    const ids = Array.from({ length }, () => Math.floor(rng.uniform() * config.vocabSize));
    const labelMask = Uint8Array.from(ids, (_, i) => Number(i >= length / 2));
    all.push({ id: String(all.length), ids, labelMask, labelTokens: labelMask.reduce((a, b) => a + b, 0) });
  }
  return all;
}

const wanted = options.steps + options.warmup;
const planned = planTraining(documents((wanted + 1) * options['batch-tokens']), {
  ...{ batchTokens: options['batch-tokens'], packTokens: options['pack-tokens'], epochs: 1, seed: 1 },
}).slice(0, wanted);
const packs = planned.flatMap((step) => step.packs);
const tokensOf = (pack) => pack.reduce((sum, { ids }) => sum + ids.length, 0);

const master = randomWeights();
const rounded = () => new Map([...master].map(([name, tensor]) => [name, scope(() => keep(toDtype(tensor, dtype)))]));
const executor = createExecutor(new Decoder(config, dtype === 'float32' ? master : rounded()), {
  recompute: options.recompute === 'always',
  shareGradients: stepInBackward,
  largest: largestPack(packs),
});
const working = executor.decoder.parameters;
const adamw = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
const optimizer = new AdamW(working, dtype === 'float32' ? working : master, adamw);

const speeds = [];
planned.forEach((step, i) => {
  let loss = 0;
  let norm = 0;
  const ms = elapsedMs(() => {
    const update = new Update(optimizer, i + 1, 1e-4, { stepInBackward, clip: stepInBackward ? 'block' : 'global' });
    const gradients = new Gradients({ accumulates: step.packs.length > 1 });
    for (const pack of step.packs) {
      const ready = (names) => update.ready(gradients, names);
      loss += executor.forwardBackward(pack, gradients, 1 / step.labelTokens, ready) / step.labelTokens;
    }
    norm = update.finish(gradients, Number.isFinite(loss));
    gradients.release();
  });
  const tokens = step.packs.reduce((sum, pack) => sum + tokensOf(pack), 0);
  speeds.push(tokens / (ms / 1000));
  console.log(JSON.stringify({ step: i + 1, tokens, packs: step.packs.length, loss, norm, ms: Math.round(ms) }));
});

const found = gpu();
const memory = planMemory(
  config,
  {
    ...{ dtype, storedDtype: 'float32', lora: undefined, recompute: options.recompute === 'always' },
    ...{ stepInBackward, heldOut: false, keepCheckpoints: 1 },
  },
  {
    tokens: Math.max(...packs.map(tokensOf)),
    longest: Math.max(...packs.flat().map(({ ids }) => ids.length)),
    labels: largestPack(packs).labels,
    accumulates: planned.some((step) => step.packs.length > 1),
    dataTokens: 0,
  },
  found ? 'gpu' : 'cpu',
);
const speed = median(speeds.slice(options.warmup));
const matrices = [...parameterShapes(config)].filter(([name, { length }]) => /\.layers\./.test(name) && length === 2);
const inBlocks = matrices.reduce((sum, [, [rows, columns]]) => sum + rows * columns, 0);
const products = inBlocks + config.vocabSize * config.hiddenSize;
console.log(
  JSON.stringify({
    ...{ shape: options.shape, dtype, device: found?.name ?? 'cpu', parameters: memory.parameters },
    tokensPerSecond: Number(speed.toFixed(1)),
    teraflops: Number(((6 * products * speed) / 1e12).toFixed(3)),
    peakGb: Number(((found?.peakBytes ?? 1024 * process.resourceUsage().maxRSS) / 1e9).toFixed(2)),
    plannedGb: Number((memory.peak / 1e9).toFixed(2)),
  }),
);
