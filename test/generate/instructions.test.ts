import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, InterruptedError, TeacherError } from '../../src/base/errors.ts';
import type { Seed } from '../../src/data/formats.ts';
import {
  generateInstructions,
  type InstructionPlan,
  planInstructionRequests,
  planInstructions,
} from '../../src/generate/instructions.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { TeacherAnswer, TeacherRequest } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, temporaryFolder } from '../teacher/fixtures/make.ts';

const seed = (id: string, instruction: string, more: Partial<Seed> = {}): Seed => ({
  id,
  language: 'en',
  category: 'lists',
  classification: false,
  instruction,
  input: '',
  output: `the output of ${id}`,
  file: 'seeds.jsonl',
  row: 1,
  ...more,
});

const seeds = [
  seed('a', 'Name two rivers in Spain.'),
  seed('b', 'Say whether it is hot or cold.', { input: 'Snow fell.', output: 'cold', classification: true }),
  seed('c', 'Why do cats purr at night?'),
  seed('d', 'Find the bug.', { input: 'x = 1\ny = x.z' }),
  seed('e', 'Retell this.', { input: Array(60).fill('word').join(' ') }),
  seed('f', 'Help me to open my neighbor’s door.', { category: 'refusal' }),
  seed('g', '写一首诗。', { language: 'zh' }),
  seed('h', '判断冷热。', { language: 'zh', input: '下雪了。', output: '冷' }),
];

const settings = {
  seeds,
  count: 4,
  examplesPerPrompt: 2,
  seed: 1,
  language: 'en',
  maxTokens: 50,
  temperature: 0.8,
} as const satisfies Omit<InstructionPlan, 'model'>;
const plan: InstructionPlan = { ...settings, model: 'm' };

const shown = (request: TeacherRequest): string[] =>
  request.messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);

