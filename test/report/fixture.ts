/** A run's report input, made up by a seeded generator: the same every time, with all parts there unless told otherwise. */
import { Rng } from '../../src/base/rng.ts';
import { rougeOf } from '../../src/evaluate/rouge.ts';
import type { EvaluationRow, JudgeScores } from '../../src/evaluate/rows.ts';
import { summarize } from '../../src/evaluate/summary.ts';
import type { ReportInput } from '../../src/report/report-input.ts';

interface Task {
  readonly category: string;
  readonly prompt: string;
  readonly reference: string;
  readonly before: string;
  readonly after: string;
}

const english: readonly Task[] = [
  {
    category: 'classification',
    prompt:
      'Which school subject does this passage belong to? Answer with the subject alone.\n\nThe tide rises twice a day because the moon pulls on the near side of the sea more than on the far side.',
    reference: 'Physics',
    before: 'The passage is about the tide and the moon, and it belongs to the subject of the tide and the moon.',
    after: 'Physics',
  },
  {
    category: 'explanation',
    prompt: 'Why does bread go stale faster in the refrigerator than on the counter?',
    reference:
      'Staling is mostly starch turning back into crystals, not drying. That happens fastest a little above freezing, which is just where a refrigerator sits. On the counter it is slower, and in the freezer it almost stops.',
    before:
      'Bread goes stale faster in the refrigerator because the refrigerator is cold. The refrigerator is cold. The refrigerator is cold. The refrigerator is cold.',
    after:
      'Bread goes stale when its starch turns into crystals. This happens fastest in the cold, a little above freezing, so the refrigerator makes it stale sooner than the counter does.',
  },
  {
    category: 'code',
    prompt: 'Write a Python function that returns the largest even number in a list, or None if there is none.',
    reference:
      '```python\ndef largest_even(numbers):\n    evens = [n for n in numbers if n % 2 == 0]\n    return max(evens) if evens else None\n```\nIt keeps the even numbers and takes the greatest.',
    before: 'def largest_even(numbers):\n    return max(numbers)',
    after:
      '```python\ndef largest_even(numbers):\n    evens = [n for n in numbers if n % 2 == 0]\n    if not evens:\n        return None\n    return max(evens)\n```',
  },
  {
    category: 'maths',
    prompt: 'A train leaves at 14:50 and the journey takes 2 hours 35 minutes. When does it arrive?',
    reference: '14:50 + 2 h = 16:50\n16:50 + 35 min = 17:25\nAnswer: 17:25',
    before: 'The train arrives at 14:50.',
    after: '14:50 + 2 h 35 min = 17:25\nAnswer: 17:25',
  },
  {
    category: 'rewriting',
    prompt:
      'Make this sentence shorter without losing its meaning.\n\nIt is necessary that all of the participants be present at the start of the meeting.',
    reference: 'All participants must be present when the meeting starts.',
    before: 'It is necessary that all of the participants be present at the start of the meeting.',
    after: 'All participants must be there when the meeting starts.',
  },
  {
    category: 'lists',
    prompt: 'Name four things to check before a long bicycle ride.',
    reference: '- Tire pressure\n- Brakes\n- Chain and oil\n- Lights and a spare tube',
    before: '1. Check the bicycle.\n2. Check the bicycle.\n3. Check the bicycle.\n4. Check the bicycle.',
    after: '- Air in the tires\n- Brakes\n- Chain\n- Water and a spare tube',
  },
  {
    category: 'extraction',
    prompt: 'Which month is named in this note?\n\nThe roof was mended in October, long after the storm.',
    reference: 'October, long after the storm',
    before: '',
    after: 'October',
  },
];

const chinese: readonly Task[] = [
  {
    category: 'explanation',
    prompt: '为什么冬天说话时嘴边会有白气？',
    reference: '呼出的气又暖又湿，遇到冷空气，其中的水汽很快凝成小水滴，看上去就是一团白气。',
    before: '冬天冬天冬天冬天冬天冬天冬天',
    after: '因为呼出的气里有水汽，遇到冷空气就变成小水滴，看起来是白色的。',
  },
  {
    category: 'classification',
    prompt: '判断这条留言的态度，只回答“好评”“中评”或“差评”。\n\n面很筋道，就是汤有点咸，总体还行。',
    reference: '中评',
    before: '好的，我来回答你的问题。',
    after: '中评',
  },
  {
    category: 'maths',
    prompt: '一支铅笔三元，买五支付二十元，应找回多少？',
    reference: '3 × 5 = 15（元）\n20 − 15 = 5（元）\n答：5元',
    before: '二十元',
    after: '3 × 5 = 15\n20 − 15 = 5\n答：5元',
  },
  {
    category: 'letters',
    prompt: '写一张请假条：明天要去医院，请假一天。',
    reference: '王老师：\n我明天要去医院看病，不能到校，特请假一天，请批准。\n学生：小林',
    before: '我明天去医院。我明天去医院。',
    after: '老师：\n我明天要去医院，不能来上课，请假一天，请批准。',
  },
];

