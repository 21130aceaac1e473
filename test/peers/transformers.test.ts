import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../recipes/sft.ts';
import { sftSchema } from '../../recipes/sft-config.ts';
import { embeddedModelFolder } from '../../src/base/paths.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { PackedAttention } from '../../src/model/attention.ts';
import { loadDecoder, writeModelFolder } from '../../src/model/directory.ts';
import { encodePrompt } from '../../src/text/chat-template.ts';
import { fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { noGrad } from '../../src/torch/grad.ts';
import { scope } from '../../src/torch/tensor.ts';
import { sourcesOf } from '../../src/train/checkpoint.ts';

const python = process.env['PEERS_PYTHON'] as string;
const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'understudy-peers-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const theirs = (folder: string, ...args: string[]) =>
  JSON.parse(
    execFileSync(python, [join(root, 'scripts/peers/logits.py'), folder, ...args], {
      maxBuffer: 2 ** 30,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString(),
  ) as { ids: number[]; logits: number[][] };

function largestDifference(folder: string, ids: readonly number[], logits: readonly number[][]): number {
  const decoder = loadDecoder(folder, 'float32');
  const ours = scope(() =>
    noGrad(() => {
      const attention = new PackedAttention(decoder, [ids.length]);
      return toFloat32(decoder.logits(decoder.hidden(fromIntegers(ids, [ids.length]), attention)));
    }),
  );
  decoder.release();
  const vocab = ours.length / ids.length;
  return Math.max(
    ...logits.map((row, i) =>
      row.reduce((most, value, j) => Math.max(most, Math.abs(value - ours[i * vocab + j]!)), 0),
    ),
  );
}

const chats = [
  [{ role: 'user', content: 'What is the capital of France?' }],
  [
    { role: 'system', content: 'Answer in rhyme.' },
    { role: 'user', content: '为什么天是蓝的？ 12+34=?' },
    { role: 'assistant', content: 'Because 🌈.' },
    { role: 'user', content: 'def f(x):\n    return x**2' },
  ],
] as const;

describe('transformers', () => {
  it.skipIf(!existsSync(embeddedModelFolder))(
    'reads the embedded model as we do: token ids, and logits to five digits',
    () => {
      for (const messages of chats) {
        const { ids, logits } = theirs(embeddedModelFolder, '--chat', JSON.stringify(messages));
        const { tokenizer, template, decoder } = loadModel(embeddedModelFolder, { dtype: 'float32' });
        decoder.release();
        expect(encodePrompt(tokenizer, template, messages)).toEqual(ids);
        // Of logits up to 39. Both are rounded: theirs are 9e-5 from those in float64, ours 6e-5.
        const largest = Math.max(
          ...logits.map((row) => row.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)),
        );
        expect(largestDifference(embeddedModelFolder, ids, logits) / largest).toBeLessThan(1e-5);
      }
    },
  );

  it.each(['llama-biases', 'mistral', 'qwen2', 'qwen3', 'opt'])(
    'loads what we saved of another family, with the same logits: %s',
    (name) => {
      const original = join(root, 'test/golden', name);
      const decoder = loadDecoder(original, 'float32');
      const folder = join(scratch, name);
      mkdirSync(folder);
      writeModelFolder(folder, { config: decoder.config, weights: sourcesOf(decoder.parameters), from: original });
      decoder.release();
      const { ids } = JSON.parse(readFileSync(join(original, 'reference.json'), 'utf8')) as { ids: number[] };
      const { logits } = theirs(folder, JSON.stringify(ids));
      expect(largestDifference(folder, ids, logits)).toBeLessThan(1e-4);
    },
  );

  it.each(['float32', 'bfloat16'] as const)(
    'loads what we trained in %s and saved, with the same logits',
    async (dtype) => {
      const data = join(scratch, 'data.json');
      writeFileSync(
        data,
        JSON.stringify([
          { instruction: 'Say hi.', output: 'hi' },
          { instruction: 'Say ho.', output: 'ho' },
        ]),
      );
      const model = join(root, 'test/golden/llama3-untied');
      const config = sftSchema.parse({
        model,
        data: [data],
        output: join(scratch, dtype),
        dtype,
        epochs: 3,
        learningRate: 1e-3,
        template: 'chatml',
      });
      const result = await run(config, { signal: new AbortController().signal, emit: () => {} });
      const { ids, logits } = theirs(result.model, '--chat', JSON.stringify(chats[1]));
      expect(largestDifference(result.model, ids, logits)).toBeLessThan(1e-4);
    },
  );

  it.each(['llama-tied', 'llama3-untied'])(
    'loads tokens that we added, with the same ids and logits: %s',
    async (name) => {
      const data = join(scratch, 'hi.json');
      writeFileSync(data, JSON.stringify([{ instruction: 'Say hi.', output: 'hi' }]));
      const template = join(scratch, 'turns.jinja');
      const turn = "'<|turn|>' + message['role'] + ':' + message['content'] + '<|done|>\\n'";
      const end = "{% if add_generation_prompt %}{{ '<|turn|>assistant:' }}{% endif %}";
      writeFileSync(template, `{% for message in messages %}{{ ${turn} }}{% endfor %}${end}`);
      const config = sftSchema.parse({
        model: join(root, 'test/golden', name),
        data: [data],
        output: join(scratch, `tokens-${name}`),
        dtype: 'float32',
        epochs: 2,
        template,
        addTokens: ['<|turn|>', '<|done|>'],
      });
      const { model } = await run(config, { signal: new AbortController().signal, emit: () => {} });
      const { ids, logits } = theirs(model, '--chat', JSON.stringify(chats[1]));
      const { tokenizer, template: saved, decoder } = loadModel(model, { dtype: 'float32' });
      decoder.release();
      expect(encodePrompt(tokenizer, saved, chats[1])).toEqual(ids);
      expect(new Set(ids.filter((id) => id >= 259))).toEqual(new Set([259, 260]));
      expect(logits[0]?.length).toBe(261);
      expect(largestDifference(model, ids, logits)).toBeLessThan(1e-4);
    },
  );
});
