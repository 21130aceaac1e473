import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ImportConfig, run } from '../../recipes/import.ts';
import { ConfigError, DataError, InterruptedError } from '../../src/base/errors.ts';
import { readConversations } from '../../src/data/formats.ts';
import { encodeConversation, loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

const model = join(import.meta.dirname, '../golden/llama-tied');

const turns = (...texts: string[]) => texts.map((value, i) => ({ from: i % 2 === 0 ? 'human' : 'gpt', value }));

/** A dump as collectors leave it: two languages and a third, HTML, turns out of order, copies of ids. */
const dump = [
  {
    id: 'bread',
    conversations: turns(
      'Why does bread rise when it is baked?',
      '<div class="markdown"><p>Because of the <em>gas</em> that the yeast makes:</p><ol><li>It eats sugar.</li><li>It breathes out.</li></ol></div>',
      'And without yeast?',
      '<p>Then soda does it.</p>',
    ),
  },
  { id: 'bread', conversations: turns('为什么面包在烤的时候会膨胀？', '因为酵母会产生气体，气体遇热就会膨胀。') },
  { conversations: turns('Pourquoi le pain lève-t-il quand on le cuit ?', 'Parce que la levure produit du gaz.') },
  {
    id: 'late',
    conversations: [
      { from: 'gpt', value: 'Welcome back!' },
      ...turns('How long does it take to rise?', 'About an hour, if the room is warm.', 'Thanks'),
    ],
  },
  {
    id: 'tool',
    conversations: [
      ...turns('What is the weather like in town today?'),
      { from: 'tool', value: '{"t": 3}' },
      { from: 'gpt', value: 'Cold.' },
    ],
  },
  { id: 'none', conversations: [] },
  'not a row',
];

async function importDump(rows: readonly unknown[], config: Partial<ImportConfig> = {}) {
  const folder = temporaryFolder();
  const file = join(folder, 'dump.json');
  writeFileSync(file, JSON.stringify(rows));
  const [out, rejects] = [join(folder, 'data.jsonl'), join(folder, 'rejects.jsonl')];
  const full = { files: [file], out, rejects, to: 'messages', html: 'auto', ...config } as const;
  const result = await run(full, new AbortController().signal);
  const refused = readFileSync(rejects, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { row: number; reason: string; detail: string; value: unknown });
  return { file, result, refused, conversations: result.written > 0 ? readConversations(out) : [] };
}

describe('import', () => {
  it('takes over what can be learned, and says what it did and what it refused', async () => {
    const { file, result, refused, conversations } = await importDump(dump);
    expect(result).toMatchObject({
      rows: 7,
      kept: 4,
      written: 4,
      cut: 0,
      rejected: { 'turns of tools': 1, 'no question with an answer': 1, 'broken row': 1 },
      mended: {
        'HTML made Markdown': 1,
        'answers before the first question left out': 1,
        'questions after the last answer left out': 1,
      },
      languages: { en: 2, zh: 1, fr: 1 },
      renamedIds: 1,
    });
    expect(conversations.map(({ id, language, provenance }) => [id, language, provenance])).toEqual([
      ['bread', 'en', { source: 'imported', file, row: 0 }],
      ['bread~2', 'zh', { source: 'imported', file, row: 1 }],
      ['dump:2', 'fr', { source: 'imported', file, row: 2 }],
      ['late', 'en', { source: 'imported', file, row: 3 }],
    ]);
    expect(conversations[0]?.messages[1]?.content).toBe(
      'Because of the *gas* that the yeast makes:\n\n1. It eats sugar.\n2. It breathes out.',
    );
    expect(conversations[3]?.messages).toHaveLength(2);
    expect(refused.map(({ row, reason, value }) => [row, reason, value])).toEqual([
      [4, 'turns of tools', dump[4]],
      [5, 'no question with an answer', dump[5]],
      [6, 'broken row', 'not a row'],
    ]);
  });

  it('keeps the languages it is told to keep, and skips those it is told to skip', async () => {
    const kept = await importDump(dump, { keepLanguages: ['zh', 'fr'] });
    expect(kept.conversations.map(({ language }) => language)).toEqual(['zh', 'fr']);
    expect(kept.result.rejected).toMatchObject({ 'language en': 2 });
    const skipped = await importDump(dump, { skipLanguages: ['zh', 'fr'] });
    expect(skipped.conversations.map(({ language }) => language)).toEqual(['en', 'en']);
    const wordless = [{ conversations: turns('1 + 1', '2') }, dump[1]];
    expect((await importDump(wordless, { keepLanguages: ['zh'] })).result.rejected).toEqual({
      'language not recognised': 1,
    });
    expect((await importDump(wordless, { skipLanguages: ['zh'] })).result.rejected).toEqual({ 'language zh': 1 });
  });

  it('cuts where a question begins, by the tokens that training will see', async () => {
    const tokenizer = loadTokenizer(model);
    const template = loadChatTemplate(model, tokenizer, 'chatml');
    const tokens = (messages: Parameters<typeof encodeConversation>[2]): number =>
      encodeConversation(tokenizer, template, messages).ids.length;
    const long = {
      id: 'long',
      conversations: turns('A?', 'B.', 'C?', 'D.', 'E?', 'F.', 'G?', 'much too long '.repeat(40), 'H?', 'I.'),
    };
    const two = tokens([
      { role: 'user', content: 'A?' },
      { role: 'assistant', content: 'B.' },
      { role: 'user', content: 'C?' },
      { role: 'assistant', content: 'D.' },
    ]);
    const limit = { maxTokens: two, model, template: 'chatml' };
    const { result, refused, conversations } = await importDump([long], { limit });
    expect(conversations.map(({ id, messages }) => [id, messages.map(({ content }) => content).join('')])).toEqual([
      ['long#1', 'A?B.C?D.'],
      ['long#2', 'E?F.'],
      ['long#3', 'H?I.'],
    ]);
    for (const { messages } of conversations) expect(tokens(messages)).toBeLessThanOrEqual(two);
    expect(result).toMatchObject({ kept: 1, cut: 1, written: 3, rejected: { 'question and answer too long': 1 } });
    expect(refused[0]).toMatchObject({
      row: 0,
      detail: expect.stringMatching(/^question 4 with its answer: \d+ tokens$/),
    });
  });

  it('writes other forms, and refuses what they cannot say', async () => {
    const sharegpt = await importDump(dump, { to: 'sharegpt' });
    expect(sharegpt.conversations).toHaveLength(4);
    const single = await importDump(dump, { to: 'prompt-completion' });
    expect(single.result).toMatchObject({ kept: 3, rejected: { 'cannot be written': 1 } });
  });

  it('refuses a file without conversations, languages that are none, and both lists at once; nothing is written', async () => {
    await expect(importDump([{ instruction: 'A', output: 'B' }])).rejects.toThrow(DataError);
    await expect(importDump(dump, { keepLanguages: ['english'] })).rejects.toThrow(ConfigError);
    await expect(importDump(dump, { keepLanguages: ['en'], skipLanguages: ['zh'] })).rejects.toThrow(/got both/);
  });

  it('stops when told to and leaves nothing', async () => {
    const folder = temporaryFolder();
    const [file, out, rejects] = ['a.json', 'out.jsonl', 'r.jsonl'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, JSON.stringify(dump));
    const config = { files: [file], out, rejects, to: 'messages', html: 'auto' } as const;
    await expect(run(config, AbortSignal.abort())).rejects.toThrow(InterruptedError);
    expect([out, rejects].map((name) => existsSync(name))).toEqual([false, false]);
  });
});
