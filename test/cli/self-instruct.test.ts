/** Self-Instruct in the style of its paper, through the program: tasks, which are classification, instances. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { chatServer } from './chat-server.ts';
import { understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-self-instruct-'));

/** What the teacher thinks of, one after another; those of an odd place are classification. */
const english = [
  'Retell the story from the eyes of its villain.',
  'Does the weather report announce frost?',
  'Plan a week of lunches around the vegetables given.',
  'Which instrument is playing in the described concert?',
  'Explain how a canal lock lifts a boat.',
];
const chinese = ['把这封信改得更客气一些。', '判断这句话说的是早上还是晚上。'];

/** What it was asked for. */
const asked: string[] = [];
const written = { en: 0, zh: 0 };
const server = chatServer({
  reply: ({ messages }) => {
    const last = messages.at(-1)?.content as string;
    const isChinese = /\p{Script=Han}/u.test(last);
    if (/^(?:Write task|请用中文写第)/m.test(last)) {
      asked.push('instruction');
      return isChinese ? (chinese[written.zh++] as string) : `${messages.length}. ${english[written.en++]}`;
    }
    if (/^1\. /.test(last)) {
      asked.push('classification');
      return last
        .split('\n')
        .map((line) => line.replace(/(\d+)\. .*/, (text, number) => `${number}. ${kindOf(text)}`))
        .join('\n');
    }
    asked.push('instance');
    if (/Label:|标签：/.test(last))
      return `${isChinese ? '输入' : 'Input'}: ${/(?:Label:|标签：)\s*(.*)$/.exec(last)?.[1]}, surely`;
    if (last.includes('canal')) return 'Input: none\nOutput: It is filled with water.';
    return isChinese
      ? '输入：把门关上。\n输出：请您把门关上，谢谢。'
      : 'Input: a cellar full of turnips\nOutput: It went well.';
  },
});
const kindOf = (text: string): string => {
  if (/frost|which instrument/i.test(text)) return 'labels: yes; no; unclear';
  return text.includes('早上') ? '标签：早上；晚上' : 'free';
};
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Row {
  readonly id: string;
  readonly language: string;
  readonly category?: string;
  readonly messages: { readonly content: string }[];
  readonly provenance: { readonly calls: string[] };
}
const rowsOf = (...names: string[]) =>
  readFileSync(join(scratch, ...names), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
const generate = (out: string, ...args: string[]) =>
  understudy([
    ...['generate', 'self-instruct', ...server.flags('m')],
    ...['--seeds', 'assets/seeds/en-a.jsonl', 'assets/seeds/zh.jsonl', '--out', join(scratch, out), '--json', ...args],
    ...['--concurrency', '1'],
  ]);

describe('generate --style self-instruct', () => {
  it('makes instances input first or for a label; the same command again asks nothing', async () => {
    const words = ['--style', 'self-instruct', '--count', '5', '--instances', '2', '--examples-per-prompt', '3'];
    const { code, stdout, stderr } = await generate('english', ...words);
    expect(code, stderr).toBe(0);
    // Samples of one request that come back alike are one instance.
    expect(JSON.parse(stdout)).toMatchObject({ name: 'generated', rows: 7, rejected: { duplicate: 3 } });
    const count = (kind: string) => asked.filter((one) => one === kind).length;
    expect([count('instruction'), count('classification'), count('instance')]).toEqual([5, 1, 10]);
    const rows = rowsOf('english', 'data.jsonl');
    const texts = rows.map(({ id, category, messages }) => [id, category, ...messages.map(({ content }) => content)]);
    expect(texts.filter(([, category]) => category === undefined)).toEqual([
      ['generated-en-0-0', undefined, `${english[0]}\n\na cellar full of turnips`, 'It went well.'],
      ['generated-en-2-0', undefined, `${english[2]}\n\na cellar full of turnips`, 'It went well.'],
      ['generated-en-4-0', undefined, english[4], 'It is filled with water.'],
    ]);
    const labelled = texts.filter(([, category]) => category === 'classification');
    expect(labelled.map(([id]) => id)).toEqual(['1-0', '1-1', '3-0', '3-1'].map((place) => `generated-en-${place}`));
    for (const [, , prompt, label] of labelled) expect(prompt).toMatch(new RegExp(`\\?\n\n${label}, surely$`));
    expect(new Set(labelled.slice(0, 2).map(([, , , label]) => label)).size).toBe(2);
    expect(rows[0]?.provenance.calls).toHaveLength(3); // of the task, of its kind, of the instance

    const before = asked.length;
    expect((await generate('english', ...words)).code).toBe(0);
    expect(asked.length).toBe(before);
  });

  it('in Chinese, and without classification', async () => {
    const words = ['--style', 'self-instruct', '--count', '2', '--languages', 'zh', '--examples-per-prompt', '3'];
    const { code, stderr } = await generate('chinese', ...words);
    expect(code, stderr).toBe(0);
    const texts = rowsOf('chinese', 'data.jsonl').map(({ language, messages }) => [
      language,
      ...messages.map(({ content }) => content),
    ]);
    expect(texts).toEqual([
      ['zh', `${chinese[0]}\n\n把门关上。`, '请您把门关上，谢谢。'],
      ['zh', expect.stringMatching(/^判断.*\n\n(?:早上|晚上), surely$/), expect.stringMatching(/^(?:早上|晚上)$/)],
    ]);
    const ledger = ['--ledger', join(scratch, 'chinese', 'ledger.sqlite'), '--no-classification'];
    const before = asked.length;
    expect((await generate('plain', ...words, ...ledger)).code).toBe(0);
    // The tasks and the free one's instance are there already.
    expect(asked.slice(before)).toEqual(['instance']);
    expect(rowsOf('plain', 'data.jsonl').map(({ category }) => category)).toEqual([undefined, undefined]);
  });

  it.each<[string, string[], RegExp]>([
    ['a style there is none of', ['--style', 'paper'], /style: .*alpaca.*self-instruct/],
    ['instances in the usual style', ['--instances', '2'], /instances: expected with the style self-instruct alone/],
    ['no classification in the usual style', ['--no-classification'], /classification: expected with the style/],
    [
      'answered examples',
      ['--style', 'self-instruct', '--answer-examples', '2'],
      /answerExamples: the style self-instruct/,
    ],
  ])('refuses %s before anybody is asked', async (_, args, message) => {
    const before = asked.length;
    const { code, stderr } = await generate('refused', '--count', '2', ...args);
    expect([code, asked.length]).toEqual([2, before]);
    expect(stderr).toMatch(message);
  });
});
