/** Judging from beginning to end with a teacher in memory: what is asked, asked again, archived, gone on with. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunContext } from '../../recipes/context.ts';
import { run } from '../../recipes/judge.ts';
import { judgeSchema } from '../../recipes/judge-config.ts';
import { readJudgeInput } from '../../recipes/judge-input.ts';
import { reparse } from '../../recipes/judge-reparse.ts';
import { TeacherError } from '../../src/base/errors.ts';
import type { JudgeRow } from '../../src/evaluate/judge-rows.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, price, temporaryFolder } from '../teacher/fixtures/make.ts';

let folder: string;
let ledger: Ledger;
beforeEach(() => {
  folder = temporaryFolder();
  ledger = new Ledger(join(folder, 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const write = (name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name);
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
};

/** Each answer says how good it is: "worth 7". */
const worths = (prompt: string): number[] => [...prompt.matchAll(/worth (\d+)/g)].map(([, worth]) => Number(worth));
const better = (prompt: string): string => {
  const [first = 0, second = 0] = worths(prompt);
  return `Reasons.\n[[${first > second ? 'A' : first < second ? 'B' : 'C'}]]`;
};
const judge = (
  reply: (request: TeacherRequest) => string | TeacherAnswer | TeacherError,
  more: Partial<Teacher> = {},
) =>
  fakeTeacher({
    ...more,
    reply: async (request) => {
      const said = reply(request);
      return typeof said === 'string' ? answer(said) : said;
    },
  });

interface Options {
  readonly signal?: AbortSignal;
  readonly out?: string;
  readonly budgetUsd?: number | undefined;
  readonly answers?: Readonly<Record<string, readonly string[]>>;
}

const questions = ['One?', 'Two?', 'Three?', '四？'].map((text, i) => {
  return {
    question_id: i + 1,
    category: i === 1 ? 'math' : 'generic',
    turns: [text],
    reference: i === 1 ? ['2'] : undefined,
  };
});
const theirs = {
  mine: ['worth 7', 'worth 5', 'worth 5', 'worth 2'],
  base: ['worth 3', 'worth 8', 'is worth 5', 'worth 1'],
};

function judged(
  teacher: Teacher,
  settings: object,
  { signal, out = 'out', budgetUsd, answers = theirs }: Options = {},
) {
  const config = judgeSchema.parse({ teacher: { provider: 'local' }, ...settings });
  const files = Object.entries(answers).map(([name, texts]) => {
    return {
      name,
      file: write(
        `${name}.jsonl`,
        texts.map((text, i) => ({ question_id: i + 1, text })),
      ),
    };
  });
  const input = readJudgeInput({ questions: write('questions.jsonl', questions), answers: files }, config);
  const context: RunContext = {
    ...{ ledger, budgetUsd, yes: false, signal: signal ?? new AbortController().signal },
    progress: () => ({ update: () => {}, note: () => {}, finish: () => {} }),
    engine: () => Promise.reject(new Error('no engine is needed')),
    teacher: async () => teacher,
  };
  return run(config, input, join(folder, out), context);
}
const file = (name: string, out = 'out'): string => readFileSync(join(folder, out, name), 'utf8');
const rows = (out?: string): JudgeRow[] =>
  file('rows.jsonl', out)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JudgeRow);

