import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../src/data/tasks.ts';
import { languageName, type Translation, translateTasks } from '../../src/generate/translate.ts';
import { lostInTranslation } from '../../src/generate/translation-check.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import type { Teacher } from '../../src/teacher/teacher.ts';
import { answer, fakeTeacher, temporaryFolder } from '../teacher/fixtures/make.ts';

let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger(join(temporaryFolder(), 'ledger.sqlite'));
});
afterEach(() => ledger.close());

const task = (id: string, instruction: string, input = ''): Task => ({ id, instruction, input, file: 'f', row: 1 });

async function collect(tasks: readonly Task[], teacher: Teacher, to = 'zh'): Promise<Translation[]> {
  const all: Translation[] = [];
  const ask = { teacher, ledger, stage: 'translation' };
  for await (const one of translateTasks(() => tasks, tasks.length, { to, maxTokens: 64 }, ask)) all.push(one);
  return all;
}

/** A teacher that replies by what stands in the prompt. */
const translator = (replies: Record<string, readonly string[]>) =>
  fakeTeacher({
    reply: async ({ messages }) => {
      const found = Object.entries(replies).find(([word]) => messages[0]?.content.includes(word))?.[1] ?? [];
      return answer(found[(messages.length - 1) / 2] ?? 'nothing');
    },
  });

describe('translateTasks', () => {
  it('takes JSON with both fields, fenced or not, and tells the teacher what was wrong', async () => {
    const teacher = translator({
      river: ['```json\n{"instruction": "说出一条河。", "input": ""}\n```'],
      lake: ['Sure! 说出一个湖。', '{"instruction": "说出一个湖。", "input": "在法国"}'],
      sea: ['{"instruction": "", "input": ""}', 'no'],
    });
    const tasks = [task('a', 'Name a river.'), task('b', 'Name a lake.', 'In France'), task('c', 'Name a sea.')];
    const [river, lake, sea] = await collect(tasks, teacher);
    expect(river?.task).toMatchObject({ id: 'a', instruction: '说出一条河。', input: '', language: 'zh' });
    expect(lake?.task).toMatchObject({ id: 'b', instruction: '说出一个湖。', input: '在法国' });
    expect(lake?.task?.calls).toHaveLength(2);
    expect(sea?.reject).toMatchObject({
      id: 'c',
      reason: 'no translation',
      detail: 'it is not one JSON object',
      text: 'no',
    });
    const [first] = ledger.lookup(river?.task?.calls ?? []).values();
    expect(first?.request.messages[0]?.content).toContain('into Simplified Chinese');
    expect(first?.request.messages[0]?.content).toContain('{"instruction":"Name a river.","input":""}');
  });

  it('asks again where numbers, code or the language were lost, or an input came from nowhere', async () => {
    const teacher = translator({
      1492: [
        '{"instruction": "那一年发生了什么？", "input": ""}',
        '{"instruction": "1492年发生了什么？", "input": ""}',
      ],
      grep: [
        '{"instruction": "`格雷普`是做什么的？", "input": ""}',
        '{"instruction": "`grep -r` 是做什么的？", "input": ""}',
      ],
      moon: [
        '{"instruction": "Why is the moon round?", "input": ""}',
        '{"instruction": "月亮为什么是圆的？", "input": ""}',
      ],
      sun: ['{"instruction": "太阳为什么亮？", "input": "太阳"}', '{"instruction": "太阳为什么亮？", "input": ""}'],
    });
    const tasks = [
      'What happened in 1492?',
      'What does `grep -r` do?',
      'Why is the moon round?',
      'Why does the sun shine?',
    ];
    const made = await collect(
      tasks.map((text, i) => task(`${i}`, text)),
      teacher,
    );
    expect(made.map((one) => [one.task?.calls.length, one.task?.instruction])).toEqual([
      [2, '1492年发生了什么？'],
      [2, '`grep -r` 是做什么的？'],
      [2, '月亮为什么是圆的？'],
      [2, '太阳为什么亮？'],
    ]);
  });
});

describe('what a translation lost', () => {
  const lost = (source: string, translation: string, to = 'zh') =>
    lostInTranslation({ instruction: source, input: '' }, { instruction: translation, input: '' }, to)?.detail;

  it.each([
    ['Add 12 and 5.', '把十二和五相加。', undefined], // small numbers are written out
    ['Add 120 and 5.', '把一百二十和五相加。', undefined], // so are others, and not lost by it
    ['Add 120 and 5.', '把一百零二和五相加。', '120 is missing'],
    ['A town of 1,000 people.', '一个有1000人的镇。', undefined],
    ['It costs $3.50.', '它要3.50美元。', undefined],
    ['It costs $3.50.', '它要3.55美元。', '3.50 is missing'],
    ['Run `ls`.', '运行ls。', undefined],
    ['Run `ls -l`.', '运行列表。', '"ls -l" is missing'],
    ['Fix:\n```py\nx = 1\n```', '修复：\n```py\nx = 1\n```', undefined],
  ])('%s → %s', (source, translation, detail) => {
    expect(lost(source, translation)).toBe(detail);
  });

  it('knows other languages by nothing but numbers and code', () => {
    expect(lost('Name 40 rivers.', 'Nenne 40 Flüsse.', 'de')).toBeUndefined();
    expect(lost('Name 40 rivers.', 'Nenne viele Flüsse.', 'de')).toBe('40 is missing');
  });
});

it('names languages in English, and refuses what is none', () => {
  expect(languageName('zh')).toBe('Simplified Chinese');
  expect(languageName('de')).toBe('German');
  expect(() => languageName('xx')).toThrow('expected the code of a language');
  expect(() => languageName('Chinese')).toThrow('"Chinese"');
});
