import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import type { Message } from '../../src/base/message.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { ggufToHuggingFace } from '../../src/model/gguf/hugging-face.ts';
import { openGguf } from '../../src/model/gguf/reader.ts';
import {
  type ChatTemplate,
  createChatTemplate,
  encodeConversation,
  encodePrompt,
  loadChatTemplate,
} from '../../src/text/chat-template.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { realGguf } from '../model/gguf/writer.ts';
import { bytes, byteTokenizer, byteTokenizerJson, turnTokens, writeFolder } from './byte-tokenizer.ts';

const root = mkdtempSync(join(tmpdir(), 'understudy-chat-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const system = (content: string): Message => ({ role: 'system', content });
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });

const tokenizer = byteTokenizer();
const chatml = loadChatTemplate(root, tokenizer, 'chatml');
const alpaca = loadChatTemplate(root, tokenizer, 'alpaca');
const own = (source: string, of = tokenizer): ChatTemplate => createChatTemplate(source, 'own.jinja', of);

/** The text with the learnt stretches in 【】, so that a mask can be read. */
function marked(template: ChatTemplate, messages: readonly Message[], of = tokenizer): string {
  const { ids, labelMask } = encodeConversation(of, template, messages);
  expect(labelMask).toHaveLength(ids.length);
  let text = '';
  for (let from = 0, to = 0; from < ids.length; from = to) {
    while (to < ids.length && labelMask[to] === labelMask[from]) to += 1;
    const part = of.decode(ids.slice(from, to));
    text += labelMask[from] === 1 ? `【${part}】` : part;
  }
  return text;
}

describe('built-in templates', () => {
  it('chatml writes what it is known for, and adds nothing', () => {
    expect(chatml.render([system('S'), user('U'), assistant('A')])).toBe(
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n',
    );
    expect(chatml.render([user('  U\n')], { addGenerationPrompt: true })).toBe(
      '<|im_start|>user\n  U\n<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('alpaca writes its headings; a system turn takes the place of the preamble', () => {
    const preamble =
      'Below is an instruction that describes a task. Write a response that appropriately completes the request.';
    expect(alpaca.render([user('U'), assistant('A'), user('V')], { addGenerationPrompt: true })).toBe(
      `${preamble}\n\n### Instruction:\nU\n\n### Response:A</s>\n\n### Instruction:\nV\n\n### Response:`,
    );
    expect(alpaca.render([system('Be brief.'), user('U\n\n### Input:\nI')], { addGenerationPrompt: true })).toBe(
      'Be brief.\n\n### Instruction:\nU\n\n### Input:\nI\n\n### Response:',
    );
  });

  it('begin with the bos token where the tokenizer begins texts with it', () => {
    const token = { id: '<|im_start|>', ids: [256], tokens: ['<|im_start|>'] };
    const post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|im_start|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<|im_start|>': token },
    };
    const config = { bos_token: '<|im_start|>', eos_token: '</s>' };
    const adding = new Tokenizer({ ...byteTokenizerJson(), post_processor }, config);
    expect(loadChatTemplate(root, adding, 'alpaca').render([user('U')])).toMatch(/^<\|im_start\|>Below is an/);
    const having = new Tokenizer(byteTokenizerJson(), config);
    expect(loadChatTemplate(root, having, 'alpaca').render([user('U')])).toMatch(/^Below is an/);
  });

  it('alpaca needs an eos token', () => {
    expect(() => loadChatTemplate(root, byteTokenizer({ eos_token: null }), 'alpaca')).toThrow(
      'chat template alpaca ends answers with the eos token, and the tokenizer has none',
    );
  });
});

describe('loadChatTemplate', () => {
  const config = (chat_template: unknown) => ({ 'tokenizer_config.json': { chat_template } });

  it('takes the folder’s file before its configuration, and the one named default of several', () => {
    const both = writeFolder(join(root, 'both'), { ...config('no'), 'chat_template.jinja': 'file' });
    const one = writeFolder(join(root, 'one'), config('one {{ eos_token }}{{ bos_token }}'));
    const named = [
      { name: 'tool_use', template: 'no' },
      { name: 'default', template: 'yes' },
    ];
    const several = writeFolder(join(root, 'several'), config(named));
    expect(loadChatTemplate(both, tokenizer).render([])).toBe('file');
    expect(loadChatTemplate(one, tokenizer).render([])).toBe('one </s>');
    expect(loadChatTemplate(several, tokenizer)).toMatchObject({ source: 'yes' });
    expect(loadChatTemplate(one, tokenizer, join(both, 'chat_template.jinja')).render([])).toBe('file');
  });

  it('says what is missing or wrong', () => {
    const none = writeFolder(join(root, 'none'), { 'tokenizer_config.json': {} });
    const unnamed = writeFolder(join(root, 'unnamed'), config([{ name: 'tool_use', template: 'x' }]));
    const broken = writeFolder(join(root, 'broken'), { 'chat_template.jinja': '{% for x in %}' });
    expect(() => loadChatTemplate(none, tokenizer)).toThrow(`${none} has no chat template`);
    expect(() => loadChatTemplate(unnamed, tokenizer)).toThrow(DataError);
    expect(() => loadChatTemplate(broken, tokenizer)).toThrow('expected a Jinja template');
    expect(() => loadChatTemplate(none, tokenizer, 'chatlm')).toThrow(
      expect.objectContaining({ hint: 'did you mean chatml?', exitCode: 2 }),
    );
  });

  it('passes on what a template raises', () => {
    const strict = own("{{ raise_exception('roles must alternate') }}");
    expect(() => strict.render([user('a'), user('b')])).toThrow(
      'chat template own.jinja cannot write turns of [user, user]: roles must alternate',
    );
  });
});

