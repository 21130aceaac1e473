import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TeacherError, TeacherSetupError } from '../../src/base/errors.ts';
import { readConversations, toMessagesJsonl } from '../../src/data/formats.ts';
import type { Conversation } from '../../src/data/records.ts';
import {
  answerGiven,
  answerInstructions,
  type GivenPrompt,
  type GivenSettings,
  planAnswerRequests,
} from '../../src/generate/answers.ts';
import type { GeneratedInstruction } from '../../src/generate/instructions.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { openRecorded } from '../../src/teacher/recorded.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, temporaryFolder } from '../teacher/fixtures/make.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const ask = (teacher: Teacher) => ({ teacher, ledger, stage: 'answers', retry: { attempts: 1 } });

/** A teacher that knows answers by the last turn. */
const knowing = (answers: Record<string, string | TeacherAnswer | TeacherError>) =>
  fakeTeacher({
    reply: async ({ messages }) => {
      const found = answers[messages.at(-1)?.content ?? ''] ?? new TeacherError('never heard of it');
      return typeof found === 'string' ? answer(found) : found;
    },
  });

const instruction = (id: string, text: string, language: 'en' | 'zh' = 'en'): GeneratedInstruction => ({
  id,
  text,
  language,
  call: `key of ${id}`,
});

describe('planAnswerRequests', () => {
  test('one request an instruction: the instruction as the user’s turn', () => {
    const plan = { model: 'm', maxTokens: 9, temperature: 0.5 };
    expect(planAnswerRequests([{ text: 'A' }, { text: 'B' }], plan)).toEqual(
      ['A', 'B'].map((content) => ({
        model: 'm',
        messages: [{ role: 'user', content }],
        parameters: { maxTokens: 9, temperature: 0.5 },
        sample: 0,
      })),
    );
  });

  test('examples stand before it', () => {
    const examples = [
      { role: 'user', content: 'Q' },
      { role: 'assistant', content: 'A' },
    ] as const;
    const [request] = planAnswerRequests([{ text: 'B' }], {
      model: 'm',
      maxTokens: 9,
      temperature: 0,
      topP: 0.9,
      examples,
    });
    expect(request?.messages).toEqual([...examples, { role: 'user', content: 'B' }]);
    expect(request?.parameters).toEqual({ maxTokens: 9, temperature: 0, topP: 0.9 });
  });
});

describe('answerInstructions', () => {
  const settings = { maxTokens: 100, temperature: 0 };

  test('conversations in the order of the plan, with the keys of both calls; what is rejected is told', async () => {
    const instructions = [
      instruction('g-0', 'Name a river.'),
      instruction('g-1', 'Name a very long river.'),
      instruction('g-2', 'Name a lake.'),
      instruction('g-3', '说出一条河。', 'zh'),
      instruction('g-4', 'Name a sea.'),
    ];
    const teacher = knowing({
      'Name a river.': ' The Ebro.\n',
      'Name a very long river.': { ...answer('The Ni'), finishReason: 'length' },
      'Name a lake.': 'As an AI, I have no lake.',
      '说出一条河。': '长江。',
    });
    const { conversations, rejects } = await answerInstructions(instructions, settings, ask(teacher));
    const keys = planAnswerRequests(instructions, { ...settings, model: 'test-model' }).map(requestKey);
    const provenance = (i: number) => {
      return { source: 'generated', teacher: 'fake:test-model', calls: [`key of g-${i}`, keys[i]] };
    };
    expect(conversations).toEqual([
      {
        id: 'g-0',
        language: 'en',
        messages: [
          { role: 'user', content: 'Name a river.' },
          { role: 'assistant', content: 'The Ebro.' },
        ],
        provenance: provenance(0),
      },
      {
        id: 'g-3',
        language: 'zh',
        messages: [
          { role: 'user', content: '说出一条河。' },
          { role: 'assistant', content: '长江。' },
        ],
        provenance: provenance(3),
      },
    ]);
    expect(rejects).toEqual([
      { id: 'g-1', text: 'The Ni', call: keys[1], reason: 'cut', detail: 'finish reason length' },
      { id: 'g-2', text: 'As an AI, I have no lake.', call: keys[2], reason: 'as an AI', detail: 'As an AI' },
      { id: 'g-4', text: '', call: keys[4], reason: 'no answer', detail: 'never heard of it' },
    ]);
  });

  test('examples are shown to the teacher and not to the student', async () => {
    const examples = [
      { role: 'user', content: 'Name a bird.' },
      { role: 'assistant', content: 'A wren.' },
    ] as const;
    const teacher = knowing({ 'Name a river.': 'The Ebro.' });
    const { conversations } = await answerInstructions(
      [instruction('g', 'Name a river.')],
      { ...settings, examples },
      ask(teacher),
    );
    expect(conversations[0]?.messages).toHaveLength(2);
    const [row] = ledger.lookup(conversations[0]?.provenance.calls?.slice(1) ?? []).values();
    expect(row?.request.messages.slice(0, 2)).toEqual(examples);
  });

  test('asked again, it costs nothing and gives the same', async () => {
    const instructions = [instruction('g-0', 'Name a river.'), instruction('g-1', 'Name a lake.')];
    const first = knowing({ 'Name a river.': 'The Ebro.', 'Name a lake.': 'Lake Como.' });
    const made = await answerInstructions(instructions, settings, ask(first));
    const second = knowing({});
    expect(await answerInstructions(instructions, settings, ask(second))).toEqual(made);
    expect([first.asked.length, second.asked.length]).toEqual([2, 0]);
  });

  test('a teacher that cannot work ends the whole', async () => {
    const teacher = knowing({ 'Name a river.': new TeacherSetupError('wrong key') });
    await expect(answerInstructions([instruction('g', 'Name a river.')], settings, ask(teacher))).rejects.toThrow(
      'wrong key',
    );
  });
});

