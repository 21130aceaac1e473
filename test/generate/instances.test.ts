import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TeacherError, WorkError } from '../../src/base/errors.ts';
import type { Language } from '../../src/data/lints/language.ts';
import type { ClassifiedTask } from '../../src/generate/classification.ts';
import { type InstanceSettings, makeInstances, planInstances } from '../../src/generate/instances.ts';
import { parseInput, parseInstance } from '../../src/generate/parse-instance.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, overloaded, temporaryFolder } from '../teacher/fixtures/make.ts';

const task = (id: string, text: string, labels?: readonly string[], language: Language = 'en'): ClassifiedTask => {
  return { instruction: { id, text, language, call: `key of ${id}` }, labels, calls: [`key of ${id}`, 'decision'] };
};
const river = task('r', 'Name a river in the country.');
const cold = task('c', 'Is it hot or cold?', ['hot', 'cold', 'mild']);
const settings: InstanceSettings = {
  ...{ language: 'en', instances: 1, maxTokens: 64, temperature: 0.7, topP: 0.9, seed: 1 },
};
const plan = { ...settings, model: 'm' };

describe('planInstances', () => {
  it('one instance a task, greedy: input first where the task is free, else for a label that is drawn', () => {
    const [free, labelled] = planInstances([river, cold], plan);
    expect(free).toMatchObject({ id: 'r', label: undefined });
    expect(free?.request).toMatchObject({ model: 'm', parameters: { maxTokens: 64, temperature: 0 }, sample: 0 });
    expect(free?.request.parameters).not.toHaveProperty('topP');
    expect(free?.request.messages.at(-1)?.content).toBe('Task: Name a river in the country.');
    expect(cold.labels).toContain(labelled?.label);
    expect(labelled?.request.messages.at(-1)?.content).toBe(`Task: Is it hot or cold?\nLabel: ${labelled?.label}`);
  });

  it('of several instances free ones are samples, labels are all used before one comes again', () => {
    const planned = planInstances([river, cold], { ...plan, instances: 5 });
    expect(planned.map(({ id }) => id)).toEqual(['r', 'c'].flatMap((id) => [0, 1, 2, 3, 4].map((i) => `${id}-${i}`)));
    const [free, labelled] = [planned.slice(0, 5), planned.slice(5)];
    expect(free.map(({ request }) => request.sample)).toEqual([0, 1, 2, 3, 4]);
    expect(free[0]?.request.parameters).toEqual({ maxTokens: 64, temperature: 0.7, topP: 0.9 });
    const labels = labelled.map(({ label }) => label);
    expect(new Set(labels.slice(0, 3))).toEqual(new Set(cold.labels));
    expect(labels.slice(3)).toEqual(labels.slice(0, 2));
    expect(labelled.map(({ request }) => request.sample)).toEqual([0, 0, 0, 1, 1]);
    expect(new Set(planned.map(({ request }) => requestKey(request))).size).toBe(10);
  });

  it('labels are drawn evenly over tasks, the same for a seed, whatever other tasks there are', () => {
    const tasks = Array.from({ length: 300 }, (_, i) => task(`t-${i}`, 'x', ['a', 'b', 'c']));
    const labels = planInstances(tasks, plan).map(({ label }) => label);
    for (const label of ['a', 'b', 'c']) expect(labels.filter((one) => one === label).length).toBeGreaterThan(75);
    expect(planInstances(tasks.slice(100), plan).map(({ label }) => label)).toEqual(labels.slice(100));
    expect(planInstances(tasks, { ...plan, seed: 2 }).map(({ label }) => label)).not.toEqual(labels);
  });

  it.each(['en', 'zh'] as const)('our own examples can be read, and are of the language: %s', (language) => {
    const tasks = [river, cold];
    const [free, labelled] = planInstances(tasks, { ...plan, language }).map(({ request }) => request.messages);
    const replies = (messages: typeof free) => messages?.filter(({ role }) => role === 'assistant') ?? [];
    expect(replies(free).map(({ content }) => parseInstance(content)?.output !== '')).toEqual([true, true, true]);
    expect(replies(free).map(({ content }) => parseInstance(content)?.input === '')).toEqual([false, true, false]);
    expect(replies(labelled).every(({ content }) => (parseInput(content)?.length ?? 0) > 10)).toBe(true);
    const task = language === 'zh' ? '任务：' : 'Task: ';
    expect(free?.at(-1)?.content).toBe(`${task}Name a river in the country.`);
    for (const { content } of [...replies(free), ...replies(labelled)])
      expect(/\p{Script=Han}/u.test(content)).toBe(language === 'zh');
  });
});