describe('encodeConversation', () => {
  it('marks every answer and the token that ends it, not the newline after', () => {
    expect(marked(chatml, [system('S'), user('U'), assistant('A'), user('V'), assistant('')])).toBe(
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n【A<|im_end|>】\n' +
        '<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n【<|im_end|>】\n',
    );
    expect(marked(alpaca, [user('U'), assistant('A'), user('V')])).toMatch(
      /U\n\n### Response:【A<\/s>】\n\n### Instruction:\nV$/,
    );
  });

  it('marks nothing where nobody answers', () => {
    expect(marked(chatml, [user('U')])).toBe('<|im_start|>user\nU<|im_end|>\n');
  });

  it('is not misled by answers that look like the template', () => {
    for (const content of ['e', '<|im_end|>', '\n', '<|im_start|>assistant\nA', 'end|>\n', '<|im_end|>\n'])
      expect(marked(chatml, [user('U'), assistant(content), user('V'), assistant('A')])).toBe(
        `<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n【${content}<|im_end|>】\n` +
          '<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n【A<|im_end|>】\n',
      );
  });

  it('takes the first special token after the answer, and what stands before it', () => {
    const source = `{% for m in messages %}[{{ m.content | trim }}\n-{{ '</s><|im_end|>' if m.role == 'assistant' }}]{% endfor %}{{ '[' if add_generation_prompt }}`;
    expect(marked(own(source), [user('U'), assistant('  A ')])).toBe('[U\n-][【A\n-</s>】<|im_end|>]');
  });

  it('learns what the generation prompt leaves to the model', () => {
    const source = `{% for m in messages %}{{ '<|im_start|>' + m.role + ':' + m.content + '<|im_end|>' }}{% endfor %}`;
    expect(marked(own(source), [user('U'), assistant('A')])).toBe(
      '<|im_start|>user:U<|im_end|>【<|im_start|>assistant:A<|im_end|>】',
    );
  });

  it('prefers special tokens to other added ones', () => {
    const of = byteTokenizer({}, [
      ...turnTokens,
      { content: '</think>', special: false },
      { content: '\n\n', special: false },
    ]);
    const write = (tail: string) =>
      own(`{% for m in messages %}{{ m.content + ${JSON.stringify(tail)} }}{% endfor %}`, of);
    expect(marked(write('\n\n</think>!</s>.'), [user('U'), assistant('A')], of)).toMatch(/【A\n\n<\/think>!<\/s>】\.$/);
    expect(marked(write('\n\n</think>!'), [user('U'), assistant('A')], of)).toMatch(/【A\n\n<\/think>】!$/);
  });

  it('sees tokens that swallow the white space after them as decoding does', () => {
    const of = byteTokenizer({}, [
      { content: '<|im_start|>' },
      { content: '<|im_end|>', rstrip: true },
      { content: '</s>' },
    ]);
    const messages = [user('U'), assistant('A'), user('V'), assistant('B')];
    const { ids } = encodeConversation(of, chatml, messages);
    expect(ids).toEqual(of.encode(chatml.render(messages)));
    expect(ids.filter((id) => id === 10)).toHaveLength(4); // after each role; none after an end of turn
  });

  it('refuses a template that writes earlier turns differently later', () => {
    const forgetful = own(
      `{% for m in messages %}{{ '<|im_start|>' + (m.content if loop.last or m.role == 'user' else '…') + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>' if add_generation_prompt }}`,
    );
    const messages = [user('U'), assistant('A'), user('V'), assistant('B')];
    expect(marked(forgetful, messages.slice(0, 2))).toBe('<|im_start|>U<|im_end|><|im_start|>【A<|im_end|>】');
    expect(() => encodeConversation(tokenizer, forgetful, messages)).toThrow(ConfigError);
    expect(() => encodeConversation(tokenizer, forgetful, messages)).toThrow(
      'chat template own.jinja is not prefix-stable: it writes earlier turns differently when a turn is added',
    );
    expect(encodePrompt(tokenizer, forgetful, messages.slice(0, 3))).toEqual(
      tokenizer.encode('<|im_start|>U<|im_end|><|im_start|>…<|im_end|><|im_start|>V<|im_end|><|im_start|>'),
    );
  });

  it('refuses a template whose prompt is not how the answered conversation begins', () => {
    const counting = own(`{{ messages | length }}{% for m in messages %}{{ m.content + '</s>' }}{% endfor %}`);
    expect(() => encodeConversation(tokenizer, counting, [user('U'), assistant('A')])).toThrow(
      'is not prefix-stable: the answered conversation does not begin with its prompt',
    );
  });

  it('refuses a template whose ending depends on the answer', () => {
    const moody = own(
      `{% for m in messages %}{{ m.content + ('!</s>' if m.content == 'A' else '.</s>') if m.role == 'assistant' else m.content }}{% endfor %}`,
    );
    expect(() => encodeConversation(tokenizer, moody, [user('U'), assistant('A')])).toThrow(
      "is not prefix-stable: what it writes after an answer depends on the answer's text",
    );
  });

  it('refuses a template that ends answers with plain text', () => {
    const plain = byteTokenizer({ eos_token: null }, [{ content: '<|im_start|>' }]);
    expect(() => encodeConversation(plain, chatml, [user('U'), assistant('A')])).toThrow(
      'chat template chatml writes no token of the tokenizer\'s after an answer ("<|im_end|>\\n"): decoding could not stop',
    );
  });
});

