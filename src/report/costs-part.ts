/** What the teacher's calls cost, stage by stage, with what may have been charged for nothing. */
import type { SetRowsOf } from './data-figures.ts';
import { countCell } from './figure-cells.ts';
import { dollars } from './format.ts';
import { type Part, table, text } from './part.ts';
import type { ReportInput, StageCost } from './report-input.ts';
import type { RowsLink } from './rows.ts';
import type { Cell } from './table.ts';
import type { Words } from './words.ts';

/** `callsOf`: links into the calls of the ledger; gives undefined where it is not at hand. */
export function costsPart({ costs }: Pick<ReportInput, 'costs'>, words: Words, callsOf: SetRowsOf): Part {
  const { say } = words;
  const part = { id: 'costs', title: say('Costs') };
  if (costs.length === 0) return { ...part, blocks: [text(say('No teacher was called in this run.'))] };
  const sum = (value: (cost: StageCost) => number): number => costs.reduce((total, cost) => total + value(cost), 0);
  const total: StageCost = {
    stage: say('all stages'),
    calls: sum(({ calls }) => calls),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    usd: sum(({ usd }) => usd),
    unpricedCalls: sum(({ unpricedCalls }) => unpricedCalls),
    inDoubtCalls: sum(({ inDoubtCalls }) => inDoubtCalls),
    inDoubtUsd: sum(({ inDoubtUsd }) => inDoubtUsd),
  };
  const columns = [
    say('calls'),
    say('tokens in'),
    say('tokens out'),
    say('cost'),
    say('calls in doubt'),
    say('in doubt, at most'),
  ];
  return {
    ...part,
    blocks: [
      table({
        caption: say('Teacher calls in the ledger by stage, US dollars; a ledger shared by runs has the calls of all'),
        columns: [{ label: say('stage') }, ...columns.map((label) => ({ label, numeric: true }))],
        rows: [
          ...costs.map((cost) => costRow(cost, words, (filter) => callsOf({ stage: cost.stage, ...filter }))),
          ...(costs.length > 1 ? [costRow(total, words, callsOf)] : []),
        ],
      }),
      text(
        say(
          'In doubt: sent, but the answer was not stored before the run was interrupted. The teacher may have charged for these calls; they are counted at their upper bound.',
        ),
      ),
      text(
        callsOf({}) === undefined
          ? say('The ledger does not stand in the run’s folder: its calls are not shown.')
          : say('What a call asked and was told stands in the ledger: `./understudy ledger show RUN --key KEY`.'),
      ),
    ],
  };
}

function costRow(cost: StageCost, words: Words, callsOf: SetRowsOf): Cell[] {
  const { stage, calls, inputTokens, outputTokens, usd, unpricedCalls, inDoubtCalls, inDoubtUsd } = cost;
  const unknown =
    unpricedCalls > 0 ? words.say(' and {calls} of unknown price', { calls: words.plural(unpricedCalls, 'call') }) : '';
  const stored = callsOf({ state: 'stored' });
  const inDoubt = callsOf({ doubt: 'yes' });
  const money = (value: number, n: number, rows: RowsLink | undefined, more = '') => ({
    text: dollars(value) + more,
    figure: { value, n },
    rows,
  });
  return [
    stage,
    countCell(calls, null, stored),
    countCell(inputTokens, calls, stored),
    countCell(outputTokens, calls, stored),
    money(usd, calls, stored, unknown),
    countCell(inDoubtCalls, calls + inDoubtCalls, inDoubt),
    money(inDoubtUsd, inDoubtCalls, inDoubt),
  ];
}