describe('makeInstances', () => {
  let ledger: Ledger;
  beforeEach(() => {
    ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
  });
  afterEach(() => ledger.close());

  const make = (tasks: readonly ClassifiedTask[], teacher: Teacher, more: Partial<InstanceSettings> = {}) =>
    makeInstances(tasks, { ...settings, ...more }, { teacher, ledger, stage: 'instances', retry: { attempts: 1 } });
  /** Replies to what is asked last of a task or label, or of a sample of it, one after another. */
  const replying = (replies: Record<string, readonly (string | TeacherAnswer | TeacherError)[]>) => {
    const said: Record<string, number> = {};
    return fakeTeacher({
      reply: async ({ messages }) => {
        const asked = messages.filter(({ content }) => content.includes('Task: ')).at(-1)?.content as string;
        const [name = '', all = []] = Object.entries(replies).find(([word]) => asked.endsWith(word)) ?? [];
        const reply = all[said[name] ?? 0] ?? new TeacherError('never heard of it');
        said[name] = (said[name] ?? 0) + 1;
        return typeof reply === 'string' ? answer(reply) : reply;
      },
    });
  };

  it('conversations of the instruction with its input, and the output or label', async () => {
    const sea = task('s', 'Why is the sea salty?');
    const only = task('c', 'Is it hot or cold?', ['hot', 'hot again']);
    const teacher = replying({
      'country.': ['Input: Spain\nOutput: The Ebro.'],
      'Label: hot': ['Input: The tar melts.'],
      'Label: hot again': ['Input: The tar melts.'],
      'salty?': ['Input: none\nOutput: Rivers carry salt into it.'],
    });
    const { conversations, rejects } = await make([river, only, sea], teacher);
    expect(rejects).toEqual([]);
    expect(
      conversations.map(({ id, category, messages }) => [id, category, ...messages.map(({ content }) => content)]),
    ).toEqual([
      ['r', undefined, 'Name a river in the country.\n\nSpain', 'The Ebro.'],
      ['c', 'classification', 'Is it hot or cold?\n\nThe tar melts.', expect.stringMatching(/^hot/)],
      ['s', undefined, 'Why is the sea salty?', 'Rivers carry salt into it.'],
    ]);
    expect(conversations[0]?.provenance).toEqual({
      source: 'generated',
      teacher: 'fake:test-model',
      calls: ['key of r', 'decision', expect.any(String)],
    });
    expect(conversations[0]?.language).toBe('en');
  });

  it('what cannot be read or was cut is asked for again, each in its way', async () => {
    const cut = (text: string): TeacherAnswer => ({ ...answer(text), finishReason: 'length' });
    const teacher = replying({
      'country.': ['The Ebro.', 'Input: Spain\nOutput: The Ebro.'],
      'Label: cold': ['Snow fell.', 'Input: Snow fell.'],
      'salty?': [cut('Input: none\nOutput: Riv'), 'Input: none\nOutput: Rivers.'],
    });
    const labelled = task('c', 'Is it?', ['cold', 'cold']);
    const { conversations, rejects } = await make([river, labelled, task('s', 'Why is the sea salty?')], teacher);
    expect([conversations.length, rejects]).toEqual([3, []]);
    const asked = conversations.map(({ provenance }) => ledger.lookup(provenance.calls ?? []));
    const again = asked.map((rows, i) => rows.get(conversations[i]?.provenance.calls?.at(-1) as string)?.request);
    expect(again[0]?.messages.at(-1)?.content).toContain('one that begins with "Output:"');
    expect(again[1]?.messages.at(-1)?.content).toContain('nothing but the input');
    expect(again[2]?.parameters.maxTokens).toBe(128);
  });

  it('rejects with reason and text what is no instance, and holds instances of a task against each other', async () => {
    const two = (reply: string) => [reply, reply.replace('Ebro', 'Tagus')];
    const teacher = replying({
      'country.': two('Input: Spain\nOutput: The Ebro.'),
      'Label: x': ['Input: none', 'Input: alone'],
      'Why?': ['Input: none\nOutput: So.', 'Input: none\nOutput: Because.'],
      'What?': ['no', 'no', 'no', 'no', 'no', 'no'],
      'Who?': [],
    });
    const tasks = [river, task('x', 'X?', ['x']), task('y', 'Why?'), task('z', 'What?'), task('n', 'Who?')];
    const { conversations, rejects } = await make(tasks, teacher, { instances: 2 });
    expect(conversations.map(({ id }) => id)).toEqual(['x-1', 'y-0']);
    expect(rejects.map(({ id, reason, detail }) => [id, reason, detail])).toEqual([
      ['r-0', 'same input, another output', undefined],
      ['r-1', 'same input, another output', undefined],
      ['x-0', 'no input', undefined],
      ['y-1', 'same input, another output', undefined],
      ['z-0', 'unreadable', 'expected an input and an output'],
      ['z-1', 'unreadable', 'expected an input and an output'],
      ['n-0', 'no answer', 'never heard of it'],
      ['n-1', 'no answer', 'never heard of it'],
    ]);
    expect(rejects.map(({ text }) => text)).toEqual(
      expect.arrayContaining(['Input: Spain\nOutput: The Tagus.', 'Input: none', 'no', '']),
    );
  });

  it('the worked examples are no instances', async () => {
    const copying = fakeTeacher({ reply: async ({ messages }) => answer(messages[1]?.content as string) });
    const { conversations, rejects } = await make([river, cold], copying);
    expect(conversations).toEqual([]);
    expect(rejects.map(({ reason }) => reason)).toEqual(['copy of an example', 'copy of an example']);
  });

  it('asked again it costs nothing; a server that is down ends the whole', async () => {
    const first = await make([river], replying({ 'country.': ['The Ebro.', 'Input: Spain\nOutput: The Ebro.'] }));
    const idle = replying({});
    expect(await make([river], idle)).toEqual(first);
    expect(idle.asked).toEqual([]);
    const down = replying({
      'Label: hot': [overloaded()],
      'Label: cold': [overloaded()],
      'Label: mild': [overloaded()],
    });
    await expect(make([river, cold], down)).rejects.toThrow(WorkError);
  });
});
