import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { bestOfFile } from '../../recipes/best-of.ts';
import { rankFile } from '../../recipes/rank.ts';
import { readAnswerSets, readRankedRows } from '../../recipes/rank-input.ts';
import { writeGroups, writeTraining } from '../../recipes/rank-outputs.ts';
import { countRanks, type RankedRow, type RewardModel, rankSets } from '../../recipes/rank-rows.ts';
import { DataError, InterruptedError } from '../../src/base/errors.ts';
import type { Message } from '../../src/base/message.ts';
import { readConversations } from '../../src/data/formats.ts';
import type { LocalModel, LocalRequest } from '../../src/local/local-model.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-best-of-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'case-'));
  file = join(folder, 'best.jsonl');
});

const requests = ['a', 'b', 'c'].map(
  (key): LocalRequest => ({
    key,
    messages: [{ role: 'user', content: `Say ${key}.` }],
    maxTokens: 4,
    sampling: { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
    stop: [],
  }),
);

/** The k-th answer to a is "a k"; stops after so many in one call. */
function writer(stopAfter = Number.POSITIVE_INFINITY) {
  const asked: string[] = [];
  const model: LocalModel = {
    async answer(group, { onEvent } = {}) {
      const answers = group.map(({ key }) => {
        const [id, k] = key.split('#');
        return { text: `${id} ${k}`, finishReason: 'stop' as const, inputTokens: 1, outputTokens: 2 };
      });
      for (const [row, answer] of answers.entries()) {
        if (row === stopAfter) throw new InterruptedError();
        asked.push(group[row]!.key);
        onEvent?.({ row, answer });
      }
      return answers;
    },
    score: async () => [],
  };
  return { model, asked };
}

/** By the answer's text; what is not named has its number: "a 3" → 3. */
function rewardsBy(named: Readonly<Record<string, number>> = {}) {
  const seen: string[] = [];
  const model: RewardModel = {
    async rewards(conversations) {
      return conversations.map((turns) => {
        const text = (turns.at(-1) as Message).content;
        seen.push(text);
        return named[text] ?? Number(text.split(' ')[1]);
      });
    },
  };
  return { model, seen };
}

const options = (more: object = {}) => ({ file, batch: 2, settings: { model: 'fake' }, n: 3, ...more });
const rowsIn = (name: string) =>
  readFileSync(name, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as RankedRow & { reason?: string });

describe('bestOfFile', () => {
  it('keeps all answers in the order they were sampled, the best is the output', async () => {
    const rewards = rewardsBy({ 'b 1': 9 });
    const progress: number[] = [];
    const result = await bestOfFile(
      writer().model,
      rewards.model,
      requests,
      options({ onProgress: ({ done, total }: { done: number; total: number }) => progress.push(done / total) }),
    );
    expect(result).toEqual({ file, rows: 3, kept: 0, tokens: 18 });
    expect(rowsIn(file)).toEqual([
      {
        id: 'a',
        prompt: 'Say a.',
        output: 'a 3',
        finishReason: 'stop',
        reward: 3,
        candidates: [
          { text: 'a 1', finishReason: 'stop', reward: 1, rank: 3 },
          { text: 'a 2', finishReason: 'stop', reward: 2, rank: 2 },
          { text: 'a 3', finishReason: 'stop', reward: 3, rank: 1 },
        ],
      },
      expect.objectContaining({ id: 'b', output: 'b 1', reward: 9 }),
      expect.objectContaining({ id: 'c', output: 'c 3', reward: 3 }),
    ]);
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((done) => done / 9));
    // Nothing of the way there is left behind.
    expect(readdirSync(folder).sort()).toEqual(['best.jsonl', 'best.jsonl.settings.json']);
  });

  it('is killed while it samples, and asks again only for what is missing', async () => {
    const first = writer(4);
    const killed = bestOfFile(first.model, rewardsBy().model, requests, options());
    await expect(killed).rejects.toThrow(InterruptedError);
    expect(first.asked).toEqual(['a#1', 'a#2', 'a#3', 'b#1']);
    const again = writer();
    const rewards = rewardsBy();
    await bestOfFile(again.model, rewards.model, requests, options());
    expect(again.asked).toEqual(['b#2', 'b#3', 'c#1', 'c#2', 'c#3']);
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    await bestOfFile(writer().model, rewardsBy().model, requests, options());
    expect(readFileSync(file, 'utf8')).toBe(text);

    const done = writer();
    expect(await bestOfFile(done.model, rewards.model, requests, options())).toMatchObject({ kept: 3, tokens: 0 });
    expect(done.asked).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['best.jsonl', 'best.jsonl.settings.json']);
  });

  it('is killed while it scores, and samples nothing again', async () => {
    const broken: RewardModel = { rewards: () => Promise.reject(new InterruptedError()) };
    await expect(bestOfFile(writer().model, broken, requests, options())).rejects.toThrow(InterruptedError);
    const again = writer();
    await bestOfFile(again.model, rewardsBy().model, requests, options());
    expect(again.asked).toEqual([]);
    expect(rowsIn(file).map(({ output }) => output)).toEqual(['a 3', 'b 3', 'c 3']);
  });

  it('does not mix answers of other settings, of another n either', async () => {
    await bestOfFile(writer().model, rewardsBy().model, requests, options());
    const other = bestOfFile(writer().model, rewardsBy().model, requests, options({ n: 4 }));
    await expect(other).rejects.toThrow('made with other prompts or settings');
  });
});