describe('judging', () => {
  it('pair: every question in both orders, in the wording of its language and kind', async () => {
    const teacher = judge(({ messages }) => better(messages[0]?.content ?? ''));
    const summary = await judged(teacher, { mode: 'pair', baseline: 'base' });
    expect(teacher.asked).toHaveLength(8);
    expect(summary).toMatchObject({
      settings: {
        mode: 'pair',
        teacher: 'fake:test-model',
        judgeModel: 'test-model',
        models: ['mine', 'base'],
        baseline: 'base',
      },
      calls: { asked: 8, parsed: 8 },
      matches: [{ model: 'mine', opponent: 'base', wins: 2, ties: 1, losses: 1, winRate: { value: 0.625, n: 4 } }],
      prompts: [{ name: 'judge-choice-en' }, { name: 'judge-choice-zh' }],
      position: { flips: 0 },
      lengthUnit: 'characters',
    });
    expect(JSON.parse(file('summary.json'))).toEqual(JSON.parse(JSON.stringify(summary)));
    const all = rows();
    expect(all.map(({ question, models }) => `${question} ${models.join(' ')}`).slice(0, 3)).toEqual([
      '1 mine base',
      '1 base mine',
      '2 mine base',
    ]);
    expect(all[2]).toMatchObject({
      ...{ question: '2', turn: 1, category: 'math', language: 'en', sample: 0, lengths: [7, 7] },
      prompt: { name: 'judge-choice-en', version: 1, pointsVersion: 1, points: ['math', 'guided'] },
      askings: [{ text: 'Reasons.\n[[B]]', finishReason: 'stop', call: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      verdict: { choice: 'second' },
    });
    expect(all[6]).toMatchObject({ language: 'zh', prompt: { name: 'judge-choice-zh', points: ['general'] } });
    // The archive's key is the ledger's.
    expect(ledger.lookup([all[2]?.askings[0]?.call ?? '']).size).toBe(1);
  });

  it('reference and single: sums, means and the ratio', async () => {
    const scores = judge(({ messages }) =>
      worths(messages[0]?.content ?? '')
        .map((worth) => `[[${worth}]]`)
        .join(' '),
    );
    const both = await judged(scores, { mode: 'reference', baseline: 'base' });
    expect(both.matches[0]).toMatchObject({ sums: { model: 19, opponent: 17 }, ratio: { value: 19 / 17 }, wins: 2 });
    const each = await judged(scores, { mode: 'single' }, { out: 'single' });
    expect(each.models).toMatchObject([
      { model: 'mine', sum: 19, mean: { value: 4.75, n: 4 } },
      { model: 'base', sum: 17, mean: { value: 4.25, n: 4 } },
    ]);
    expect(each.calls.asked).toBe(8);
  });

  it('samples are asked apart, warm; the judge’s own model is known by its name', async () => {
    const asked: TeacherRequest[] = [];
    const teacher = judge((request) => {
      asked.push(request);
      return better(request.messages[0]?.content ?? '');
    });
    const answers = { 'test-model': theirs.mine, base: theirs.base };
    const summary = await judged(teacher, { mode: 'pair', samples: 2 }, { answers });
    expect(asked.map(({ sample, parameters }) => [sample, parameters.temperature])).toEqual(
      [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1].map((sample) => [sample, 1]),
    );
    expect(summary.calls.asked).toBe(16);
    expect(summary.selfPreference).toMatchObject({ own: ['test-model'], ownWinRate: { value: 0.625, n: 8 } });
  });

  it('what cannot be read is asked again in words, what is cut longer, what is withheld stands', async () => {
    const names = ['One', 'Two', 'Three', '四'];
    /** By question, and by whether the answer of `mine` is shown first (0) or second (1): one saying after another. */
    const plan: Record<string, readonly (string | TeacherAnswer)[]> = {
      'One 0': ['Both are fine.', '[[A]]'],
      'One 1': ['[[B]]'],
      'Two 0': [{ ...answer('Long reasons'), finishReason: 'length' }, '[[A]]'],
      'Two 1': ['No.', 'Never.', 'No!'],
      'Three 0': [{ ...answer(''), finishReason: 'content-filter' }],
      'Three 1': ['[[C]]'],
      '四 0': ["I'm sorry, but I can't help with that.", '抱歉，我无法回答。', '抱歉，我无法提供帮助。'],
      '四 1': ['[[A]]'],
    };
    const asked: TeacherRequest[] = [];
    const times: Record<string, number> = {};
    const teacher = judge((request) => {
      asked.push(request);
      const prompt = request.messages[0]?.content ?? '';
      const i = names.findIndex((one) => new RegExp(`${one}[?？]`).test(prompt));
      const key = `${names[i]} ${prompt.indexOf(`mine ${i}`) < prompt.indexOf(`base ${i}`) ? 0 : 1}`;
      const time = times[key] ?? 0;
      times[key] = time + 1;
      return plan[key]?.[time] as string | TeacherAnswer;
    });
    const answers = { mine: [0, 1, 2, 3].map((i) => `mine ${i}`), base: [0, 1, 2, 3].map((i) => `base ${i}`) };
    const summary = await judged(teacher, { mode: 'pair', maxTokens: 50 }, { answers });
    expect(summary.calls).toEqual({ asked: 8, answered: 6, parsed: 5, unreadable: 1, refused: 2, failed: 0 });
    const all = rows();
    expect(all.map(({ askings }) => askings.length)).toEqual([2, 1, 2, 3, 1, 1, 3, 1]);
    expect(all[0]).toMatchObject({
      verdict: { choice: 'first' },
      askings: [{ text: 'Both are fine.' }, { text: '[[A]]' }],
    });
    expect(all[4]).toMatchObject({ problem: { kind: 'refused', reason: 'withheld by a content filter' } });
    const again = asked.filter(({ messages }) => messages.length > 1);
    expect(again.map(({ messages }) => messages[2]?.content.includes('一句话'))).toContain(true);
    expect(again[0]?.messages[2]?.content).toMatch(/^No single verdict could be read/);
    expect(asked.filter(({ parameters }) => parameters.maxTokens === 100)).toHaveLength(1);
  });

  it('calls that fail are counted and asked again the next time; where all fail nothing is written', async () => {
    const down = new TeacherError('no such thing');
    const all = judge(() => down);
    await expect(judged(all, { mode: 'pair' })).rejects.toThrow(/all 8 calls to fake:test-model failed: no such thing/);
    expect(existsSync(join(folder, 'out', 'rows.jsonl'))).toBe(false);
    const some = judge(({ messages }) =>
      messages[0]?.content.includes('Two?') ? down : better(messages[0]?.content ?? ''),
    );
    const broken = await judged(some, { mode: 'pair' });
    expect(broken.calls).toMatchObject({ asked: 8, answered: 6, parsed: 6, failed: 2 });
    expect(broken.matches[0]?.bounds?.winRate).toEqual({ worst: 2.5 / 4, best: 3.5 / 4 });
    expect(rows()[2]).toMatchObject({ error: 'no such thing', problem: { kind: 'failed' }, askings: [] });
    const whole = judge(({ messages }) => better(messages[0]?.content ?? ''));
    expect((await judged(whole, { mode: 'pair' })).calls).toMatchObject({ parsed: 8, failed: 0 });
    expect(whole.asked).toHaveLength(2);
  });

  it('interrupted and run again is as if never interrupted, and nothing is asked twice', async () => {
    const nonsense = (prompt: string): boolean => prompt.includes('Two?');
    const reply = ({ messages }: TeacherRequest): string =>
      nonsense(messages[0]?.content ?? '') && messages.length === 1 ? 'Hm.' : better(messages[0]?.content ?? '');
    const whole = judge(reply);
    const expected = await judged(whole, { mode: 'pair' }, { out: 'whole' });
    const expectedRows = file('rows.jsonl', 'whole');
    ledger.close();
    ledger = new Ledger(join(folder, 'second.sqlite'));
    const sent: string[] = [];
    for (const stopAfter of [1, 2, 3, 1, 1]) {
      const controller = new AbortController();
      let now = 0;
      const teacher = judge((request) => {
        sent.push(JSON.stringify(request));
        now += 1;
        if (now === stopAfter) controller.abort();
        return reply(request);
      });
      await expect(judged(teacher, { mode: 'pair' }, { signal: controller.signal })).rejects.toThrow(/interrupted/);
      expect(existsSync(join(folder, 'out', 'summary.json'))).toBe(false);
    }
    const last = judge((request) => {
      sent.push(JSON.stringify(request));
      return reply(request);
    });
    expect(await judged(last, { mode: 'pair' })).toEqual(expected);
    expect(file('rows.jsonl')).toBe(expectedRows);
    expect(sent).toHaveLength(whole.asked.length);
    expect(new Set(sent).size).toBe(sent.length);
  });

  it('costs no more than it may', async () => {
    const teacher = judge(({ messages }) => better(messages[0]?.content ?? ''), { paid: true, price });
    await expect(judged(teacher, { mode: 'pair' })).rejects.toThrow(/costs money: 8 calls, \$/);
    await expect(judged(teacher, { mode: 'pair' }, { budgetUsd: 1e-9 })).rejects.toThrow(/budget/);
    expect(teacher.asked).toEqual([]);
    expect((await judged(teacher, { mode: 'pair' }, { budgetUsd: 1 })).calls.parsed).toBe(8);
  });
});

describe('reparse', () => {
  it('reads the archive again: the same rows and figures, nobody asked', async () => {
    const teacher = judge(({ messages }) => (messages.length > 1 ? '[[A]]' : 'Hm.'));
    const summary = await judged(teacher, { mode: 'pair' });
    const before = file('rows.jsonl');
    const asked = teacher.asked.length;
    const again = reparse(join(folder, 'out'));
    expect(again.changed).toBe(0);
    expect(JSON.parse(JSON.stringify(again.summary))).toEqual(JSON.parse(JSON.stringify(summary)));
    expect(file('rows.jsonl')).toBe(before);
    expect(teacher.asked).toHaveLength(asked);
  });

  it('finds what an older reading missed or took for another, in any of the askings', async () => {
    await judged(
      judge(({ messages }) => better(messages[0]?.content ?? '')),
      { mode: 'pair' },
    );
    const archive = rows();
    const old = archive.map((row, i) => {
      if (i === 0) return { ...row, verdict: { choice: 'tie' } };
      if (i === 1) return { ...row, verdict: undefined, problem: { kind: 'unreadable', reason: 'old' } };
      return row;
    });
    writeFileSync(join(folder, 'out', 'rows.jsonl'), old.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { summary, changed } = reparse(join(folder, 'out'));
    expect(changed).toBe(2);
    expect(summary.matches[0]).toMatchObject({ wins: 2, ties: 1, losses: 1, bounds: null });
    expect(rows()).toEqual(archive);
  });

  it('names what is broken in the archive, and changes nothing', async () => {
    await judged(
      judge(({ messages }) => better(messages[0]?.content ?? '')),
      { mode: 'pair' },
    );
    const good = file('rows.jsonl');
    const lines = good.split('\n');
    const broken = [lines[0], '{"question":"1"}', '[]'].join('\n');
    writeFileSync(join(folder, 'out', 'rows.jsonl'), broken);
    expect(() => reparse(join(folder, 'out'))).toThrow(
      /rows\.jsonl:2: turn: expected[\s\S]*rows\.jsonl:3: expected an object/,
    );
    expect(file('rows.jsonl')).toBe(broken);
    writeFileSync(join(folder, 'out', 'summary.json'), '{}');
    expect(() => reparse(join(folder, 'out'))).toThrow(/summary\.json: settings/);
    expect(() => reparse(folder)).toThrow(/no such file: .*summary\.json/);
  });
});
