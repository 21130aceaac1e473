/**
 * How far do logits of a prompt decoded in a batch differ from those of the same prompt alone?
 * node bench/batch-bound.mjs [MODEL]   (after `npm run setup`; default: the embedded model; some minutes)
 * Prints, for fp32 and bf16, the largest and the median difference of any logit over prefill and 8 forced steps, and how
 * many greedy answers of 32 tokens differ.
 */
import { join } from 'node:path';
import { readQuestions } from '../dist/src/data/formats.js';
import { decode } from '../dist/src/infer/decode.js';
import { KeyValueCache } from '../dist/src/infer/kv-cache.js';
import { greedy } from '../dist/src/infer/sample.js';
import { loadModel } from '../dist/src/local/loaded-model.js';
import { encodePrompt } from '../dist/src/text/chat-template.js';
import { fromIntegers, toFloat32 } from '../dist/src/torch/convert.js';
import { noGrad } from '../dist/src/torch/grad.js';
import { indexSelect, toDtype } from '../dist/src/torch/ops.js';
import { scope } from '../dist/src/torch/tensor.js';

const checkout = join(import.meta.dirname, '..');
const folder = process.argv[2] ?? join(checkout, 'models/smollm2-135m-instruct');
const questions = readQuestions([join(checkout, 'assets/questions/en.jsonl')]);
const batchSize = 8;
const steps = 8;

/** Logits of each prompt after its last token and after each of the forced tokens: [1 + steps][rows][vocab]. */
function logitsOf(decoder, prompts, forced) {
  const cache = new KeyValueCache(decoder, prompts.length, Math.max(...prompts.map(({ length }) => length)) + steps);
  const read = (hidden) => {
    const all = toFloat32(toDtype(decoder.logits(hidden), 'float32'));
    const vocab = all.length / prompts.length;
    return prompts.map((_, i) => all.slice(i * vocab, (i + 1) * vocab));
  };
  const found = [];
  scope(() =>
    noGrad(() => {
      const lengths = prompts.map(({ length }) => length);
      const attention = cache.prefill([...prompts.keys()], lengths);
      const hidden = decoder.hidden(fromIntegers(prompts.flat(), [attention.positions.length]), attention);
      let end = -1;
      const lasts = lengths.map((length) => (end += length));
      found.push(read(indexSelect(hidden, 0, fromIntegers(lasts, [lasts.length]))));
    }),
  );
  for (let step = 0; step < steps; step++) {
    scope(() =>
      noGrad(() => {
        const tokens = forced.map((answer) => answer[step] ?? 0);
        found.push(read(decoder.hidden(fromIntegers(tokens, [tokens.length]), cache.step())));
      }),
    );
  }
  cache.release();
  return found;
}

for (const dtype of ['float32', 'bfloat16']) {
  const { decoder, tokenizer, template, stopTokens } = loadModel(folder, { dtype });
  const prompts = questions
    .slice(0, 3 * batchSize)
    .map(({ prompt }) => encodePrompt(tokenizer, template, [{ role: 'user', content: prompt }]));
  const requests = prompts.map((promptIds, i) => ({ key: `${i}`, promptIds, maxNewTokens: 32, sampling: greedy }));
  const alone = [];
  for (const request of requests) alone.push(...(await decode(decoder, [request], { stopTokens })));
  let different = 0;
  const differences = [];
  for (let from = 0; from < prompts.length; from += batchSize) {
    const rows = [...Array(batchSize).keys()].map((i) => from + i);
    const together = await decode(
      decoder,
      rows.map((i) => requests[i]),
      { stopTokens },
    );
    different += together.filter(({ ids }, i) => ids.join() !== alone[from + i].ids.join()).length;
    const forced = rows.map((i) => alone[i].ids);
    const batch = logitsOf(
      decoder,
      rows.map((i) => prompts[i]),
      forced,
    );
    rows.forEach((row, i) => {
      logitsOf(decoder, [prompts[row]], [forced[i]]).forEach(([single], step) => {
        differences.push(single.reduce((most, logit, id) => Math.max(most, Math.abs(logit - batch[step][i][id])), 0));
      });
    });
  }
  differences.sort((a, b) => a - b);
  const [median, largest] = [differences[differences.length >> 1], differences.at(-1)];
  console.log(
    `${dtype}: largest logit difference ${largest.toExponential(2)}, median of the largest at a position ` +
      `${median.toExponential(2)}; ${different} of ${prompts.length} greedy answers differ`,
  );
  decoder.release();
}