describe('rankSets', () => {
  const set = (...texts: string[]) => ({
    id: 'x',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ] as const,
    answers: texts.map((text) => ({ text })),
  });

  it('puts what is empty or has no finite reward last, scores a text once, and breaks ties by order', async () => {
    const rewards = rewardsBy({ nan: Number.NaN, low: -5 });
    const rows = await rankSets(rewards.model, [set(' ', 'w 1', 'nan', 'low', 'v 1', 'w 1')]);
    expect(rewards.seen).toEqual(['w 1', 'nan', 'low', 'v 1']);
    expect(rows[0]).toMatchObject({
      prompt: 'Hi',
      conversation: [{ content: 'Be brief.' }, { content: 'Hi' }],
      output: 'w 1',
      reward: 1,
    });
    expect(rows[0]!.candidates.map(({ reward, rank }) => [reward, rank])).toEqual([
      [null, 5],
      [1, 1],
      [null, 6],
      [-5, 4],
      [1, 2],
      [1, 3],
    ]);
    expect(countRanks(rows)).toEqual({
      prompts: 1,
      candidates: 6,
      empty: 1,
      notFinite: 1,
      single: 0,
      allEqual: 0,
      meanBest: 1,
      meanAll: (1 - 5 + 1 + 1) / 4,
    });
  });

  it('asks nothing where all answers are empty, and counts groups of one and of one reward', async () => {
    const rewards = rewardsBy();
    const rows = await rankSets(rewards.model, [set(''), set('x 2', 'y 2')]);
    expect(rewards.seen).toEqual(['x 2', 'y 2']);
    expect(rows[0]).toMatchObject({ output: '', reward: null });
    expect(countRanks(rows)).toMatchObject({ single: 1, allEqual: 1, empty: 1 });
    expect(countRanks(await rankSets(rewards.model, [set('')]))).toMatchObject({ meanBest: null, meanAll: null });
  });
});

const write = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return join(folder, name);
};

describe('rankFile', () => {
  it('ranks candidates and comparisons, goes on where it was, and reads back what it wrote', async () => {
    const sets = readAnswerSets(
      write('candidates.jsonl', [
        { id: 1, instruction: 'Add.', input: '1 + 1', candidates: ['x 1', { text: 'y 7', source: 'm', score: 4 }] },
        {
          id: 'chat',
          prompt: 'Bye',
          language: 'en',
          conversation: [
            { role: 'user', content: 'Hi' },
            { role: 'assistant', content: 'Hello' },
            { role: 'user', content: 'Bye' },
          ],
          candidates: [{ text: 'z 3', finishReason: 'length' }],
        },
      ]),
    );
    expect(sets.map(({ id, messages, answers }) => [id, messages.length, answers.length])).toEqual([
      ['1', 1, 2],
      ['chat', 3, 1],
    ]);
    const rewards = rewardsBy();
    const rankOptions = { file, settings: {} };
    expect(await rankFile(rewards.model, sets, rankOptions)).toEqual({ file, rows: 2, kept: 0 });
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.indexOf('\n') + 9));
    expect(await rankFile(rewards.model, sets, rankOptions)).toMatchObject({ kept: 1 });
    expect(rewards.seen).toEqual(['x 1', 'y 7', 'z 3', 'z 3']);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(readRankedRows(file)).toEqual(rowsIn(file));
    expect(rowsIn(file)[0]).toMatchObject({
      prompt: 'Add.\n\n1 + 1',
      output: 'y 7',
      candidates: [{}, { source: 'm', score: 4 }],
    });
    // And what is ranked can be ranked again, by another model.
    expect(readAnswerSets(file).map(({ answers }) => answers.map((one) => one.text))).toEqual([
      ['x 1', 'y 7'],
      ['z 3'],
    ]);
  });

  it('takes comparisons with their scores and sources', () => {
    const comparisons = write('comparisons.jsonl', [
      {
        user_input: 'Hi',
        responses_and_scores: [
          { response: 'a', source: 's', score: 3 },
          { response: 'b', source: 't', score: 8 },
        ],
      },
    ]);
    expect(readAnswerSets(comparisons)).toMatchObject([
      {
        messages: [{ role: 'user', content: 'Hi' }],
        answers: [
          { text: 'a', source: 's', score: 3 },
          { text: 'b', source: 't', score: 8 },
        ],
      },
    ]);
  });

  it('names every broken row', () => {
    const broken = write('broken.jsonl', [
      { prompt: 'a', candidates: [] },
      { prompt: 'b', candidates: ['x', 7] },
      { prompt: 'c', candidates: [{ text: 'x', score: 'high' }], conversation: [{ role: 'assistant', content: 'x' }] },
      { prompt: 'd' },
    ]);
    expect(() => readAnswerSets(broken)).toThrow(DataError);
    for (const part of [
      ':1: candidates: expected a list of answers, got an empty one',
      ':2: candidates[1].text: expected a string, got nothing',
      ':3: candidates[0].score: expected a number, got a string',
      ':3: conversation: expected turns',
      ':4: candidates: expected a list of answers, got nothing',
    ])
      expect(() => readAnswerSets(broken)).toThrow(part);
    const unranked = write('unranked.jsonl', [{ prompt: 'a', candidates: ['x'] }]);
    expect(() => readRankedRows(unranked)).toThrow('candidates[0].reward: expected a number or null, got nothing');
  });
});

