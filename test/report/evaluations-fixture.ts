/** Evaluations beside runs, made up by a seeded generator, through the functions that make the real ones. */
import { Rng } from '../../src/base/rng.ts';
import { summarizeAutomatic } from '../../src/evaluate/automatic-summary.ts';
import { markAnswer, markChoice } from '../../src/evaluate/checkable.ts';
import { judgeResults } from '../../src/evaluate/judge-results.ts';
import type { JudgeMode, JudgeRow, Verdict } from '../../src/evaluate/judge-rows.ts';
import { type PeopleVote, peopleChoices, summarizePeople } from '../../src/evaluate/people.ts';
import type { PeopleItem } from '../../src/evaluate/people-items.ts';
import { type RewardedGroup, rewardCard } from '../../src/evaluate/reward-card.ts';
import { groupOf, rougeByLength, rougeOf } from '../../src/evaluate/rouge.ts';
import type { JudgedTurn, RlAnswer, Source } from '../../src/report/report-input.ts';

const categories = ['generic', 'writing', 'coding', 'math'];
const endings: Readonly<Record<string, string>> = {
  student: 'Then do it, then do it.',
  tutor: 'Then give each task an hour, and keep to it.',
  ChatGPT: 'Then put what matters most first.',
};
const answerOf = (model: string, i: number) =>
  `Begin with a list of what has to be done in week ${i}. ${`${endings[model]} `.repeat(1 + (i % 3)).trim()}`;

export function judgeSource(mode: JudgeMode = 'reference', knownSet?: 'vicuna-80'): Source {
  const rng = new Rng('judge', mode);
  const models = ['student', 'tutor', 'ChatGPT'];
  const turns = new Map<string, JudgedTurn>();
  const rows: JudgeRow[] = [];
  for (let i = 1; i <= 20; i++) {
    const question = String(i);
    turns.set(`${i} 1`, {
      prompt: `How do I plan week ${i}?`,
      answers: Object.fromEntries(models.map((model) => [model, answerOf(model, i)])),
    });
    const shown =
      mode === 'single'
        ? models.map((model) => [model])
        : models.slice(0, 2).flatMap((model) => [
            [model, 'ChatGPT'],
            ['ChatGPT', model],
          ]);
    for (const together of shown) {
      const level = (model: string) => ({ student: 5, tutor: 7, ChatGPT: 8 })[model]! + rng.int(3) - 1;
      const verdict: Verdict =
        mode === 'single'
          ? { score: level(together[0]!) }
          : mode === 'reference'
            ? { scores: [level(together[0]!), level(together[1]!)] }
            : { choice: (['first', 'second', 'tie'] as const)[rng.int(3)]! };
      const isLost = rng.uniform() < 0.1;
      rows.push({
        question,
        turn: 1,
        category: categories[i % categories.length]!,
        language: 'en',
        models: together,
        lengths: together.map((model) => answerOf(model, i).length),
        sample: 0,
        prompt: { name: `judge-${mode}-en`, version: 1, pointsVersion: 1, sha256: 'abc', points: ['general'] },
        askings: [
          {
            call: `call ${rows.length}`,
            text: isLost ? 'I cannot say.' : 'The first is longer.',
            finishReason: 'stop',
          },
        ],
        ...(isLost ? { problem: { kind: 'unreadable', reason: 'no score' } as const } : { verdict }),
      });
    }
  }
  const settings = { mode, models, baseline: mode === 'single' ? undefined : 'ChatGPT', own: [], seed: 1 };
  const results = judgeResults(rows, settings);
  const told = {
    mode,
    teacher: 'recorded',
    judgeModel: 'gpt-4.1',
    models,
    baseline: settings.baseline ?? null,
    samples: 1,
  };
  return {
    kind: 'judge',
    name: `judged-${mode}`,
    files: { rows: `../judged-${mode}/rows.jsonl` },
    input: { results: { ...results, settings: told }, rows, turns, knownSet },
  };
}

export function peopleSource(knownSet?: 'user-oriented-252'): Source {
  const rng = new Rng('people');
  const items = Array.from(
    { length: 18 },
    (_, i): PeopleItem => ({
      id: `item-${i}`,
      question: { id: `item-${i}`, language: i % 5 === 0 ? 'zh' : 'en', text: `What should I pack for day ${i}?` },
      modelA: 'student',
      modelB: 'tutor',
      answerA: answerOf('student', i),
      answerB: answerOf('tutor', i),
    }),
  );
  const votes = items.flatMap((item) =>
    ['ann', 'bo', 'cy'].flatMap((rater) =>
      ['helpful', 'honest', 'harmless'].map(
        (criterion): PeopleVote => ({
          item: item.id,
          rater,
          criterion,
          choice: criterion === 'harmless' && rng.uniform() < 0.7 ? 'tie' : peopleChoices[rng.int(3)]!,
          modelA: 'student',
          modelB: 'tutor',
          seconds: 20 + rng.int(30),
          order: rng.int(2) === 0 ? 'AB' : 'BA',
          comment: rng.uniform() < 0.1 ? 'The second is clearer.' : '',
          attention: false,
        }),
      ),
    ),
  );
  const results = { asked: 18, ratersPerItem: 3, leftOut: [], ...summarizePeople(votes) };
  return { kind: 'people', name: 'people', files: {}, input: { results, votes, items, knownSet } };
}