function makeRow(task: Task, language: string, number: number, rng: Rng, judged: boolean): EvaluationRow {
  const { prompt, reference, before, category } = task;
  // Not every answer gets better: one in five stays as it was.
  const after = rng.uniform() < 0.2 ? before : task.after;
  const rouge = (candidate: string) => rougeOf({ reference, candidate }).rougeL;
  const tokens = Math.max(2, Math.round(reference.length / (language === 'zh' ? 0.8 : 4)));
  const loss = (language === 'zh' ? 3.4 : 2.1) + 0.5 * rng.uniform();
  const likelihood = (answer: string, level: number) => {
    const length = Math.max(1, Math.round(answer.length / 4));
    return { sum: -length * (level + 0.6 * rng.uniform()), tokens: length };
  };
  const likelihoodBefore = likelihood(before, 1.5);
  return {
    id: `${language}-${String(number + 1).padStart(3, '0')}`,
    language,
    category,
    prompt,
    reference,
    before: { text: before, finishReason: number % 6 === 1 ? 'length' : 'stop' },
    after: { text: after, finishReason: 'stop' },
    referenceBefore: { sum: -tokens * loss, tokens },
    referenceAfter: { sum: -tokens * (loss - 0.3 * rng.uniform() + (language === 'zh' ? 0.3 : 0)), tokens },
    rougeBefore: rouge(before),
    rougeAfter: rouge(after),
    judge: judged ? [verdict(rng, number, 'first', 1), verdict(rng, number, 'second', -1)] : [],
    teacherBefore: judged ? likelihoodBefore : undefined,
    teacherAfter: judged ? (after === before ? likelihoodBefore : likelihood(after, 1.2)) : undefined,
  };
}

/** A judge that likes what it is shown first, and now and then says nothing that can be read. */
function verdict(rng: Rng, number: number, order: string, bias: number): JudgeScores {
  const call = `call-${number}-${order}`;
  if (rng.uniform() < 0.12) {
    const problem = { kind: 'unreadable', reason: 'expected two scores, found none' } as const;
    return { before: undefined, after: undefined, problem, raw: 'Both answers are good answers.', call };
  }
  const before = Math.min(10, Math.max(1, 5 + bias + rng.int(4)));
  const after = Math.min(10, Math.max(1, 5 - bias + rng.int(4)));
  return { before, after, raw: `${before} ${after}`, call };
}

export interface FixtureOptions {
  readonly english?: number;
  readonly chinese?: number;
  readonly judged?: boolean;
  readonly steps?: number;
}

const made = new Map<string, ReportInput>();

/** Made once for each set of options: most of the time goes into ten thousand draws for each interval. */
export function makeInput(options: FixtureOptions = {}): ReportInput {
  const key = JSON.stringify(options);
  const input = made.get(key) ?? makeNewInput(options);
  made.set(key, input);
  return input;
}