const ranked = (id: string, reward: number | null, more: Partial<RankedRow> = {}): RankedRow => ({
  id,
  prompt: `Say ${id}.`,
  output: `${id}!`,
  reward,
  candidates: [{ text: `${id}!`, reward, rank: 1 }],
  ...more,
});

describe('what ranked answers become', () => {
  it('a file for each rank', () => {
    const two = ranked('a', 2, {
      candidates: [
        { text: 'worse', reward: 1, rank: 2 },
        { text: 'better', reward: 2, rank: 1 },
      ],
    });
    const files = writeGroups(join(folder, 'groups'), [two, ranked('b', 5)]);
    expect(files.map((name) => rowsIn(name))).toEqual([
      [
        { id: 'a', prompt: 'Say a.', output: 'better', reward: 2 },
        { id: 'b', prompt: 'Say b.', output: 'b!', reward: 5 },
      ],
      [{ id: 'a', prompt: 'Say a.', output: 'worse', reward: 1 }],
    ]);
  });

  const rows = [
    ranked('a', 3, {
      conversation: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Say a.' },
      ],
      language: 'en',
    }),
    ranked('cut', 9, { finishReason: 'length' }),
    ranked('low', -1),
    ranked('none', null, { output: '' }),
    ranked('b', 2, { candidates: [{ text: 'b!', reward: 2, rank: 1, source: 'student' }] }),
    ranked('c', 1),
  ];

  it.each(['messages', 'alpaca'] as const)(
    'training data in the form %s that reads back, the rest with reasons',
    async (form) => {
      const target = join(folder, form === 'alpaca' ? 'train.json' : 'train.jsonl');
      const rejects = join(folder, 'rejected.jsonl');
      const selected = await writeTraining(rows, { file: target, form, minReward: 0, topShare: 0.4, rejects });
      expect(selected).toEqual({
        file: target,
        rejects,
        kept: 2,
        rejected: { 'cut answer': 1, 'below the least reward': 1, 'no reward': 1, 'not in the top share': 1 },
      });
      const read = readConversations(target);
      expect(read.map(({ id, language, messages }) => ({ id, language, messages }))).toEqual([
        {
          id: 'a',
          language: 'en',
          messages: [
            { role: 'system', content: 'Be brief.' },
            { role: 'user', content: 'Say a.' },
            { role: 'assistant', content: 'a!' },
          ],
        },
        {
          id: 'b',
          language: read[1]!.language,
          messages: [
            { role: 'user', content: 'Say b.' },
            { role: 'assistant', content: 'b!' },
          ],
        },
      ]);
      if (form === 'messages') expect(read[1]!.provenance).toMatchObject({ source: 'generated', teacher: 'student' });
      expect(rowsIn(rejects).map(({ id, reason }) => [id, reason])).toEqual([
        ['cut', 'cut answer'],
        ['low', 'below the least reward'],
        ['none', 'no reward'],
        ['c', 'not in the top share'],
      ]);
    },
  );

  it('keeps every whole answer where no threshold is given', async () => {
    const target = join(folder, 'all.jsonl');
    const { kept } = await writeTraining(rows, { file: target, form: 'messages', rejects: join(folder, 'r.jsonl') });
    expect(kept).toBe(4);
    expect(existsSync(target)).toBe(true);
  });
});