describe('encodePrompt', () => {
  it('is what encodeConversation has before each answer', () => {
    const messages = [system('S'), user('\n U '), assistant('\n\n A\n'), user('V'), assistant('B')];
    for (const template of [chatml, alpaca]) {
      const { ids, labelMask } = encodeConversation(tokenizer, template, messages);
      for (const turn of [2, 4]) {
        const prompt = encodePrompt(tokenizer, template, messages.slice(0, turn));
        expect(ids.slice(0, prompt.length)).toEqual(prompt);
        expect([labelMask[prompt.length - 1], labelMask[prompt.length]]).toEqual([0, 1]);
      }
    }
    expect(encodePrompt(tokenizer, chatml, [user('U')])).toEqual([
      256,
      ...bytes('user\nU'),
      257,
      10,
      256,
      ...bytes('assistant\n'),
    ]);
  });
});

const real = realGguf();

describe.skipIf(real === undefined)('SmolLM2’s own template, against transformers', () => {
  interface Row {
    messages: Message[];
    ids: number[];
    answers: [number, number][];
    prompt: number[];
  }
  interface AlpacaRow {
    instruction: string;
    input: string;
    output: string;
    prompt: string;
    ids: number[];
    answers: [number, number][];
  }
  const golden = JSON.parse(readFileSync(join(packageRoot, 'test/golden/chat.json'), 'utf8')) as {
    smollm2: Row[];
    alpaca: AlpacaRow[];
  };
  let smollm2: Tokenizer;
  let template: ChatTemplate;
  beforeAll(() => {
    const gguf = openGguf(real!);
    const { tokenizerJson, tokenizerConfig, chatTemplate } = ggufToHuggingFace(gguf);
    gguf.close();
    smollm2 = new Tokenizer(tokenizerJson, tokenizerConfig);
    template = createChatTemplate(chatTemplate!, 'SmolLM2', smollm2);
  });

  const mask = (length: number, answers: readonly [number, number][]): Uint8Array => {
    const labels = new Uint8Array(length);
    for (const [from, to] of answers) labels.fill(1, from, to);
    return labels;
  };

  it('gives the same ids and learns the answers', () => {
    expect(golden.smollm2.length).toBeGreaterThanOrEqual(12);
    for (const { messages, ids, answers, prompt } of golden.smollm2) {
      const encoded = encodeConversation(smollm2, template, messages);
      expect(encoded.ids).toEqual(ids);
      expect(encoded.labelMask).toEqual(mask(ids.length, answers));
      expect(encodePrompt(smollm2, template, messages)).toEqual(prompt);
    }
    expect(template.render([user('Hi')])).toContain('You are a helpful AI assistant named SmolLM');
  });

  it('tokenises an answer by itself, also where it begins with white space', () => {
    const { ids } = encodeConversation(smollm2, template, [user('Hi'), assistant('\n\n  Hello')]);
    const prompt = template.render([user('Hi')], { addGenerationPrompt: true });
    const apart = [...smollm2.encode(prompt), ...smollm2.encode('\n\n  Hello<|im_end|>'), ...smollm2.encode('\n')];
    expect(ids).toEqual(apart);
    expect(ids).not.toEqual(smollm2.encode(`${prompt}\n\n  Hello<|im_end|>\n`));
  });

  it('writes Alpaca’s prompts and ids as its train.py does', () => {
    const builtin = loadChatTemplate(root, smollm2, 'alpaca');
    for (const { instruction, input, output, prompt, ids, answers } of golden.alpaca) {
      const content = input === '' ? instruction : `${instruction}\n\n### Input:\n${input}`;
      expect(builtin.render([user(content)], { addGenerationPrompt: true })).toBe(prompt);
      const encoded = encodeConversation(smollm2, builtin, [user(content), assistant(output)]);
      expect(encoded.ids).toEqual(ids);
      expect(encoded.labelMask).toEqual(mask(ids.length, answers));
    }
  });
});
