/**
 * How a policy learned from rewards: whether the reward rose and at what divergence from where it began, what else changed
 * meanwhile, and answers of the first and the last iteration.
 */
import { mean } from '../base/intervals.ts';
import { countCell, shareCell } from './figure-cells.ts';
import { count, fixed, signed } from './format.ts';
import { type LinePoint, lineChart } from './line-charts.ts';
import { type Block, type Chart, charts, note, type Part, table, text } from './part.ts';
import type { RlAnswer, RlInput, RlIteration } from './report-input.ts';
import { type RewardChange, rewardChange, type Window, windowOf } from './rl-change.ts';
import type { RowsLink } from './rows.ts';
import type { Cell } from './table.ts';
import type { Words } from './words.ts';

type Links = (set: 'iterations' | 'answers', filter?: Readonly<Record<string, string>>) => RowsLink;

export function rlPart(id: string, name: string, input: RlInput, words: Words): Part {
  const { say, told } = words;
  const { log, answers, finished, warnings } = input;
  const link: Links = (set, filter = {}) => ({ set: `${id}-${set}`, filter });
  const last = log.at(-1);
  const title = say('Reinforcement learning: {name}', { name });
  if (last === undefined) return { id, title, blocks: [note(say('No iteration is done yet.'))] };
  const change = rewardChange(log, answers);
  return {
    id,
    title,
    blocks: [
      text(headline(input, change, words)),
      ...(finished
        ? []
        : [note(say('It has not come to its end: the figures are those of the iterations done so far.'))]),
      ...warnings.map(({ step, text: warning }) =>
        note(say('From iteration {step} on: {text}.', { step: count(step), text: told(warning) })),
      ),
      charts(...rlCurves(log, words, link('iterations'))),
      ...(change ? [changeTable(input, change, words, link)] : []),
      ...answersTable(input, words, link),
    ],
  };
}

const names: Readonly<Record<string, string>> = { grpo: 'GRPO', ppo: 'PPO' };

function headline({ log, finished }: RlInput, change: RewardChange | undefined, words: Words): string {
  const { say } = words;
  const last = log.at(-1)!;
  const iterations = words.plural(log.length, 'iteration');
  const algorithm = finished ? (names[finished.algorithm] ?? finished.algorithm) : undefined;
  const ran = algorithm === undefined ? iterations : say('{algorithm}, {iterations}', { algorithm, iterations });
  const away = say('At the end the policy is {kl} nats an answer away from where it began.', { kl: fixed(last.kl, 2) });
  if (!change) return say('{text}. {more}', { text: ran, more: away });
  const { first, last: late, change: by, verdict, iterations: window } = change;
  const rose = say(
    '{ran}: the mean reward went from {first} in the first {n} to {last} in the last {n}, {change} ({ends}): {verdict}.',
    {
      ...{ ran, first: fixed(first.mean, 3), last: fixed(late.mean, 3), change: signed(by.mean, 3) },
      ...{ n: words.plural(window, 'iteration'), ends: words.interval({ ...by, n: late.n }, 3) },
      verdict: say(verdict),
    },
  );
  return `${rose} ${away}`;
}

/** Reward first, then divergence, then one against the other. */
export function rlCurves(log: readonly RlIteration[], words: Words, rows?: RowsLink): Chart[] {
  const { say } = words;
  const iteration = say('iteration');
  const over = words.plural(log.length, 'iteration');
  const of = (value: (row: RlIteration) => number): LinePoint[] => log.map((row) => ({ x: row.step, y: value(row) }));
  const by = (title: string, yLabel: string, value: (row: RlIteration) => number, zero = true): Chart => ({
    title,
    svg: lineChart(`${title}${say(', ')}${over}`, of(value), { xLabel: iteration, yLabel, zero }),
    caption: say('{text}.', { text: over }),
    isSmall: true,
    rows,
  });
  const against = say('Reward against divergence');
  return [
    by(say('Reward'), say('mean of the answers'), ({ reward }) => reward, false),
    by(say('Divergence'), say('nats an answer'), ({ kl }) => kl),
    {
      title: against,
      svg: lineChart(
        `${against}${say(', ')}${over}`,
        log.map(({ kl, reward }) => ({ x: kl, y: reward })),
        { xLabel: say('nats an answer'), yLabel: say('mean of the answers'), isPath: true },
      ),
      caption: say('A dot an iteration. What a reward rises by should not be bought with ever more divergence.'),
      isSmall: true,
      rows,
    },
    by(say('Length'), say('tokens an answer'), ({ length }) => length),
    by(say('Entropy'), say('nats a token'), ({ entropy }) => entropy),
    by(say('Cut off at the length limit'), say('share of the answers'), cutOff),
  ];
}

const cutOff = ({ metrics }: RlIteration): number => metrics['completions/clipped_ratio'] ?? Number.NaN;

