/** The rows behind a judge's figures: a comparison each, or, where answers were judged one by one, a verdict each. */
import { compareCalls } from '../evaluate/judge-comparisons.ts';
import { matchesOf } from '../evaluate/judge-plan.ts';
import type { JudgeRow, Verdict } from '../evaluate/judge-rows.ts';
import { count, fixed } from './format.ts';
import type { JudgeInput, SourceFiles } from './report-input.ts';
import { flagLabels, languageLabels } from './row-labels.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import type { Words } from './words.ts';

export const matchName = (model: string, opponent: string): string => `${model} : ${opponent}`;

export function rowsOfJudge(id: string, name: string, input: JudgeInput, files: SourceFiles, words: Words): RowSet[] {
  const { say } = words;
  const { mode, models, baseline } = input.results.settings;
  const facet = (facetName: string, label: string) => ({ name: facetName, label });
  const common = [facet('language', say('language')), facet('category', say('category')), facet('turn', say('turn'))];
  const labels = {
    ...languageLabels(words),
    ...flagLabels(words),
    '=tie': say('tie'),
    '=none': say('a verdict is missing'),
  };
  const matches = matchesOf(models, baseline ?? undefined);
  const comparisons: RowSet = {
    id: `${id}-comparisons`,
    title: say('{name}: comparisons', { name }),
    facets: [facet('match', say('models')), facet('winner', say('who won')), ...common, facet('flags', say('seen'))],
    labels,
    rows: matches.flatMap(([model, opponent]) => matchRows(model, opponent, input, words)),
    file: files['rows'],
  };
  if (mode !== 'single') return [comparisons];
  const verdicts: RowSet = {
    id: `${id}-verdicts`,
    title: say('{name}: verdicts', { name }),
    facets: [facet('model', say('model')), facet('score', say('score')), ...common, facet('flags', say('seen'))],
    labels,
    rows: input.rows.map((row) => verdictRow(row, input, words)),
    file: files['rows'],
  };
  return [verdicts, ...(matches.length > 0 ? [comparisons] : [])];
}

const callKey = (row: Pick<JudgeRow, 'question' | 'turn' | 'sample' | 'models'>): string =>
  JSON.stringify([row.question, row.turn, row.sample, row.models]);

function matchRows(model: string, opponent: string, { rows, turns, results }: JudgeInput, words: Words): BrowserRow[] {
  const { say } = words;
  const { mode } = results.settings;
  const byKey = new Map(rows.map((row) => [callKey(row), row]));
  const match = matchName(model, opponent);
  return compareCalls(mode, rows, [model, opponent]).map((one): BrowserRow => {
    const { question, turn, sample, category, language, preference, isFlip, scores, lengthDifference } = one;
    const shown =
      mode === 'single'
        ? [[model], [opponent]]
        : [
            [model, opponent],
            [opponent, model],
          ];
    const calls = shown.flatMap((models) => byKey.get(callKey({ question, turn, sample, models })) ?? []);
    const asked = turns?.get(`${question} ${turn}`);
    const states = calls.map(stateOf);
    const winner = preference === undefined ? '=none' : preference === 1 ? model : preference === 0 ? opponent : '=tie';
    const score = ({ low, high }: { low: number; high: number }) =>
      low === high ? fixed(low, 1) : `${fixed(low, 1)}–${fixed(high, 1)}`;
    return {
      id: idOf(one, words),
      facets: {
        ...{ match: [match], winner: [winner], language: [language], category: [category], turn: [String(turn)] },
        flags: [...(isFlip ? ['flip'] : []), ...new Set(states.filter((state) => state !== 'parsed'))],
        calls: [
          'asked',
          ...states,
          ...states.filter((state) => state === 'parsed' || state === 'unreadable').map(() => 'answered'),
        ],
        compared: preference === undefined ? [] : ['yes'],
        outcome: preference === undefined ? [] : [preference === 1 ? 'win' : preference === 0 ? 'loss' : 'tie'],
      },
      prompt: asked?.prompt ?? '',
      texts: [
        ...[model, opponent].flatMap((who): [string, string][] => {
          const answer = asked?.answers[who];
          return answer === undefined ? [] : [[who, answer]];
        }),
        ...calls.map((call): [string, string] => [verdictTitle(call, words), saidOf(call)]),
      ],
      values: [
        [
          say('who won'),
          winner === '=tie'
            ? say(isFlip ? 'tie: the orders named opposite winners' : 'tie')
            : winner === '=none'
              ? say('a verdict is missing')
              : winner,
        ],
        ...(scores === undefined
          ? []
          : [[say('scores'), `${score(scores.model)} : ${score(scores.opponent)}`] as const]),
        [say('longer by, characters'), count(lengthDifference)],
      ],
    };
  });
}

const stateOf = ({ verdict, problem }: JudgeRow): string => (verdict ? 'parsed' : (problem?.kind ?? 'unreadable'));

function idOf({ question, turn, sample }: { question: string; turn: number; sample: number }, { say }: Words): string {
  const more = [
    ...(turn > 1 ? [say('turn {n}', { n: turn })] : []),
    ...(sample > 0 ? [say('sample {n}', { n: sample + 1 })] : []),
  ];
  return [question, ...more].join(' · ');
}

const verdictTitle = ({ models, verdict, problem }: JudgeRow, { say, list }: Words): string => {
  const read = verdict ? verdictText(verdict) : say(problem?.kind ?? 'unreadable');
  return models.length === 1
    ? say('Verdict: {read}', { read })
    : say('Verdict, shown in this order: {models}: {read}', { models: list(models), read });
};

function verdictText(verdict: Verdict): string {
  if ('score' in verdict) return String(verdict.score);
  return 'scores' in verdict ? verdict.scores.join(' : ') : { first: '1', second: '2', tie: '=' }[verdict.choice];
}

/** All that the judge said, askings one after the other. */
const saidOf = ({ askings, error }: JudgeRow): string =>
  [...askings.map(({ text }) => text), ...(error === undefined ? [] : [error])].join('\n\n———\n\n');

function verdictRow(row: JudgeRow, { turns }: JudgeInput, words: Words): BrowserRow {
  const [model = ''] = row.models;
  const asked = turns?.get(`${row.question} ${row.turn}`);
  const answer = asked?.answers[model];
  const state = stateOf(row);
  const score = row.verdict && 'score' in row.verdict ? String(row.verdict.score) : undefined;
  return {
    id: `${idOf(row, words)} · ${model}`,
    facets: {
      ...{ model: [model], language: [row.language], category: [row.category], turn: [String(row.turn)] },
      score: score === undefined ? [] : [score],
      calls: ['asked', state, ...(state === 'parsed' || state === 'unreadable' ? ['answered'] : [])],
      flags: state === 'parsed' ? [] : [state],
    },
    prompt: asked?.prompt ?? '',
    texts: [...(answer === undefined ? [] : [[model, answer] as const]), [verdictTitle(row, words), saidOf(row)]],
    values: [[words.say('score'), score ?? words.say('none')]],
  };
}