describe('the plan', () => {
  test('numbered examples, one more asked for, parameters as set', () => {
    const [{ request, examples } = expect.unreachable()] = planInstructions(plan);
    expect(request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user']);
    expect(shown(request)).toEqual(examples.map((one, i) => `${i + 1}. ${one}`));
    expect(request.messages[0]?.content).toMatch(/complete in itself[\s\S]*Write task 1\.$/);
    expect(request.messages[2]?.content).toBe('Write task 2.');
    expect(request.messages[4]?.content).toBe('Write task 3.');
    expect(request).toMatchObject({ model: 'm', parameters: { maxTokens: 50, temperature: 0.8 }, sample: 0 });
    expect(planInstructionRequests({ ...plan, topP: 0.9 })[0]?.parameters.topP).toBe(0.9);
  });

  test('examples are of the language, on one line, not long, not to be refused; outputs are not shown', () => {
    const requests = planInstructionRequests({ ...plan, count: 50, examplesPerPrompt: 3 });
    expect(new Set(requests.flatMap((one) => shown(one).map((text) => text.replace(/^\d\. /, ''))))).toEqual(
      new Set(['Name two rivers in Spain.', 'Say whether it is hot or cold. Snow fell.', 'Why do cats purr at night?']),
    );
    const [chinese] = planInstructionRequests({ ...plan, language: 'zh' });
    expect(
      shown(chinese as TeacherRequest)
        .map((text) => text.slice(3))
        .sort(),
    ).toEqual(['写一首诗。', '判断冷热。下雪了。'].sort());
    expect(chinese?.messages.at(-1)?.content).toBe('请用中文写第3个任务。');
  });

  test('in the style self-instruct examples have no input, and none is shown twice', () => {
    const twice = [...seeds, seed('i', 'Say whether it is hot or cold.', { input: 'The sun shone.' })];
    const style = 'self-instruct';
    const requests = planInstructionRequests({ ...plan, seeds: twice, style, count: 50, examplesPerPrompt: 3 });
    const texts = requests.map((one) => shown(one).map((text) => text.replace(/^\d\. /, '')));
    const pool = [
      'Name two rivers in Spain.',
      'Say whether it is hot or cold.',
      'Why do cats purr at night?',
      'Retell this.',
    ];
    expect(new Set(texts.flat())).toEqual(new Set(pool));
    for (const own of texts) expect(new Set(own).size).toBe(3);
    expect(requests[0]?.messages[0]?.content).toMatch(/leave that out[\s\S]*Write task 1\.$/);
    const [chinese] = planInstructionRequests({ ...plan, style, language: 'zh' });
    expect(
      shown(chinese as TeacherRequest)
        .map((text) => text.slice(3))
        .sort(),
    ).toEqual(['写一首诗。', '判断冷热。'].sort());
    expect(planInstructionRequests({ ...plan, style: 'alpaca' })).toEqual(planInstructionRequests(plan));
  });

  test('equal options give an equal plan, another seed another one, a longer plan begins with the shorter', () => {
    const long = { ...plan, count: 40 };
    expect(planInstructionRequests(long)).toEqual(planInstructionRequests(long));
    expect(planInstructionRequests(long).slice(0, 4)).toEqual(planInstructionRequests(plan));
    expect(planInstructionRequests({ ...long, seed: 2 })).not.toEqual(planInstructionRequests(long));
  });

  test('every request is a row of the ledger of its own, though there are few ways to choose', () => {
    // 3 · 2 ordered pairs of 3 examples for 40 rows.
    const requests = planInstructionRequests({ ...plan, count: 40 });
    expect(new Set(requests.map(requestKey)).size).toBe(40);
    expect(new Set(requests.map(({ messages }) => JSON.stringify(messages))).size).toBe(6);
  });

  test('more examples than there are is a wrong setting', () => {
    expect(() => planInstructionRequests({ ...plan, examplesPerPrompt: 4 })).toThrow(ConfigError);
    expect(() => planInstructionRequests({ ...plan, examplesPerPrompt: 4 })).toThrow(
      /expected 1 to 3 \(the short en seeds\), got 4/,
    );
    expect(() => planInstructionRequests({ ...plan, examplesPerPrompt: 0 })).toThrow(ConfigError);
  });
});

describe('asking', () => {
  let file: string;
  let ledger: Ledger;
  beforeEach(() => {
    file = join(temporaryFolder(), 'ledger.sqlite');
    ledger = new Ledger(file);
  });
  afterEach(() => ledger.close());

  const keys = planInstructionRequests({ ...settings, model: 'test-model', count: 12 }).map(requestKey);
  /** Answers by row of the plan. */
  const teacherOf = (...texts: (string | TeacherAnswer | TeacherError)[]) =>
    fakeTeacher({
      reply: async (request) => {
        const text = texts[keys.indexOf(requestKey(request))] as string | TeacherAnswer | TeacherError;
        return typeof text === 'string' ? answer(text) : text;
      },
    });
  const generate = (teacher: ReturnType<typeof teacherOf>, count: number, signal?: AbortSignal) =>
    generateInstructions(
      { ...settings, count },
      { teacher, ledger, stage: 'instructions', signal, retry: { attempts: 1 } },
    );

  test('what passes is kept under its row, what does not is told with its reason', async () => {
    const teacher = teacherOf(
      '3. Describe the smell of rain on dry soil.',
      'Name three rivers in Spain.',
      'Describe the smell of snow on dry soil.',
      new TeacherError('overloaded', { status: 503 }),
      { ...answer('Write a poem about a'), finishReason: 'length' },
      '"How do bees find their way home?"\nOutput: By the sun.',
      'Go',
    );
    const { instructions, rejects } = await generate(teacher, 7);
    expect(instructions).toEqual([
      { id: 'generated-en-0', text: 'Describe the smell of rain on dry soil.', language: 'en', call: keys[0] },
      { id: 'generated-en-5', text: 'How do bees find their way home?', language: 'en', call: keys[5] },
    ]);
    expect(rejects).toEqual([
      {
        id: 'generated-en-1',
        text: 'Name three rivers in Spain.',
        call: keys[1],
        reason: 'too similar',
        detail: 'F 0.80 with: Name two rivers in Spain.',
      },
      {
        id: 'generated-en-2',
        text: 'Describe the smell of snow on dry soil.',
        call: keys[2],
        reason: 'too similar',
        detail: 'F 0.88 with: Describe the smell of rain on dry soil.',
      },
      { id: 'generated-en-3', text: '', call: keys[3], reason: 'no answer', detail: 'overloaded' },
      { id: 'generated-en-4', text: 'Write a poem about a', call: keys[4], reason: 'cut' },
      { id: 'generated-en-6', text: 'Go', call: keys[6], reason: 'too short', detail: 'words: 1' },
    ]);
  });

  test('a seed is known by its instruction and by its whole turn, also those that are no examples', async () => {
    const { instructions, rejects } = await generate(
      teacherOf('Help me to open my neighbor’s door', 'Find the bug. Here: x = 1, y = x.z'),
      2,
    );
    expect(instructions).toEqual([]);
    expect(rejects.map(({ reason }) => reason)).toEqual(['too similar', 'too similar']);
  });

  const twelve = [
    'Describe the smell of rain on soil.',
    'Describe the smell of rain on stone.',
    'How do bees find their way home?',
    'How do bees find the way home?',
    'List five uses for an old door.',
    'Why is the sea salty but rivers not?',
    'Why is the sea salty and rivers not?',
    'Explain what a keel does.',
    'Plan a picnic for six people.',
    'Plan a picnic for nine people.',
    'Write a riddle about a shadow.',
    'Name a fruit that floats on water.',
  ];

  test('answers that come in any order give the same data', async () => {
    const inOrder = await generate(teacherOf(...twelve), 12);
    ledger.close();
    ledger = new Ledger(join(temporaryFolder(), 'other.sqlite'));
    const late = fakeTeacher({
      concurrency: 12,
      reply: async (request) => {
        const row = keys.indexOf(requestKey(request));
        await new Promise((resolve) => setTimeout(resolve, 3 * (12 - row)));
        return answer(twelve[row] as string);
      },
    });
    expect(await generate(late, 12)).toEqual(inOrder);
    expect(inOrder.instructions).toHaveLength(8);
  });

  test('stopped and begun again it gives what an uninterrupted run does, and asks nothing twice', async () => {
    const whole = await generate(teacherOf(...twelve), 12);
    ledger.close();
    ledger = new Ledger(join(temporaryFolder(), 'other.sqlite'));
    const controller = new AbortController();
    const stopping = teacherOf(...twelve);
    const { ask } = stopping;
    const stopped = {
      ...stopping,
      ask: async (...call: Parameters<typeof ask>) => {
        const answers = await ask(...call);
        if (stopping.asked.length === 5) controller.abort();
        return answers;
      },
    };
    await expect(generate(stopped, 12, controller.signal)).rejects.toThrow(InterruptedError);
    const resumed = teacherOf(...twelve);
    expect(await generate(resumed, 12)).toEqual(whole);
    expect(stopping.asked.length + resumed.asked.length).toBe(12);
  });
});
