import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TeacherError } from '../../src/base/errors.ts';
import { askChecked, type Checked, type CheckedOptions } from '../../src/teacher/ask-checked.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, request, temporaryFolder } from './fixtures/make.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
});
afterEach(() => ledger.close());

/** Whole answers that are numbers. */
function toNumber({ text, finishReason }: TeacherAnswer): Checked<number> {
  if (finishReason === 'length') return { fault: { reason: 'cut', again: 'longer' } };
  if (finishReason === 'content-filter') return { fault: { reason: 'filtered', again: 'anew' } };
  if (text === '') return { fault: { reason: 'empty' } };
  const value = Number(text);
  return Number.isNaN(value)
    ? { fault: { reason: 'no number', detail: `"${text}" is no number`, again: 'told' } }
    : { value };
}

async function collect(texts: readonly string[], options: Partial<CheckedOptions> & Pick<CheckedOptions, 'teacher'>) {
  const rows: unknown[][] = [];
  const settings = { ledger, stage: 'numbers', ...options };
  const asking = { request: (text: string) => request(text), check: toNumber };
  for await (const { item, calls, result } of askChecked(() => texts, texts.length, asking, settings)) {
    rows.push([item, calls.length, result.fault?.reason ?? result.value]);
  }
  return rows;
}

it('asks again what is at fault, each in the way its fault asks for, and keeps the order', async () => {
  const teacher = fakeTeacher({
    concurrency: 3,
    reply: async ({ messages, parameters, sample }) => {
      const [first] = messages;
      switch (first?.content) {
        case 'long':
          return parameters.maxTokens >= 400 ? answer('4') : { ...answer('1'), finishReason: 'length' };
        case 'shy':
          return sample === 1 ? answer('5') : { ...answer(''), finishReason: 'content-filter' };
        case 'chatty':
          return messages.at(-1)?.content.startsWith('That reply cannot be used: "sure, 6" is no number.')
            ? answer('6')
            : answer('sure, 6');
        case 'empty':
          return answer('');
        case 'dead':
          return new TeacherError('gone');
        default:
          return answer('7');
      }
    },
  });
  const texts = ['long', 'fine', 'shy', 'chatty', 'empty', 'dead', 'chatty'];
  const expected = [
    ['long', 3, 4],
    ['fine', 1, 7],
    ['shy', 2, 5],
    ['chatty', 2, 6],
    ['empty', 1, 'empty'],
    ['dead', 1, 'no answer'],
    ['chatty', 2, 6],
  ];
  expect(await collect(texts, { teacher })).toEqual(expected);
  // All that was asked is stored: a second time nothing is asked but what failed.
  const asked = teacher.asked.length;
  expect(await collect(texts, { teacher })).toEqual(expected);
  expect(teacher.asked.length - asked).toBe(1);
});

it('ends after so many askings, and where an answer may be no longer', async () => {
  const cut = fakeTeacher({ reply: async () => ({ ...answer('1'), finishReason: 'length' }) });
  expect(await collect(['a'], { teacher: cut, askings: 5, mostTokens: 300 })).toEqual([['a', 3, 'cut']]); // 100, 200, 300
  const never = fakeTeacher({ reply: async () => answer('words') });
  expect(await collect(['b'], { teacher: never, askings: 3 })).toEqual([['b', 4, 'no number']]);
  expect(await collect(['c'], { teacher: never, askings: 0 })).toEqual([['c', 1, 'no number']]);
});

it('asks a recording once, which has no other answer, unless it is told to ask again', async () => {
  const model = 'recorded:0123456789ab';
  const collectRecorded = async (askings?: number) => {
    const teacher = fakeTeacher({ model, reply: async () => answer('words') });
    const asking = { request: (text: string) => request(text, 0, model), check: toNumber };
    const options = { ledger, stage: 'numbers', teacher, askings };
    const rows: unknown[][] = [];
    for await (const { calls, result } of askChecked(() => ['a'], 1, asking, options))
      rows.push([calls.length, result.fault?.reason]);
    return rows;
  };
  expect(await collectRecorded()).toEqual([[1, 'no number']]);
  expect(await collectRecorded(1)).toEqual([[2, 'no number']]);
});

it('tells the teacher in the words it is given, and shows its last reply alone', async () => {
  const seen: string[][] = [];
  const teacher = fakeTeacher({
    reply: async ({ messages }) => {
      seen.push(messages.map(({ content }) => content));
      return answer(`no ${seen.length}`);
    },
  });
  await collect(['a'], { teacher, complaint: ({ detail }) => `请重答：${detail}` });
  expect(seen).toEqual([
    ['a'],
    ['a', 'no 1', '请重答："no 1" is no number'],
    ['a', 'no 2', '请重答："no 2" is no number'],
  ]);
});
