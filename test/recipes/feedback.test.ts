/** Comparison data from end to end with teachers in memory; the program is tested in test/cli/feedback.test.ts. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunContext } from '../../recipes/context.ts';
import { run } from '../../recipes/feedback.ts';
import { feedbackSchema } from '../../recipes/feedback-config.ts';
import { survey } from '../../recipes/feedback-input.ts';
import { logprobScoring, scorerTeacher } from '../../recipes/feedback-logprob.ts';
import { TeacherError } from '../../src/base/errors.ts';
import { readPreferences } from '../../src/data/formats.ts';
import { scoreGroups, teacherScoring } from '../../src/generate/feedback.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { upperBoundUsd } from '../../src/teacher/prices.ts';
import type { Teacher, TeacherAnswer, TeacherRequest } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, price, temporaryFolder } from '../teacher/fixtures/make.ts';

let folder: string;
let ledger: Ledger;
beforeEach(() => {
  folder = temporaryFolder();
  ledger = new Ledger(join(folder, 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const at = (name: string) => join(folder, name);
function write(name: string, rows: readonly unknown[]): string {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return at(name);
}
const lines = (name: string): Record<string, unknown>[] =>
  readFileSync(at(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const frames = (prompt: string): string[] =>
  [...prompt.matchAll(/^(?:Answer |回答)[\dAB]+[:：]\n<<< (\w+)\n([\s\S]*?)\n>>> \1$/gm)].map(
    ([, , text]) => text as string,
  );
const worth = (text: string): number => Number(/worth ([\d.]+)/.exec(text)?.[1] ?? 0);

/** Scores by what answers say they are worth; head to head the longer wins. */
function verdictOn(prompt: string): string {
  const shown = frames(prompt);
  if (prompt.includes('[[C]]')) {
    const [a = '', b = ''] = shown;
    return a.length === b.length ? '[[C]]' : `[[${a.length > b.length ? 'A' : 'B'}]]`;
  }
  return shown.map((text, i) => `Answer ${i + 1}: so it says. [[${worth(text)}]]`).join('\n');
}
const judgeWith = (more: Partial<Teacher> = {}, change = (reply: string, _: string): string | TeacherError => reply) =>
  fakeTeacher({
    ...{ name: 'fake:judge', model: 'judge', ...more },
    reply: async ({ messages }) => {
      const prompt = messages[0]?.content as string;
      const reply = change(verdictOn(prompt), prompt);
      return typeof reply === 'string' ? answer(reply) : reply;
    },
  });
const writer = (
  name: string,
  reply: (request: TeacherRequest) => string | TeacherAnswer | TeacherError,
  more: Partial<Teacher> = {},
) =>
  fakeTeacher({
    ...{ name: `fake:${name}`, model: name, ...more },
    reply: async (request) => {
      const said = reply(request);
      return typeof said === 'string' ? answer(said) : said;
    },
  });

interface Options {
  readonly teachers?: Readonly<Record<string, Teacher>>;
  readonly answers?: readonly { readonly name: string; readonly file: string }[];
  readonly out?: string;
  readonly signal?: AbortSignal;
  readonly spending?: Pick<RunContext, 'budgetUsd' | 'yes'>;
}

/** `local` teachers are named by their model. */
async function feedback(prompts: readonly string[], settings: object, options: Options = {}) {
  const { teachers = {}, answers = [], out = 'out.jsonl' } = options;
  const { signal = new AbortController().signal, spending = { budgetUsd: undefined, yes: false } } = options;
  const config = feedbackSchema.parse({ teacher: { provider: 'local', model: 'judge' }, ...settings });
  const notes: string[] = [];
  const context: RunContext = {
    ...{ ledger, signal, ...spending },
    progress: () => ({ update: () => {}, note: (text) => notes.push(text), finish: () => {} }),
    engine: () => Promise.reject(new Error('no engine is needed')),
    teacher: async (wanted) => {
      const found = wanted.provider === 'local' ? teachers[wanted.model] : undefined;
      if (!found) throw new Error('no such teacher');
      return found;
    },
  };
  const files = { prompts, answers, out: at(out), rejects: at(`${out}.rejects`) };
  return { ...(await run(config, files, await survey(files, config.answerers, signal), context)), notes };
}

