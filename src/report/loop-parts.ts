/** Rounds of feedback, reward model and reinforcement learning: what each gained by its reward and by the teacher. */
import { intervalCell, meanCell, rangeCell } from './figure-cells.ts';
import { count, fixed, signed } from './format.ts';
import type { LoopInput, LoopRoundInput } from './loop-input.ts';
import { type Block, charts, heading, note, type Part, table, text } from './part.ts';
import { rlCurves } from './rl-parts.ts';
import type { RowsLink } from './rows.ts';
import type { Cell, Table } from './table.ts';
import type { Words } from './words.ts';

type Rows = (filter: Readonly<Record<string, string>>) => RowsLink;

const numeric = (label: string) => ({ label, numeric: true });

export function loopPart(input: LoopInput, words: Words, rows: Rows): Part {
  const { say } = words;
  const blocks: Block[] = [
    text(
      say(
        'In each round the policy answers, the teacher compares its answers, a reward model learns from all comparisons so far, and the policy learns from the reward. On prompts that none of them learned from, the reward and the teacher’s scores of the policy’s answers are set against each other: where the reward rises and the teacher’s mean does not, the reward model is being pleased and nobody else.',
      ),
    ),
    note(endOf(input, words)),
    table(gainsTable(input, words, rows)),
    table(rewardsTable(input, words, rows)),
    ...input.rounds.flatMap((round) => [...bestOfBlocks(round, words), ...learningBlocks(round, words)]),
  ];
  return { id: 'rounds', title: say('Feedback and reinforcement, in rounds'), blocks };
}

function endOf({ rounds, kept, ended }: LoopInput, { say }: Words): string {
  if (ended === 'all rounds done') return say('All rounds were done; the policy of round {n} is kept.', { n: kept });
  const values = {
    n: rounds.length,
    kept:
      kept > 0
        ? say('The policy of round {n} is kept.', { n: kept })
        : say('The student is kept as it was fine-tuned.'),
  };
  return ended === 'no gain'
    ? say('The rounds ended with round {n}: the reward did not rise. {kept}', values)
    : say('The rounds ended with round {n}: the reward rose and the teacher’s mean did not. {kept}', values);
}

function gainsTable({ rounds }: LoopInput, words: Words, rows: Rows): Table {
  const { say } = words;
  return {
    caption: say('Rounds: gains on held-out prompts'),
    columns: [
      { label: say('round') },
      { label: say('measure') },
      ...[say('held-out prompts'), say('before'), say('after'), say('gain')].map(numeric),
      { label: say('in the end') },
    ],
    rows: rounds.flatMap(({ round, check }): Cell[][] => {
      const own = rows({ round: String(round) });
      const prompts = {
        text: count(check.prompts),
        figure: { value: check.prompts, n: check.prompts + check.leftOut },
        rows: own,
      };
      const line = (name: string, of: typeof check.reward, end: string): Cell[] => [
        String(round),
        name,
        prompts,
        ...(of
          ? [meanCell(of.before, 3, own), meanCell(of.after, 3, own), rangeCell(of.gain, 3, words, own, signed)]
          : ['', '', say('none')]),
        end,
      ];
      return [line(say('reward'), check.reward, ''), line(say('teacher’s score'), check.judge, say(check.verdict))];
    }),
  };
}

function rewardsTable({ rounds }: LoopInput, words: Words, rows: Rows): Table {
  const { say } = words;
  return {
    caption: say('Rounds: reward models'),
    columns: [
      { label: say('round') },
      ...[
        say('comparisons (this round)'),
        say('held-out pairs'),
        say('right on them'),
        say('“the longer one is better”'),
      ].map(numeric),
      { label: say('evidence') },
      numeric(say('agrees with the teacher on the answers checked')),
    ],
    rows: rounds.map(({ round, compared, rewardAccuracy: of, check: { agreement } }): Cell[] => [
      String(round),
      count(compared.pairs),
      ...(of
        ? [count(of.pairs), rangeCell(of.accuracy, 3, words), rangeCell(of.longerWins, 3, words), say(of.evidence)]
        : ['0', say('none held out'), '', '']),
      agreement
        ? {
            text: say('{share} % of {n} twos', { share: fixed(100 * agreement.mean, 1), n: count(agreement.twos) }),
            figure: { value: agreement.mean, low: agreement.low, high: agreement.high, n: agreement.twos },
            rows: rows({ round: String(round) }),
          }
        : say('none'),
    ]),
  };
}

const judged = 'judge score';

function bestOfBlocks({ round, bestOf }: LoopRoundInput, words: Words): Block[] {
  const { say } = words;
  if (!bestOf) return [];
  return [
    table({
      caption: say('Round {n}: the best of several answers of the policy before it', { n: round }),
      columns: [say('best of'), say('reward'), say('teacher’s score'), say('length in words')].map(numeric),
      rows: bestOf.points.map(({ n, reward, length, values }): Cell[] => [
        String(n),
        rangeCell(reward, 3, words),
        values[judged] ? intervalCell(values[judged], 3, words) : say('none'),
        rangeCell(length, 1, words),
      ]),
    }),
  ];
}

function learningBlocks({ round, iterations }: LoopRoundInput, words: Words): Block[] {
  const title = words.say('Round {n}: reinforcement learning', { n: round });
  return [heading(title), charts(...rlCurves(iterations, words).slice(0, 3))];
}
