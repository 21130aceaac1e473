/** GGUF files as teachers, through the real node-llama-cpp, which the program itself says how to install. */
import { execSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, InterruptedError } from '../../src/base/errors.ts';
import { answerOn } from '../../src/local/answer.ts';
import { type GgufModel, ggufModel } from '../../src/local/gguf-model.ts';
import { nodeLlamaCppVersion } from '../../src/local/llama-cpp.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import type { LocalRequest } from '../../src/local/local-model.ts';
import { encodePrompt } from '../../src/text/chat-template.ts';
import { root, understudy } from '../cli/program.ts';
import { ggufBytes, realGguf, type TensorSpec, type Typed } from '../model/gguf/writer.ts';
import { answersTwice, json, writeTasks } from './tasks.ts';

/** Where packages are installed, for the program and for this process: before anything is imported. */
const home = await vi.hoisted(async () => {
  const [{ mkdtempSync }, { tmpdir }, { join }] = await Promise.all([
    import('node:fs'),
    import('node:os'),
    import('node:path'),
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'understudy-home-'));
  process.env['UNDERSTUDY_HOME'] = folder;
  return folder;
});
const scratch = mkdtempSync(join(tmpdir(), 'understudy-gguf-'));
afterAll(() => {
  for (const folder of [home, scratch]) rmSync(folder, { recursive: true, force: true });
});

const embedded = join(root, 'models', 'smollm2-135m-instruct');
const gguf = realGguf();
const isThere = gguf !== undefined && existsSync(embedded);
if (!isThere) console.warn('GGUF teachers: SKIPPED: the embedded model, or the GGUF file it was made of, is not there');