export function automaticSource(): Source {
  const rng = new Rng('automatic');
  const language = (i: number) => (i % 4 === 0 ? 'zh' : 'en');
  const exact = Array.from({ length: 24 }, (_, i) => {
    const question = {
      id: `e${i}`,
      language: language(i),
      category: 'sums',
      question: `${i} + ${i}?`,
      answers: [String(2 * i)],
    };
    const said = (right: number) => markAnswer(rng.uniform() < right ? String(2 * i) : 'seven', question);
    return { ...question, model: said(0.7), against: said(0.5) };
  });
  const choice = Array.from({ length: 24 }, (_, i) => {
    const question = {
      id: `c${i}`,
      language: language(i),
      category: 'facts',
      question: `Which is larger, ${i} or ${i + 1}?`,
      options: [String(i), String(i + 1)],
      right: 1,
    };
    const scores = () => question.options.map(() => ({ sum: -rng.uniform() * 4, tokens: 1 }));
    return { ...question, model: markChoice(scores(), question), against: markChoice(scores(), question) };
  });
  const loss = Array.from({ length: 12 }, (_, i) => {
    const cell = (level: number) => {
      const nats = 40 * (level + rng.uniform());
      return { nats, tokens: 40, bytes: 160, bitsPerByte: nats / Math.LN2 / 160 };
    };
    return { id: `t${i}`, language: language(i), model: cell(1.5), against: cell(2) };
  });
  const rows = { exact, choice, loss };
  const options = { model: 'student', against: 'builtin', questions: 'abc', hasTexts: true, tooLong: ['long-1'] };
  return {
    kind: 'automatic',
    name: 'automatic',
    files: {},
    input: { summary: summarizeAutomatic(rows, options), rows },
  };
}

export function rougeSource(name: string): Source {
  const rng = new Rng('rouge', name);
  const pool = ['river', 'stone', 'bridge', 'light', 'winter', 'morning', 'letter', 'garden'];
  const text = (words: number) => Array.from({ length: words }, () => pool[rng.int(pool.length)]!).join(' ');
  const pairs = Array.from({ length: 40 }, (_, i) => ({
    reference: text(1 + (i % 14)),
    candidate: text(1 + rng.int(14)),
  }));
  const rows = pairs.map((pair, i) => ({ id: String(i), bucket: groupOf(pair), ...pair, rouge: rougeOf(pair) }));
  return { kind: 'rouge', name, files: {}, input: { result: rougeByLength(pairs), rows } };
}

/** A policy that learns to please, and runs off on its last iterations. */
export function rlSource(name = 'grpo'): Source {
  const rng = new Rng('rl', name);
  const steps = Array.from({ length: 20 }, (_, i) => i + 1);
  const answers = steps.flatMap((step) =>
    ['p1', 'p2', 'p3', 'p4'].flatMap((prompt) =>
      Array.from({ length: 4 }, (_, sample): RlAnswer => {
        const reward = step / 10 + rng.uniform();
        return {
          ...{ step, prompt, text: answerOf('student', step + sample), tokens: 10 + step },
          finishReason: rng.uniform() < 0.3 ? 'length' : 'stop',
          ...{ reward: rng.uniform() < 0.02 ? null : reward, parts: { words: reward / 2 } },
        };
      }),
    ),
  );
  const log = steps.map((step) => ({
    ...{ step, seconds: 3, kl: step ** 1.5, entropy: 2 - step / 20, length: 10 + step, reward: step / 10, flat: 0 },
    metrics: { 'completions/clipped_ratio': 0.3, beta: 0.02 },
  }));
  const warnings = [
    {
      step: 15,
      text: 'the policy has run off: 58.09 nats an answer from the reference; raise klBeta or lower the rate',
    },
  ];
  return {
    kind: 'rl',
    name,
    files: {},
    input: { finished: { algorithm: 'grpo', iterations: 20 }, log, answers, warnings },
  };
}

/** A reward model that was asked about comparisons it had not learned from. */
export function rewardSource(name = 'reward-model'): Source {
  const rng = new Rng('reward', name);
  const heldOut = Array.from({ length: 30 }, (_, i): RewardedGroup => {
    const answers = ['tutor', 'student', 'ChatGPT'].map((source, rank) => ({
      ...{ content: answerOf(source, i), source, rank: rank + 1, score: 9 - 2 * rank, tokens: 20 },
      reward: 2 - rank + 2 * rng.uniform(),
    }));
    const pairs = [
      { better: 0, worse: 1, margin: 2 },
      { better: 1, worse: 2, margin: 2 },
      { better: 0, worse: 2, margin: 4 },
    ];
    const language = i % 3 === 0 ? 'zh' : 'en';
    return { id: `c${i}`, language, prompt: [{ role: 'user', content: `How do I plan week ${i}?` }], answers, pairs };
  });
  const log = Array.from({ length: 40 }, (_, i) => ({
    ...{ step: i + 1, epoch: 0, loss: 0.7 - i / 100, gradNorm: 1, learningRate: 1e-5, tokens: 1000 * i, seconds: 1 },
    metrics: { accuracy: 0.5 + i / 100, margin: i / 20 },
  }));
  const training = {
    ...{ log, documents: 200, trainedTokens: 40_000, labelTokens: 40_000, cut: 0, dropped: 3, seconds: 40 },
    ...{ parameters: 134_515_584, dtype: 'float32' },
  };
  return {
    kind: 'training',
    name,
    files: {},
    input: { stage: 'reward', training, card: rewardCard(heldOut), heldOut },
  };
}