function changeTable({ log, answers }: RlInput, change: RewardChange, words: Words, link: Links): Block {
  const { say } = words;
  const window = windowOf(log);
  const windows = ['first', 'last'] as const;
  const rowsIn = (wanted: Window) => log.filter(({ step }) => window(step) === wanted);
  const answersIn = (wanted: Window) => answers.filter(({ step }) => window(step) === wanted);
  const measured = (name: string, value: (row: RlIteration) => number, places: number): Cell[] => [
    name,
    ...windows.map((wanted): Cell => {
      const rows = rowsIn(wanted);
      const all = mean(rows.map(value));
      return {
        text: fixed(all, places),
        figure: { value: all, n: rows.length },
        rows: link('iterations', { window: wanted }),
      };
    }),
  ];
  const counted = (
    name: string,
    is: (answer: RlAnswer) => boolean,
    filter: Readonly<Record<string, string>>,
  ): Cell[] => [
    name,
    ...windows.map((wanted) => {
      const all = answersIn(wanted);
      return shareCell(all.filter(is).length, all.length, words, link('answers', { window: wanted, ...filter }));
    }),
  ];
  const sources = [...new Set(answers.flatMap(({ parts }) => Object.keys(parts)))];
  const partCell = (source: string, wanted: Window): Cell => {
    const values = answersIn(wanted).flatMap(({ parts }) => (typeof parts[source] === 'number' ? [parts[source]] : []));
    if (values.length === 0) return say('none');
    const value = mean(values);
    const rows = link('answers', { window: wanted });
    return { text: fixed(value, 3), figure: { value, n: values.length }, rows };
  };
  const n = words.plural(change.iterations, 'iteration');
  return table({
    caption: say('The first and the last iterations; intervals over prompts, which need not be the same in both'),
    columns: [
      { label: '' },
      { label: say('the first {n}', { n }), numeric: true },
      { label: say('the last {n}', { n }), numeric: true },
    ],
    rows: [
      [
        say('Reward'),
        ...windows.map((wanted): Cell => {
          const { mean: value, low, high, n: prompts } = change[wanted];
          const shown = say('{value} ({ends})', {
            value: fixed(value, 3),
            ends: words.range({ low, high }, 3),
          });
          return { text: shown, figure: { value, low, high, n: prompts }, rows: link('answers', { window: wanted }) };
        }),
      ],
      ...sources.map((source): Cell[] => [
        say('of that: {source}, not weighted', { source }),
        ...windows.map((wanted) => partCell(source, wanted)),
      ]),
      measured(say('divergence, nats an answer'), ({ kl }) => kl, 2),
      measured(say('entropy, nats a token'), ({ entropy }) => entropy, 2),
      measured(say('length, tokens an answer'), ({ length }) => length, 1),
      counted(say('cut off at the length limit'), ({ finishReason }) => finishReason === 'length', { ended: 'length' }),
      counted(say('without a reward'), ({ reward }) => reward === null, { flags: 'unscored' }),
      [
        say('answers'),
        ...windows.map((wanted) => countCell(answersIn(wanted).length, null, link('answers', { window: wanted }))),
      ],
    ],
  });
}

/** Longer ones are cut: the rows have them whole. */
const shownCharacters = 280;

/** Of the first and the last iteration the answers of the least, the middle and the most reward. */
function answersTable({ log, answers }: RlInput, words: Words, link: Links): Block[] {
  const { say } = words;
  const steps = [...new Set([log[0]!.step, log.at(-1)!.step])];
  const ranks = [say('the least'), say('in the middle'), say('the most')];
  const rows = steps.flatMap((step) => {
    const own = answers
      .filter((one): one is RlAnswer & { reward: number } => one.step === step && one.reward !== null)
      .sort((a, b) => a.reward - b.reward);
    const chosen = [own[0], own[Math.floor((own.length - 1) / 2)], own.at(-1)];
    return chosen.flatMap((answer, i): Cell[][] => {
      if (answer === undefined) return [];
      const { text: said, reward, tokens } = answer;
      const shown = said.length > shownCharacters ? `${said.slice(0, shownCharacters)}…` : said;
      const rows = link('answers', { step: String(step) });
      return [
        [
          say('iteration {n}, {rank}', { n: count(step), rank: ranks[i]! }),
          { text: fixed(reward, 3), figure: { value: reward, n: 1 }, rows },
          { text: count(tokens), figure: { value: tokens, n: 1 }, rows },
          shown.trim() === '' ? say('empty answer') : shown,
        ],
      ];
    });
  });
  if (rows.length === 0) return [];
  return [
    table({
      caption: say('Answers of the first and the last iteration, by their reward'),
      columns: [
        { label: say('iteration') },
        { label: say('reward'), numeric: true },
        { label: say('tokens'), numeric: true },
        { label: say('Answer') },
      ],
      rows,
    }),
  ];
}