describe.skipIf(!isThere)('a GGUF teacher', () => {
  const file = gguf as string;
  const teacher = ['--provider', 'gguf', '--model', file];

  beforeAll(async () => {
    const args = ['generate', 'answers', '--data', writeTasks(scratch), ...teacher, '--out', join(scratch, 'none')];
    const { code, stderr } = await understudy(args, { cwd: tmpdir() });
    expect([code, stderr]).toEqual([2, expect.stringContaining('needs node-llama-cpp, which is not installed')]);
    const command = /install it: (npm install .*)/.exec(stderr)?.[1] as string;
    execSync(command, { stdio: 'inherit' });
  });

  it('installs the binaries of one platform', () => {
    const modules = join(home, '.packages', 'node_modules');
    expect(readdirSync(join(modules, '@node-llama-cpp'))).toHaveLength(1);
    const { version } = JSON.parse(readFileSync(join(modules, 'node-llama-cpp', 'package.json'), 'utf8'));
    expect(version).toBe(nodeLlamaCppVersion);
  });

  it('answers tasks in two languages, once', async () => {
    const calls = await answersTwice(scratch, teacher);
    expect(new Set(calls.map((call) => call.teacher))).toEqual(
      new Set([expect.stringMatching(/^gguf:SmolLM2-135M-Instruct\.Q4_1@[0-9a-f]{12}$/)]),
    );
  });

  it('interrupted, asks again what was not answered', async () => {
    const out = join(scratch, 'interrupted');
    const args = [
      'generate',
      'answers',
      '--data',
      writeTasks(scratch),
      ...teacher,
      '--max-tokens',
      '96',
      '--cut',
      'keep',
    ];
    const calls = async () => (await json('ledger', 'stats', out)).total.calls;
    let pid = 0;
    const first = understudy([...args, '--out', out], {
      onSpawn(id) {
        pid = id;
      },
    });
    while (!existsSync(join(out, 'ledger.sqlite')) || (await calls()).inDoubt === 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(pid, 'SIGINT');
    expect((await first).code).toBe(130);
    expect((await calls()).inDoubt).toBeGreaterThan(0);
    expect(await json(...args, '--out', out)).toMatchObject({ rows: 4 });
    expect(await calls()).toMatchObject({ stored: 4, inDoubt: 0 });
  });

  const chat = (content: string) => [{ role: 'user', content } as const];
  const request = (content: string, more: Partial<LocalRequest> = {}): LocalRequest => ({
    key: content,
    messages: chat(content),
    maxTokens: 12,
    sampling: { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    stop: [],
    ...more,
  });
  const sampled = (key: string, sampling: Partial<LocalRequest['sampling']> = {}) => {
    const base = request('Write a haiku about the sea.', { key });
    return { ...base, sampling: { ...base.sampling, temperature: 1, ...sampling } };
  };

  describe('on its own', () => {
    let model: GgufModel;
    beforeAll(() => {
      model = ggufModel(file, { sequences: 1, threads: 1, contextSize: 512 });
    });
    afterAll(() => model.close());
    const one = async (of: LocalRequest) => (await model.answer([of]))[0]!;

    it('sees the prompts that our own decoder sees, and says what it says', async () => {
      // The addon is not in the home that is only for packages.
      symlinkSync(join(root, 'build'), join(home, 'build'));
      const own = loadModel(embedded, { dtype: 'float32' });
      const requests = [
        request('Name three primary colours.'),
        request('用一句话解释什么是光合作用。'),
        request('', {
          messages: [
            { role: 'system', content: 'Answer in rhyme.' },
            { role: 'user', content: '  12+34=? 🌈' },
            { role: 'assistant', content: 'Because 🌈.' },
            { role: 'user', content: 'def f(x):\n    return x**2<|im_end|>' },
          ],
        }),
      ];
      const theirs = await model.answer(requests);
      const ours = await answerOn(own).answer(requests);
      own.decoder.release();
      for (const [i, { messages }] of requests.entries())
        expect(theirs[i]?.inputTokens).toBe(encodePrompt(own.tokenizer, own.template, messages).length);
      expect(theirs.slice(0, 2)).toEqual(ours.slice(0, 2));
    });

    it('the same request gives the same answer, another sample or seed another; little of the mass is greedy', async () => {
      const [first, again, other, seed, narrow] = await model.answer([
        sampled('0'),
        sampled('0'),
        sampled('1'),
        sampled('0', { seed: 2 }),
        sampled('0', { topP: 0.001 }),
      ]);
      expect(again).toEqual(first);
      expect(new Set([first, other, seed].map((answer) => answer?.text)).size).toBe(3);
      expect(narrow).toEqual(await one(request('Write a haiku about the sea.')));
    });

    it('ends at its limit, at a stop text, which is left out, and where the model ends', async () => {
      const whole = await one(request('Name three primary colours.'));
      expect(whole).toMatchObject({ finishReason: 'length', outputTokens: 12 });
      const end = whole.text.slice(9, 14);
      const stopped = await one(request('Name three primary colours.', { stop: ['never', end] }));
      expect(stopped).toMatchObject({ text: whole.text.slice(0, whole.text.indexOf(end)), finishReason: 'stop' });
      expect(stopped.outputTokens).toBeLessThan(12);
      const short = await one(request('What is the capital of France? Answer in one word.', { maxTokens: 200 }));
      expect(short.finishReason).toBe('stop');
      expect(short.outputTokens).toBeLessThan(200);
    });

    it('stops where it is told to, in the prompt and in the answer, and can be asked again', async () => {
      const before = await one(request('Name three primary colours.'));
      const late = new AbortController();
      const events = { signal: late.signal, onEvent: () => late.abort() };
      await expect(model.answer([sampled('0')], events)).rejects.toBeInstanceOf(InterruptedError);
      const soon = new AbortController();
      setTimeout(() => soon.abort(), 20);
      let said = 0;
      const long = model.answer([request('word '.repeat(450))], { signal: soon.signal, onEvent: () => said++ });
      await expect(long).rejects.toBeInstanceOf(InterruptedError);
      expect(said).toBe(0);
      expect(await one(request('Name three primary colours.'))).toEqual(before);
    });
  });

  it('a prompt as long as the context leaves no room, a shorter one as much as there is, to the token', async () => {
    const size = 64;
    const model = ggufModel(file, { sequences: 1, threads: 1, contextSize: size });
    const full = request('word '.repeat(size), { maxTokens: 100 });
    const some = request('Write a long story.', { maxTokens: 100 });
    const [none, cut] = await model.answer([full, some]);
    await model.close();
    expect(none).toMatchObject({ text: '', finishReason: 'length', outputTokens: 0 });
    expect(cut).toMatchObject({ finishReason: 'length', outputTokens: size - (cut?.inputTokens ?? 0) });
    expect(cut?.outputTokens).toBeGreaterThan(10);
  });

  it('several at once: each its own answer, the prompt in more pieces', async () => {
    const questions = ['Name three primary colours.', 'Count to five.', '你好！', 'What is 2+2?', 'Say hi.'];
    const requests = questions.map((question) => request(question));
    const [alone, beside] = [1, 4].map((sequences) => ggufModel(file, { sequences, threads: 1, contextSize: 256 }));
    const events: number[] = [];
    const together = await beside!.answer(requests, {
      onEvent: (event) => 'answer' in event && events.push(event.row),
    });
    expect(together).toEqual(await alone!.answer(requests));
    expect([...events].sort()).toEqual([0, 1, 2, 3, 4]);
    await Promise.all([alone, beside].map((model) => model!.close()));
  });
});

describe.skipIf(!isThere)('a GGUF file', () => {
  /** A model of random weights over a SentencePiece vocabulary that puts a bos token in front. */
  function tinyFile(name: string, changes: Record<string, Typed | undefined>): string {
    const byte = (i: number) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`;
    const pieces = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, i) => byte(i)), 'b', '▁a', 'a', '▁'];
    const types = [2, 3, 3, ...Array<number>(256).fill(6), 1, 1, 1, 1];
    const [width, inner, vocabulary] = [32, 64, pieces.length];
    const metadata: Record<string, Typed | undefined> = {
      'general.architecture': ['string', 'llama'],
      'llama.block_count': ['u32', 1],
      'llama.context_length': ['u32', 128],
      'llama.embedding_length': ['u32', width],
      'llama.feed_forward_length': ['u32', inner],
      'llama.attention.head_count': ['u32', 2],
      'llama.attention.head_count_kv': ['u32', 2],
      'llama.attention.layer_norm_rms_epsilon': ['f32', 1e-5],
      'llama.rope.dimension_count': ['u32', 16],
      'tokenizer.ggml.model': ['string', 'llama'],
      'tokenizer.ggml.tokens': ['array', 'string', pieces],
      'tokenizer.ggml.scores': ['array', 'f32', pieces.map((_, i) => (i === 260 ? -1 : i < 259 ? 0 : -i))],
      'tokenizer.ggml.token_type': ['array', 'i32', types],
      'tokenizer.ggml.bos_token_id': ['u32', 1],
      'tokenizer.ggml.eos_token_id': ['u32', 2],
      'tokenizer.ggml.unknown_token_id': ['u32', 0],
      'tokenizer.ggml.add_bos_token': ['bool', true],
      ...changes,
    };
    const tensor = (name: string, ...dimensions: number[]): TensorSpec => {
      const values = Array.from({ length: dimensions.reduce((a, b) => a * b) }, (_, i) =>
        Math.sin(i * i + name.length),
      );
      return { name, dimensions, type: 0, data: new Uint8Array(Float32Array.from(values).buffer) };
    };
    const tensors = [
      tensor('token_embd.weight', width, vocabulary),
      tensor('output_norm.weight', width),
      tensor('output.weight', width, vocabulary),
      ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((part) => tensor(`blk.0.${part}.weight`, width, width)),
      ...['attn_norm', 'ffn_norm'].map((part) => tensor(`blk.0.${part}.weight`, width)),
      ...['ffn_gate', 'ffn_up'].map((part) => tensor(`blk.0.${part}.weight`, width, inner)),
      tensor('blk.0.ffn_down.weight', inner, width),
    ];
    const path = join(scratch, `${name}.gguf`);
    const given = Object.entries(metadata).flatMap(([key, value]) => (value ? [[key, value] as const] : []));
    writeFileSync(path, ggufBytes({ metadata: given, tensors }));
    return path;
  }
  const template = (text: string): Record<string, Typed> => ({ 'tokenizer.chat_template': ['string', text] });

  async function promptTokens(file: string, setting?: string): Promise<number | undefined> {
    const model = ggufModel(file, { sequences: 1, threads: 1, template: setting });
    const sampling = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 };
    const messages = [{ role: 'user', content: 'ab a' } as const];
    try {
      const [answer] = await model.answer([{ key: '', messages, maxTokens: 2, sampling, stop: [] }]);
      return answer?.inputTokens;
    } finally {
      await model.close();
    }
  }

  it('has one bos token in front where it wants one, whether or not its template writes it', async () => {
    // ▁a b ▁a
    const plain = "{{ messages[0]['content'] }}";
    expect(await promptTokens(tinyFile('plain', template(plain)))).toBe(1 + 3);
    expect(await promptTokens(tinyFile('written', template(`{{ bos_token }}${plain}`)))).toBe(1 + 3);
    const without = { ...template(plain), 'tokenizer.ggml.add_bos_token': ['bool', false] } as const;
    expect(await promptTokens(tinyFile('without', without))).toBe(3);
  });

  it('without a template needs one', async () => {
    const bare = tinyFile('bare', {});
    const error = await promptTokens(bare).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: `${bare} has no chat template`, hint: expect.stringContaining('chatml') });
    const own = join(scratch, 'own.jinja');
    writeFileSync(own, "{{ messages[0]['content'] }}b");
    expect(await promptTokens(bare, own)).toBe(1 + 4);
  });

  it('that is cut off, of an unknown kind, or asked for too much memory or context is refused with the reason', async () => {
    const answer = (file: string, more: object) =>
      ggufModel(file, { sequences: 1, threads: 1, template: 'chatml', ...more })
        .answer([])
        .then(
          () => 'loaded',
          (error: ConfigError) => `${error.exitCode} ${error.message} → ${error.hint}`,
        );
    const bytes = ggufBytes({ metadata: [['general.architecture', ['string', 'no-such-architecture']]] });
    const unknown = join(scratch, 'unknown.gguf');
    writeFileSync(unknown, bytes);
    expect(await answer(unknown, {})).toMatch(/^2 .*unknown\.gguf: llama\.cpp cannot load it: .*no-such-architecture/);
    const tiny = tinyFile('tiny', {});
    expect(await answer(tiny, {})).toBe('loaded');
    expect(await answer(tiny, { contextSize: 129 })).toMatch(/^2 contextSize 129: .* was trained for 128 tokens/);
    expect(await answer(gguf as string, { contextSize: 8192, sequences: 200 })).toMatch(
      /^2 .*too large for the available RAM → each of `concurrency` answers takes memory/,
    );
  });
});
