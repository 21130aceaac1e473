import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TeacherError, WorkError } from '../../src/base/errors.ts';
import type { Language } from '../../src/data/lints/language.ts';
import { classifyTasks, parseKinds, planClassification } from '../../src/generate/classification.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, overloaded, temporaryFolder } from '../teacher/fixtures/make.ts';

describe('parseKinds', () => {
  it.each<[string, Record<number, unknown>]>([
    ['1. labels: yes; no\n2. free', { 1: ['yes', 'no'], 2: 'free' }],
    ['Here you are:\n\n**1.** Labels: "Spam"; "Not spam".\n2) Free.', { 1: ['Spam', 'Not spam'], 2: 'free' }],
    ['1. labels: red, green, blue', { 1: ['red', 'green', 'blue'] }],
    ['1. labels: yes, gladly; no, thanks', { 1: ['yes, gladly', 'no, thanks'] }],
    ['1、标签：冷；热\n2. 自由。', { 1: ['冷', '热'], 2: 'free' }],
    ['1. labels: cold; cold; hot', { 1: ['cold', 'hot'] }],
    ['1. labels: cold', {}],
    ['1. labels:', {}],
    ['1. classification', {}],
    ['1. free\n1. labels: a; b\n2. free', { 2: 'free' }],
    ['free', {}],
    ['', {}],
  ])('of %j', (reply, kinds) => {
    expect(Object.fromEntries(parseKinds(reply))).toEqual(kinds);
  });
});

const instructions = (...texts: string[]) =>
  texts.map((text, i) => ({ id: `g-${i}`, text, language: 'en' as Language, call: `key ${i}` }));

describe('planClassification', () => {
  it('so many tasks a call, numbered, each on one line, behind a worked example', () => {
    const tasks = instructions('Sort:\n  1. b\n  2. a', 'Hot or cold?', 'Name a river.');
    const requests = planClassification(tasks, { language: 'en', tasksPerCall: 2, model: 'm' });
    expect(requests.map(({ messages }) => messages.at(-1)?.content)).toEqual([
      '1. Sort: 1. b 2. a\n2. Hot or cold?',
      '1. Name a river.',
    ]);
    const [first] = requests;
    expect(first).toMatchObject({ model: 'm', parameters: { maxTokens: 128, temperature: 0 }, sample: 0 });
    expect(first?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  });

  it.each(['en', 'zh'] as const)('our own example is one that can be read: %s', (language) => {
    const [request] = planClassification(instructions('x'), { language, tasksPerCall: 2, model: 'm' });
    const [shown = '', reply = ''] = request?.messages.map(({ content }) => content) ?? [];
    const numbers = [...shown.matchAll(/^(\d)\. /gm)].map(([, number]) => Number(number));
    const kinds = parseKinds(reply);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect([...kinds.keys()]).toEqual(numbers);
    expect([...kinds.values()].filter((kind) => kind !== 'free')).toHaveLength(3);
  });
});

describe('classifyTasks', () => {
  let ledger: Ledger;
  beforeEach(() => {
    ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
  });
  afterEach(() => ledger.close());

  const classify = (texts: readonly string[], teacher: Teacher, language: Language = 'en') => {
    const ask = { teacher, ledger, stage: 'classification', retry: { attempts: 1 } };
    return classifyTasks(instructions(...texts), { language, tasksPerCall: 2 }, ask);
  };
  /** Says, of the first task of a request, one thing after another. */
  const saying = (replies: Record<string, readonly (string | TeacherAnswer | TeacherError)[]>) => {
    const said: Record<string, number> = {};
    return fakeTeacher({
      reply: async ({ messages }) => {
        const name = /^1\. (.*)$/m.exec(messages[2]?.content as string)?.[1] as string;
        const reply = replies[name]?.[said[name] ?? 0] ?? new TeacherError('never heard of it');
        said[name] = (said[name] ?? 0) + 1;
        return typeof reply === 'string' ? answer(reply) : reply;
      },
    });
  };

  it('labels or none, with the calls behind them, in the order of the instructions', async () => {
    const teacher = saying({ 'Hot or cold?': ['1. labels: hot; cold\n2. free'], 'Name a sea.': ['1. free'] });
    const { tasks, rejects } = await classify(['Hot or cold?', 'Name a river.', 'Name a sea.'], teacher);
    expect(tasks.map(({ instruction, labels }) => [instruction.id, labels])).toEqual([
      ['g-0', ['hot', 'cold']],
      ['g-1', undefined],
      ['g-2', undefined],
    ]);
    expect(tasks.map(({ calls }) => calls[0])).toEqual(['key 0', 'key 1', 'key 2']);
    expect(tasks[0]?.calls[1]).toBe(tasks[1]?.calls[1]);
    expect(tasks[2]?.calls[1]).not.toBe(tasks[1]?.calls[1]);
    expect(rejects).toEqual([]);
  });

  it('tells which are missing, in the language of the tasks; what stays unclear is rejected, what is clear holds', async () => {
    const teacher = saying({
      a: ['1. labels: x\n2. free', '1. perhaps\n2. free', '2. free'],
      c: ['1. free', '1. free\n2. labels: x; y'],
    });
    const { tasks, rejects } = await classify(['a', 'b', 'c', 'd'], teacher, 'zh');
    expect(tasks.map(({ instruction, labels, calls }) => [instruction.text, labels, calls.length])).toEqual([
      ['b', undefined, 4],
      ['c', undefined, 3],
      ['d', ['x', 'y'], 3],
    ]);
    expect(rejects).toEqual([{ id: 'g-0', text: 'a', call: expect.any(String), reason: 'not classified' }]);
    const complaints = teacher.asked.flat().filter((text) => text.startsWith('这个答复无法使用'));
    expect(complaints.map((text) => /：(\d[\d, ]*)。/.exec(text)?.[1])).toEqual(['1', '2', '1']);
  });

  it('a reply that was cut off is asked for again, longer; its last line is not believed', async () => {
    const cut = (text: string): TeacherAnswer => ({ ...answer(text), finishReason: 'length' });
    const teacher = saying({
      a: [cut('1. free\n2. labels: x; y'), cut('1. free\n2. labels: x; y'), cut('1. free\n2. fr')],
    });
    const { tasks, rejects } = await classify(['a', 'b'], teacher);
    expect(tasks.map(({ instruction }) => instruction.text)).toEqual(['a']);
    expect(rejects).toMatchObject([{ text: 'b', reason: 'not classified' }]);
    const lengths = [...ledger.lookup(tasks[0]?.calls ?? []).values()].map(
      ({ request }) => request.parameters.maxTokens,
    );
    expect(lengths.sort((a, b) => a - b)).toEqual([128, 256, 512]);
  });

  it('a call that brings nothing rejects its tasks; a server that is down ends the whole', async () => {
    const { tasks, rejects } = await classify(['a', 'b', 'c'], saying({ c: ['1. free'] }));
    expect(tasks.map(({ instruction }) => instruction.text)).toEqual(['c']);
    expect(rejects.map(({ id, reason, detail }) => [id, reason, detail])).toEqual([
      ['g-0', 'no answer', 'never heard of it'],
      ['g-1', 'no answer', 'never heard of it'],
    ]);
    await expect(classify(['x', 'c'], saying({ x: [overloaded()] }))).rejects.toThrow(WorkError);
  });

  it('nothing to tell apart is nothing asked', async () => {
    const teacher = saying({});
    expect(await classify([], teacher)).toEqual({ tasks: [], rejects: [] });
    expect(teacher.asked).toEqual([]);
  });
});