export function makeNewInput(options: FixtureOptions = {}): ReportInput {
  const { english: numEnglish = 60, chinese: numChinese = 24, judged = true, steps = 120 } = options;
  const rng = new Rng('report fixture', 1);
  const rows = [
    ...Array.from({ length: numEnglish }, (_, i) => makeRow(english[i % english.length]!, 'en', i, rng, judged)),
    ...Array.from({ length: numChinese }, (_, i) => makeRow(chinese[i % chinese.length]!, 'zh', i, rng, judged)),
  ];
  return {
    title: 'SmolLM2-135M taught by SmolLM2-135M-Instruct',
    finishedAt: '2025-11-22T15:04:05.678Z',
    provenance: [
      'The student SmolLM2-135M (base) was taught by the embedded teacher builtin:smollm2-135m-instruct.',
      'No answer in this report was written by GPT-4 or any other large model, and nothing was sent over a network.',
      'It shows that the machinery works, not how good a student of a strong teacher would be.',
    ],
    versions: { understudy: '0.1.0', node: '20.20.0', libtorch: '2.13.0+cpu', commit: '30c9eea' },
    config: {
      student: { model: 'models/smollm2-135m', dtype: 'bfloat16' },
      teacher: { name: 'builtin:smollm2-135m-instruct', apiKeyEnv: 'TEACHER_API_KEY', temperature: 0.7 },
      sft: { learningRate: 2e-4, epochs: 3, batchTokens: 4096, maxTokens: 1024, seed: 1 },
    },
    data: [statistics(rng)],
    training: {
      log: Array.from({ length: steps }, (_, i) => ({
        step: i + 1,
        epoch: 1 + Math.floor((3 * i) / steps),
        loss: 1.45 + 1.3 * Math.exp(-i / 25) + 0.25 * (rng.uniform() - 0.5),
        gradNorm: 0.8 + 2 * Math.exp(-i / 10) + 0.2 * rng.uniform(),
        learningRate: i < 6 ? (2e-4 * (i + 1)) / 6 : 1e-4 * (1 + Math.cos((Math.PI * (i - 6)) / (steps - 6))),
        tokens: 3800 * (i + 1),
      })),
      documents: 412,
      trainedTokens: 3800 * steps,
      labelTokens: 2650 * steps,
      cut: 3,
      dropped: 2,
      seconds: 1234.5,
      parameters: 134_515_008,
      dtype: 'bfloat16',
    },
    evaluation: { summary: summarize(rows), rows },
    costs: judged ? costs : [],
  };
}

function statistics(rng: Rng): ReportInput['data'][number] {
  const categories = ['explanation', 'classification', 'rewriting', 'code', 'lists', 'maths', 'letters', 'extraction'];
  const byCategory = Object.fromEntries([...categories, '问答'].map((name) => [name, 20 + rng.int(60)]));
  const rows = Object.values(byCategory).reduce((sum, number) => sum + number, 0);
  return {
    name: 'generated',
    rows,
    byLanguage: { en: rows - 131, zh: 131 },
    byCategory,
    answerLength: { mean: 46.25, median: 38, p95: 112, max: 139 },
    teacher: 'builtin:smollm2-135m-instruct',
    rejected: { 'too similar': 57, 'too short': 12, 'wrong language': 9 },
    figures: figures(rows),
  };
}

function figures(rows: number): NonNullable<ReportInput['data'][number]['figures']> {
  const verbNouns = (pairs: readonly (readonly [string, string, number])[]) => {
    const listed = pairs.map(([verb, noun, count]) => ({ verb, noun, count }));
    const withPair = listed.reduce((sum, { count }) => sum + count, 0);
    return {
      texts: withPair + 40,
      withVerb: withPair + 25,
      withPair,
      uniqueVerbs: listed.length,
      uniquePairs: listed.length,
      frequentPairs: listed.filter(({ count }) => count > 10).length,
      top: listed.map(({ verb, noun, count }) => ({ verb, count, nouns: [{ noun, count }] })),
      pairs: listed,
    };
  };
  const bins = Array.from({ length: 12 }, (_, i) => ({ from: 10 * i, to: 10 * i + 9, count: 40 - 3 * i }));
  return {
    lengths: [
      { unit: 'words', answers: rows - 131, bins: [...bins, { from: 120, count: 7 }] },
      { unit: 'characters', answers: 131, bins },
    ],
    verbNouns: {
      instructions: {
        en: verbNouns([
          ['write', 'story', 31],
          ['name', 'reason', 14],
          ['explain', 'difference', 9],
        ]),
        zh: verbNouns([['写', '作文', 12]]),
      },
      answers: { en: verbNouns([['need', 'water', 2]]) },
    },
  };
}

const costs: ReportInput['costs'] = [
  {
    stage: 'generate',
    calls: 498,
    inputTokens: 210_345,
    outputTokens: 48_112,
    usd: 0.1213,
    unpricedCalls: 0,
    inDoubtCalls: 2,
    inDoubtUsd: 0.0041,
  },
  {
    stage: 'judge',
    calls: 168,
    inputTokens: 64_800,
    outputTokens: 1344,
    usd: 0.0327,
    unpricedCalls: 3,
    inDoubtCalls: 0,
    inDoubtUsd: 0,
  },
];