const local = (model: string) => ({ provider: 'local', model });
const prompts = () =>
  write('prompts.jsonl', [
    { id: 'one', prompt: 'Say one.' },
    {
      id: 'two',
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Say two.' },
      ],
      category: 'c',
    },
    { id: 'three', instruction: '说三。' },
  ]);
const recorded = () =>
  write('old.jsonl', [
    { id: 'one', output: 'old, worth 4' },
    { id: 'two', output: 'old, worth 9' },
    { id: 'three', output: 'old, worth 6' },
  ]);
/** Two samples: the second is worth more. */
const student = () =>
  writer(
    'student-7b',
    ({ messages, sample }) => `${messages.at(-1)?.content} Student sample ${sample}, worth ${8 + sample}`,
  );

describe('feedback', () => {
  it('compares recorded answers and samples, and nobody is told who wrote what', async () => {
    const judge = judgeWith();
    const teachers = { judge, 'student-7b': student() };
    const answerers = [{ name: 'the-student', teacher: local('student-7b'), samples: 2 }];
    const answers = [{ name: 'davinci', file: recorded() }];
    const result = await feedback([prompts()], { answerers }, { teachers, answers });
    expect(result).toMatchObject({
      ...{ prompts: 3, broken: 0, compared: 3, written: 3, rejected: {}, teacher: 'fake:judge' },
      answers: { davinci: { compared: 3 }, 'the-student': { compared: 6, same: 0, cut: 0 } },
      verdicts: { asked: 3, read: 3, partial: 0, unreadable: 0, failed: 0 },
      yield: {
        twos: 9,
        pairs: 8,
        ties: 1,
        byMargin: [{ pairs: 0 }, { pairs: 0 }, { pairs: 4 }, { pairs: 1 }, { pairs: 3 }],
      },
    });
    expect(judge.asked).toHaveLength(3);
    for (const [prompt] of judge.asked)
      expect(prompt).not.toMatch(/davinci|the-student|student-7b|fake|old\.jsonl|prompts/);

    const read = readPreferences(at('out.jsonl'));
    expect(read.map(({ id, language, category }) => [id, language, category])).toEqual([
      ['one', 'en', undefined],
      ['two', 'en', 'c'],
      ['three', 'zh', undefined],
    ]);
    expect(read[1]?.prompt).toEqual([
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'Say two.' },
    ]);
    expect(read.map((one) => one.answers.map(({ rank, score, source }) => [source, score, rank]))).toEqual([
      [
        ['davinci', 4, 3],
        ['the-student', 8, 2],
        ['the-student', 9, 1],
      ],
      [
        ['davinci', 9, 1],
        ['the-student', 8, 3],
        ['the-student', 9, 1],
      ],
      [
        ['davinci', 6, 3],
        ['the-student', 8, 2],
        ['the-student', 9, 1],
      ],
    ]);
    expect(read[0]?.answers[0]?.reason).toBe('so it says.');
    // Two calls of the student's and one of the judge's, all of them in the ledger.
    for (const { provenance } of read) {
      const calls = provenance.calls ?? [];
      const found = ledger.lookup(calls);
      expect(calls.map((call) => found.get(call)?.request.model)).toEqual(['student-7b', 'student-7b', 'judge']);
    }
    const [row] = lines('out.jsonl');
    expect(row).toMatchObject({
      scorer: 'fake:judge',
      provenance: { source: 'generated', file: at('prompts.jsonl'), row: 1 },
    });
    const [own, samples] = [
      row?.['answers'] as { calls?: string[]; verdicts: { call: string }[] }[],
      read[0]?.provenance.calls,
    ];
    expect(own?.map(({ calls }) => calls)).toEqual([undefined, [samples?.[0]], [samples?.[1]]]);
    for (const { verdicts } of own ?? [])
      expect(verdicts).toMatchObject([{ call: samples?.[2], reason: 'so it says.' }]);
    expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('ties by choice, the same verdicts serving each; only what is new is asked', async () => {
    const judge = judgeWith();
    const files = [
      write('p.jsonl', [
        { id: 'a', prompt: 'A' },
        { id: 'b', prompt: 'B' },
      ]),
    ];
    const answers = ['long', 'short', 'other'].map((name, i) => {
      const texts = [`worth 9${name === 'long' ? ', and long' : ''} ${i}`, `worth ${i + 3}`];
      return {
        name,
        file: write(
          `${name}.jsonl`,
          texts.map((text, j) => ({ id: 'ab'[j], text })),
        ),
      };
    });
    const options = { teachers: { judge }, answers };
    const dropped = await feedback(files, { form: 'preference' }, options);
    expect(dropped.yield).toMatchObject({ twos: 6, pairs: 3, ties: 3, sameScore: 3 });
    expect([dropped.written, dropped.rejected]).toEqual([3, { 'all tied': 1 }]);
    expect(lines('out.jsonl.rejects')).toMatchObject([{ id: 'a', reason: 'all tied', calls: { length: 1 } }]);
    expect(lines('out.jsonl').map(({ id, margin, score_chosen }) => [id, margin, score_chosen])).toEqual([
      ['b#1', 1, 5],
      ['b#2', 2, 5],
      ['b#3', 1, 4],
    ]);
    expect(judge.asked).toHaveLength(2);

    const settled = await feedback(files, { ties: 'head-to-head', form: 'preference' }, options);
    expect(judge.asked).toHaveLength(2 + 6);
    expect(settled.yield).toMatchObject({
      ...{ pairs: 5, headToHead: 2, ties: 1, sameScore: 3 },
      byMargin: [{ pairs: 2 }, { pairs: 0 }, { pairs: 2 }, { pairs: 1 }, { pairs: 0 }],
      duels: { first: 2, tie: 1, disagree: 0, contradictory: 0 },
    });
    const decided = readPreferences(at('out.jsonl')).filter(({ id }) => id.startsWith('a'));
    expect(decided.map((one) => [one.margin, ...one.answers.map(({ content }) => content)])).toEqual([
      [0, 'worth 9, and long 0', 'worth 9 1'],
      [0, 'worth 9, and long 0', 'worth 9 2'],
    ]);
    expect(decided[0]?.provenance.calls).toHaveLength(1 + 6);

    // The mean of three: one verdict in three gives the longer text half a point less.
    let times = 0;
    const unsure = judgeWith({}, (reply, prompt) => {
      if (!prompt.includes('and long') || times++ > 0) return reply;
      return reply.replace('[[9]]', '[[7.5]]');
    });
    const fresh = { ...options, teachers: { judge: { ...unsure, model: 'unsure' } } };
    const expected = await feedback(files, { ties: 'expected', verdicts: 3 }, fresh);
    expect(unsure.asked).toHaveLength(6);
    const scores = readPreferences(at('out.jsonl'))[0]
      ?.answers.map(({ score }) => score)
      .toSorted();
    expect(scores).toEqual([8.5, 9, 9]);
    expect(expected.yield).toMatchObject({
      pairs: 5,
      ties: 1,
      byMargin: [{ pairs: 0 }, { pairs: 2 }, { pairs: 2 }, { pairs: 1 }, {}],
    });
  });

  it('what is no whole answer is put aside; the same text is shown once; a prompt needs two', async () => {
    const judge = judgeWith();
    const model = writer('m', ({ messages }) => {
      const asked = messages.at(-1)?.content as string;
      if (asked.includes('one')) return { ...answer('worth 3, and then'), finishReason: 'length' };
      return asked.includes('two') ? 'old, worth 9' : new TeacherError('too long');
    });
    const answers = [
      { name: 'old', file: recorded() },
      {
        name: 'older',
        file: write('older.jsonl', [
          { id: 'one', output: 'older, worth 2' },
          { id: 'two', output: ' ' },
        ]),
      },
    ];
    const options = { teachers: { judge, m: model }, answers };
    const result = await feedback([prompts()], { answerers: [{ name: 'mine', teacher: local('m') }] }, options);
    const none = { compared: 0, same: 0, cut: 0, empty: 0, failed: 0, missing: 0 };
    expect(result).toMatchObject({
      answers: {
        old: { ...none, compared: 3 },
        older: { ...none, compared: 1, empty: 1, missing: 1 },
        mine: { ...none, same: 1, cut: 1, failed: 1 },
      },
      ...{ compared: 1, written: 1 },
      rejected: { 'cut answer': 1, 'empty answer': 1, 'no answer': 1, 'fewer than two answers': 2 },
    });
    const call = [expect.any(String)];
    expect(lines('out.jsonl.rejects').map(({ id, reason, source, calls }) => [id, reason, source, calls])).toEqual([
      ['one', 'cut answer', 'mine', call],
      ['two', 'empty answer', 'older', []],
      ['two', 'fewer than two answers', undefined, call],
      ['three', 'no answer', 'mine', call],
      ['three', 'fewer than two answers', undefined, []],
    ]);
    const kept = await feedback(
      [prompts()],
      { answerers: [{ name: 'mine', teacher: local('m') }], cut: 'keep' },
      options,
    );
    expect(kept.answers['mine']).toMatchObject({ compared: 1, same: 1, cut: 0 });
    expect(judge.asked.at(-1)?.[0]).toContain('worth 3, and then');
  });

  it('nothing left to compare is no error, and nobody is asked to score', async () => {
    const judge = judgeWith();
    const answers = ['a', 'b'].map((name) => ({
      name,
      file: write(`${name}.jsonl`, [{ id: 'one', output: 'the same' }]),
    }));
    const result = await feedback([prompts()], {}, { teachers: { judge }, answers });
    expect(result).toMatchObject({
      answers: { a: { compared: 1, missing: 2 }, b: { same: 1, missing: 2 } },
      ...{ compared: 0, written: 0, yield: { twos: 0, pairs: 0 }, rejected: { 'fewer than two answers': 3 } },
    });
    expect([judge.asked, readFileSync(at('out.jsonl'), 'utf8')]).toEqual([[], '']);
  });

  it('verdicts that cannot be read are kept as they came and counted', async () => {
    const judge = judgeWith({}, (reply, prompt) => {
      if (prompt.includes('Say one')) return 'They are all fine.';
      if (prompt.includes('Say two')) return reply.split('\n').slice(1).join('\n');
      return new TeacherError('too long');
    });
    const teachers = { judge, 'student-7b': student() };
    const answerers = [{ name: 's', teacher: local('student-7b'), samples: 2 }];
    const answers = [{ name: 'old', file: recorded() }];
    const result = await feedback([prompts()], { answerers }, { teachers, answers });
    expect(result).toMatchObject({
      verdicts: { asked: 3, read: 0, partial: 1, unreadable: 1, failed: 1 },
      yield: { twos: 9, unreadable: 5, failed: 3 },
      written: 1,
      rejected: { 'unreadable verdict': 1, unreadable: 1, 'partial verdict': 1, 'failed verdict': 1, failed: 1 },
    });
    const [raw] = lines('out.jsonl.rejects');
    expect(raw).toMatchObject({ id: 'one', text: 'They are all fine.', calls: { length: 3 } });
    const strict = await feedback([prompts()], { answerers, partial: 'drop' }, { teachers, answers }).catch(
      () => undefined,
    );
    expect(strict).toMatchObject({ written: 0, yield: { unreadable: 6, failed: 3 } });
  });

  it('comparisons are scored again, with the names of who wrote them kept from the teacher', async () => {
    const judge = judgeWith();
    const responses_and_scores = [
      { response: 'worth 3', source: 'gpt4', score: 9 },
      { response: 'worth 8', source: 'opt', score: 2 },
    ];
    const files = [write('v2.json', [{ user_input: 'Say it.', responses_and_scores }])];
    const result = await feedback(files, { form: 'comparison-v2' }, { teachers: { judge }, out: 'again.json' });
    expect(result).toMatchObject({ written: 1, answers: { gpt4: { compared: 1 }, opt: { compared: 1 } } });
    expect(judge.asked[0]?.[0]).not.toMatch(/gpt4|opt/);
    expect(JSON.parse(readFileSync(at('again.json'), 'utf8'))).toEqual([
      {
        id: '0',
        user_input: 'Say it.',
        responses_and_scores: [
          { response: 'worth 3', source: 'gpt4', score: 3 },
          { response: 'worth 8', source: 'opt', score: 8 },
        ],
      },
    ]);
    expect(readPreferences(at('again.json'))[0]?.answers.map(({ rank }) => rank)).toEqual([2, 1]);
  });

  it('interrupted anywhere and run again, it is what it would have been, and nothing is asked twice', async () => {
    const answerers = [{ name: 's', teacher: local('student-7b'), samples: 2 }];
    const settings = { answerers, ties: 'head-to-head' };
    const answers = [{ name: 'old', file: recorded() }];
    const whole = { judge: judgeWith(), 'student-7b': student() };
    const { notes: _, ...result } = await feedback([prompts()], settings, { teachers: whole, answers });
    const made = readFileSync(at('out.jsonl'), 'utf8');
    const total = whole.judge.asked.length + whole['student-7b'].asked.length;
    expect(total).toBe(6 + 3 + 2);
    for (let after = 1; after < total; after++) {
      ledger.close();
      ledger = new Ledger(at(`ledger-${after}.sqlite`));
      const out = `cut-${after}.jsonl`;
      const controller = new AbortController();
      let left = after;
      const counting = (teacher: ReturnType<typeof fakeTeacher>) => ({
        ...teacher,
        ask: async (...args: Parameters<Teacher['ask']>) => {
          const found = await teacher.ask(...args);
          left -= 1;
          if (left === 0) controller.abort();
          return found;
        },
      });
      const [judge, s] = [judgeWith(), student()];
      const teachers = { judge: counting(judge), 'student-7b': counting(s) };
      const cut = feedback([prompts()], settings, { teachers, answers, out, signal: controller.signal });
      await expect(cut).rejects.toThrow(/interrupted/);
      expect(existsSync(at(out))).toBe(false);
      expect(readdirSync(folder).filter((name) => name.includes('tmp'))).toEqual([]);
      const again = await feedback([prompts()], settings, { teachers, answers, out });
      expect(again).toMatchObject({ yield: result.yield, written: result.written, answers: result.answers });
      expect(readFileSync(at(out), 'utf8')).toBe(made);
      expect(judge.asked.length + s.asked.length).toBe(total);
    }
  });
});

describe('the cost', () => {
  it('is quoted for everyone who is paid before anything is asked, and kept to a budget', async () => {
    const judge = judgeWith({ paid: true, price });
    const paid = writer('m', () => 'worth 5', { paid: true, price });
    const options = { teachers: { judge, m: paid }, answers: [{ name: 'old', file: recorded() }] };
    const settings = { answerers: [{ name: 'mine', teacher: local('m'), maxTokens: 50 }], ties: 'head-to-head' };
    await expect(feedback([prompts()], settings, options)).rejects.toThrow(
      /fake:m costs money: 3 calls, \$0\.0\d+ at the very most/,
    );
    expect([judge.asked, paid.asked]).toEqual([[], []]);
    const confirmed = await feedback([prompts()], settings, {
      ...options,
      spending: { budgetUsd: undefined, yes: true },
    });
    expect(confirmed.notes).toEqual([
      expect.stringMatching(/^fake:m costs money: 3 calls/),
      // A verdict and both orders of one two, for each of three prompts.
      expect.stringMatching(/^fake:judge costs money: 9 calls/),
    ]);
    const quoted = Number(/\$([\d.]+)/.exec(confirmed.notes[1] as string)?.[1]);
    expect(ledger.spent().storedUsd).toBeLessThanOrEqual(quoted);
  });

  it('ends at the budget with nothing written', async () => {
    const judge = judgeWith({ paid: true, price });
    const answers = ['a', 'b'].map((name, i) => ({
      name,
      file: write(
        `${name}.jsonl`,
        ['one', 'two', 'three'].map((id) => ({ id, output: `worth ${i + 2}` })),
      ),
    }));
    // The first may cost so much; after it there is no room for the second, which is longer.
    const scoring = teacherScoring('judge', { verdicts: 1, temperature: 0, maxTokens: 160, seed: 1 });
    const candidates = ['worth 2', 'worth 3'].map((content) => ({ content, source: '', calls: [] }));
    const prompt = [{ role: 'user', content: 'Say one.' } as const];
    const [task] = scoring.tasks({ id: 'one', prompt, language: 'en', file: '', row: 1, candidates });
    const budgetUsd = upperBoundUsd(price, scoring.request(task!)) + 1e-6;
    const options = { teachers: { judge }, answers, spending: { budgetUsd, yes: false } };
    await expect(feedback([prompts()], {}, options)).rejects.toThrow(/budget/);
    expect(judge.asked).toHaveLength(1);
    expect(existsSync(at('out.jsonl'))).toBe(false);
    const more = await feedback([prompts()], {}, { ...options, spending: { budgetUsd: 1, yes: false } });
    expect([more.written, judge.asked.length]).toEqual([3, 3]);
  });
});

describe('log-probabilities', () => {
  /** Each character is a token of −0.5 nats, but of "sure" answers −0.1. */
  const scorer = (name = 'm@1') => {
    const asked: string[] = [];
    return {
      asked,
      name,
      score: async (conversations: readonly (readonly { readonly content: string }[])[]) =>
        conversations.map((turns) => {
          const text = turns.at(-1)?.content as string;
          asked.push(turns.map(({ content }) => content).join('|'));
          const tokens = text.length + 1;
          return { sum: text === 'broken' ? Number.NaN : (text.includes('sure') ? -0.1 : -0.5) * tokens, tokens };
        }),
    };
  };
  const group = (texts: readonly string[]) => ({
    ...{ id: 'g', language: 'en', file: 'f', row: 1 },
    prompt: [{ role: 'user', content: 'Q' } as const],
    candidates: texts.map((content, i) => ({ content, source: `w${i}`, calls: [] })),
  });
  async function scores(texts: readonly string[], from: ReturnType<typeof scorer>) {
    const teacher = scorerTeacher(from);
    const ask = { teacher, ledger, stage: 'feedback-scores' };
    for await (const one of scoreGroups(() => [group(texts)], texts.length, logprobScoring(teacher.model), 'keep', ask))
      return one;
    return undefined;
  }

  it('are means over the tokens of an answer, in the ledger, and computed once', async () => {
    const first = scorer();
    const found = await scores(['sure', 'maybe so', 'no'], first);
    expect(found?.candidates.map(({ score }) => score)).toEqual([expect.closeTo(-0.1, 12), -0.5, -0.5]);
    expect(first.asked).toEqual(['Q|sure', 'Q|maybe so', 'Q|no']);
    const call = found?.candidates[0]?.verdicts[0]?.call as string;
    expect(ledger.lookup([call]).get(call)?.answer?.text).toBe(JSON.stringify({ sum: -0.5, tokens: 5 }));
    const again = scorer();
    expect(await scores(['sure', 'maybe so', 'no', 'new'], again)).toMatchObject({ requests: 4 });
    expect(again.asked).toEqual(['Q|new']);
    const other = scorer('m@2');
    await scores(['sure'], other);
    expect(other.asked).toEqual(['Q|sure']);
  });

  it('are taken behind the examples of the prompt’s language', async () => {
    const one = scorer();
    const shown = (language: string) => [
      { role: 'user' as const, content: `example in ${language}` },
      { role: 'assistant' as const, content: 'such a manner' },
    ];
    const ask = { teacher: scorerTeacher(one), ledger, stage: 'feedback-scores' };
    const scoring = logprobScoring(ask.teacher.model, shown);
    for await (const _ of scoreGroups(() => [group(['sure'])], 1, scoring, 'keep', ask));
    expect(one.asked).toEqual(['example in en|such a manner|Q|sure']);
    const needed = (more: object) => () =>
      feedbackSchema.parse({ teacher: { provider: 'local', model: 'builtin' }, examples: 2, ...more });
    expect(needed({ scorer: 'logprob' })).toThrow('files of seed tasks');
    expect(needed({ seeds: ['s.jsonl'] })).toThrow('the scorer logprob alone');
  });

  it('that are no numbers are failures', async () => {
    const found = await scores(['sure', 'broken'], scorer());
    expect(found?.candidates.map(({ problem }) => problem)).toEqual([undefined, 'failed']);
    expect(found?.unread[0]?.detail).toMatch(/expected a finite log-probability of an answer, got NaN for 7 tokens/);
  });
});
