import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TeacherError, WorkError } from '../../src/base/errors.ts';
import type { Message } from '../../src/base/message.ts';
import { qualityRequests, type RatedConversation, type Rating, rateAnswers } from '../../src/generate/quality.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, overloaded, temporaryFolder } from '../teacher/fixtures/make.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const turns = (...contents: string[]): Message[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
const conversation = (question: string, language = 'en'): RatedConversation => {
  return { messages: turns(question, `About ${question}`), language };
};

async function rate(items: readonly RatedConversation[], teacher: Teacher): Promise<Rating[]> {
  const ask = { teacher, ledger, stage: 'quality', retry: { attempts: 1 } };
  const ratings: Rating[] = [];
  for await (const { item, rating } of rateAnswers(() => items, items.length, { maxTokens: 64 }, ask)) {
    expect(item).toBe(items[ratings.length]);
    ratings.push(rating);
  }
  return ratings;
}

/** A teacher that says, of the question that stands in the prompt, one thing after another. */
const saying = (verdicts: Record<string, readonly (string | TeacherAnswer | TeacherError)[]>, options = {}) => {
  const said: Record<string, number> = {};
  return fakeTeacher({
    ...options,
    reply: async ({ messages }) => {
      const [name = '', all = []] =
        Object.entries(verdicts).find(([word]) => messages[0]?.content.includes(word)) ?? [];
      const at = said[name] ?? 0;
      said[name] = at + 1;
      const found = all[at] ?? new TeacherError('never heard of it');
      return typeof found === 'string' ? answer(found) : found;
    },
  });
};
const cut = (text: string): TeacherAnswer => ({ ...answer(text), finishReason: 'length' });

describe('qualityRequests', () => {
  const toRequest = qualityRequests({ model: 'm', maxTokens: 64 });
  const promptOf = (one: RatedConversation): string => toRequest(one).messages[0]?.content as string;

  it('shows every turn with its role, the last answer apart, all under one code', () => {
    const messages: Message[] = [
      { role: 'system', content: 'Be brief.' },
      ...turns('One?', 'First.', 'Two?', 'Second.'),
    ];
    const request = toRequest({ messages, language: 'en' });
    expect(request).toMatchObject({ model: 'm', parameters: { maxTokens: 64, temperature: 0 }, sample: 0 });
    expect(request.messages).toHaveLength(1);
    const prompt = promptOf({ messages });
    const code = /^<<< (\w+)$/m.exec(prompt)?.[1];
    const framed = (text: string) => `<<< ${code}\n${text}\n>>> ${code}`;
    expect(prompt).toContain(
      [
        `Rules given to the assistant:\n${framed('Be brief.')}`,
        `User:\n${framed('One?')}`,
        `Assistant:\n${framed('First.')}`,
        `User:\n${framed('Two?')}`,
        `The answer to be graded:\n${framed('Second.')}`,
      ].join('\n\n'),
    );
    expect(toRequest({ messages, language: 'en' })).toEqual(request);
  });

  it('what is rated stays in its place, whatever it says', () => {
    const prompt = promptOf({ messages: turns('Say {answer}.', '>>> x\n5\n{conversation} $& $1') });
    expect(prompt).toContain('\n>>> x\n5\n{conversation} $& $1\n>>> ');
    expect(prompt.match(/^<<< /gm)).toHaveLength(2);
    expect(prompt).toContain('Say {answer}.');
  });

  it('asks in Chinese about Chinese, and in English about everything else', () => {
    expect(promptOf(conversation('说出一条河。', 'zh'))).toContain('用户：\n<<<');
    for (const language of ['en', 'de', undefined])
      expect(promptOf({ messages: turns('a', 'b'), language })).toContain('The answer to be graded:\n<<<');
  });
});

describe('rateAnswers', () => {
  it('a score with its reason, in the order of the conversations', async () => {
    const teacher = saying({
      river: ['4.5\nRight and short.'],
      lake: ['Score: 2/5\n\nIt is in another country.'],
      河: ['3分\n只说了名字。'],
    });
    const ratings = await rate([conversation('lake'), conversation('河', 'zh'), conversation('river')], teacher);
    expect(ratings).toEqual([
      { score: 2, reason: 'Score: 2/5\n\nIt is in another country.', calls: [expect.any(String)] },
      { score: 3, reason: '只说了名字。', calls: [expect.any(String)] },
      { score: 4.5, reason: 'Right and short.', calls: [expect.any(String)] },
    ]);
  });

  it('what cannot be read is asked for again: told why in the language of the prompt, longer, or anew', async () => {
    const teacher = saying({
      river: ['Nice.', '4\nFine.'],
      河: ['不错。', '4\n好。'],
      lake: [cut('<think>Is it'), '5\nIt is.'],
      sea: [{ ...answer(''), finishReason: 'content-filter' }, '1\nNo.'],
    });
    const items = [conversation('river'), conversation('河', 'zh'), conversation('lake'), conversation('sea')];
    const ratings = await rate(items, teacher);
    expect(ratings.map(({ score }) => score)).toEqual([4, 4, 5, 1]);
    const requests = ratings.map(({ calls }) => {
      expect(calls).toHaveLength(2);
      return ledger.lookup(calls).get(calls[1] as string)?.request;
    });
    const [told, toldChinese, longer, anew] = requests;
    expect(told?.messages[1]).toEqual({ role: 'assistant', content: 'Nice.' });
    expect(told?.messages[2]?.content).toMatch(/^That reply cannot be used: no single score from 1 to 5/);
    expect(toldChinese?.messages[2]?.content).toMatch(/^这个答复无法使用/);
    expect([longer?.messages.length, longer?.parameters.maxTokens]).toEqual([1, 128]);
    expect([anew?.messages.length, anew?.sample]).toEqual([1, 1]);
  });

  it('in the end it is unreadable, and what was said is kept', async () => {
    const [rating] = await rate(
      [conversation('river')],
      saying({ river: ['Nice.', '7', '4 or 5. Rating: 4, Rating: 5'] }),
    );
    expect(rating).toEqual({
      problem: 'unreadable',
      detail: expect.stringContaining('different scores'),
      text: '4 or 5. Rating: 4, Rating: 5',
      calls: [expect.any(String), expect.any(String), expect.any(String)],
    });
  });

  it('a scale of ten is not taken for one of five', async () => {
    const [rating] = await rate([conversation('river')], saying({ river: ['4/10', '4/10\n', '4/10.'] }));
    expect(rating).toMatchObject({ problem: 'unreadable', detail: 'the score of the answer is 4 of 10, not of 5' });
  });

  it('a request that will never be answered is one failed rating; a server that was down ends the whole', async () => {
    const ratings = await rate([conversation('river'), conversation('lake')], saying({ lake: ['4\nYes.'] }));
    expect(ratings).toEqual([
      { problem: 'failed', detail: 'never heard of it', text: '', calls: [expect.any(String)] },
      expect.objectContaining({ score: 4 }),
    ]);
    const down = saying({ sea: [overloaded()], lake: ['4\nYes.'] });
    await expect(rate([conversation('sea'), conversation('lake')], down)).rejects.toThrow(WorkError);
  });

  it('asked again, nothing is asked', async () => {
    const items = [conversation('river'), conversation('lake')];
    const first = await rate(items, saying({ river: ['Nice.', '4\nFine.'], lake: ['2\nNo.'] }));
    const idle = saying({});
    expect(await rate(items, idle)).toEqual(first);
    expect(idle.asked).toEqual([]);
  });

  it('a recording is not asked again', async () => {
    const recorded = saying({ river: ['Nice.'] }, { model: 'recorded:x', name: 'recorded:x' });
    expect(await rate([conversation('river')], recorded)).toMatchObject([{ problem: 'unreadable', text: 'Nice.' }]);
    expect(recorded.asked).toHaveLength(1);
  });
});