describe('answerGiven', () => {
  const collect = async (given: readonly GivenPrompt[], settings: GivenSettings, teacher: Teacher) => {
    const [conversations, rejects]: [Conversation[], unknown[]] = [[], []];
    for await (const { conversation, reject } of answerGiven(() => given, given.length, settings, ask(teacher))) {
      if (conversation) conversations.push(conversation);
      else rejects.push([reject.id, reject.reason]);
    }
    return { conversations, rejects };
  };
  const prompts = [
    { id: 'one', prompt: 'Name a river.\n\nIn Spain', category: 'knowledge', file: 'given.json', row: 3 },
    { id: 'two', prompt: '说出一条河。' },
    { id: 'three', prompt: 'Name a lake.', language: 'fr' },
    { id: 'four', prompt: 'Name a sea.' },
  ];

  test('a recorded teacher answers what it knows; what is not recorded ends the stage', async () => {
    const file = join(temporaryFolder(), 'strong.jsonl');
    const rows = [
      { instruction: 'Name a river.', input: 'In Spain', output: 'The Ebro.' },
      { instruction: '说出一条河。', output: '长江。' },
      { instruction: 'Name a lake.', output: 'As an AI, I cannot swim in one, but Lake Como is one.' },
      { instruction: 'Name a sea.', output: '' },
    ];
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const given = [...prompts, { id: 'five', prompt: 'Name a bay.' }];
    const failing = collect(given, { maxTokens: 64 }, openRecorded(file));
    await expect(failing).rejects.toThrow(/1 of 5 calls to recorded:strong\.jsonl failed: .*"Name a bay\."/);
    const { conversations, rejects } = await collect(prompts, { maxTokens: 64 }, openRecorded(file));
    expect(
      conversations.map(({ id, language, category, messages }) => [id, language, category, messages[1]?.content]),
    ).toEqual([
      ['one', 'en', 'knowledge', 'The Ebro.'],
      ['two', 'zh', undefined, '长江。'],
      // The teacher's word is not filtered.
      ['three', 'fr', undefined, 'As an AI, I cannot swim in one, but Lake Como is one.'],
    ]);
    expect(conversations[0]?.provenance).toEqual({
      source: 'generated',
      file: 'given.json',
      row: 3,
      teacher: 'recorded:strong.jsonl',
      calls: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    });
    expect(rejects).toEqual([['four', 'empty']]);
  });

  test('requests are greedy, of one turn, sample 0', async () => {
    const teacher = knowing({ 'Name a sea.': 'The Baltic.' });
    const { conversations } = await collect(prompts.slice(3), { maxTokens: 64 }, teacher);
    const [row] = ledger.lookup(conversations[0]?.provenance.calls ?? []).values();
    expect(row?.request).toEqual({
      model: 'test-model',
      messages: [{ role: 'user', content: 'Name a sea.' }],
      parameters: { maxTokens: 64, temperature: 0 },
      sample: 0,
    });
  });

  test('what it makes can be written and read again', async () => {
    const teacher = knowing(Object.fromEntries(prompts.map(({ prompt }) => [prompt, `Answer to ${prompt}`])));
    const { conversations } = await collect(prompts, { maxTokens: 64 }, teacher);
    const file = join(temporaryFolder(), 'data.jsonl');
    writeFileSync(file, toMessagesJsonl(conversations));
    expect(readConversations(file)).toEqual(conversations);
  });

  test('an answer that ends at its limit is left out, asked for with more tokens, or kept and marked', async () => {
    const teacher = () =>
      fakeTeacher({
        reply: async ({ parameters: { maxTokens } }) =>
          maxTokens >= 200 ? answer('all of it') : { ...answer('half of'), finishReason: 'length' },
      });
    const one = prompts.slice(3);
    expect((await collect(one, { maxTokens: 50 }, teacher())).rejects).toEqual([['four', 'cut']]);
    const kept = (await collect(one, { maxTokens: 50, cut: 'keep' }, teacher())).conversations[0];
    expect(kept).toMatchObject({ messages: [{}, { content: 'half of' }], provenance: { cut: true } });
    const file = join(temporaryFolder(), 'kept.jsonl');
    writeFileSync(file, toMessagesJsonl([kept as Conversation]));
    expect(readConversations(file)).toEqual([kept]);
    const longer = (await collect(one, { maxTokens: 50, cut: 'longer' }, teacher())).conversations[0];
    expect(longer?.messages[1]?.content).toBe('all of it');
    expect(longer?.provenance.calls).toHaveLength(3); // 50, 100, 200
    expect(longer?.provenance.cut).toBeUndefined();
  });
});
