import type { CurveResult } from '../../recipes/best-of-curve.ts';
import type { Interval } from '../../src/base/intervals.ts';
import type { MeasureWarning, PickMeans } from '../../src/evaluate/best-of-n.ts';
import { type Command, command } from '../command.ts';
import { bold, print, printJson } from '../terminal.ts';

interface BestOfFlags {
  readonly references?: string;
  readonly json?: boolean;
}

export function bestOfCommand(): Command {
  return command('best-of', 'what picking the best of n answers by reward brings, for every n; its price in length', [
    'evaluate best-of ranked.jsonl',
    'evaluate best-of ranked.jsonl --references references.jsonl --json',
  ])
    .argument('<file>', 'rows of `answer --best-of` or of `rank`; 16 answers a prompt or more give a smooth curve')
    .option('--references <file>', 'reference answers, {id, output}: ROUGE-L of what is picked')
    .option('--json', 'print one JSON document')
    .action(async (file: string, { references, json }: BestOfFlags) => {
      const { curveOf } = await import('../../recipes/best-of-curve.ts');
      const curve = curveOf({ file, ...(references !== undefined && { references }) });
      if (json) return printJson(curve);
      for (const line of await curveLines(curve)) print(line);
    });
}

/** Fewer answers a prompt than that, and the curve ends where it begins to be of interest. */
const smoothPool = 16;

async function curveLines(curve: CurveResult): Promise<string[]> {
  const { fixed, plural, signed } = await import('../../src/report/format.ts');
  const { prompts, leftOut, poolSize, points, gain, groups, warnings, unscored, referenced } = curve;
  const measures = Object.keys(points[0]?.values ?? {});
  const cell = ({ mean, low, high }: Interval, places: number) =>
    `${fixed(mean, places)} (${fixed(low, places)} to ${fixed(high, places)})`.padEnd(26);
  const line = (first: string, { reward, length, values }: PickMeans) => {
    const others = measures.map((name) => (values[name] ? cell(values[name], 3) : '–'.padEnd(26)));
    return [first.padEnd(9), cell(reward, 3), cell(length, 1), ...others].join(' ').trimEnd();
  };
  const head = (first: string) =>
    [first.padEnd(9), ...['reward', 'length in words', ...measures].map((name) => name.padEnd(26))].join(' ').trimEnd();
  const left = [
    ...(leftOut > 0 ? [`${plural(leftOut, 'prompt')} with too few answers left out`] : []),
    ...(unscored > 0 ? [`${plural(unscored, 'answer')} without a reward left out`] : []),
    ...(referenced !== undefined ? [`${plural(referenced, 'prompt')} with a reference`] : []),
  ];
  const change = (name: string, { mean, low, high }: Interval, places: number) =>
    `${name} ${signed(mean, places)} (${signed(low, places)} to ${signed(high, places)})`;
  return [
    `${plural(prompts, 'prompt')}, ${poolSize} answers each${left.map((text) => `; ${text}`).join('')}; 95 % intervals over prompts`,
    '',
    bold(head('best of')),
    ...points.map((point) => line(String(point.n), point)),
    ...(gain
      ? [
          `from 1 to ${poolSize}: ${[
            change('reward', gain.reward, 3),
            change('words', gain.length, 1),
            ...Object.entries(gain.values).map(([name, value]) => change(name, value, 3)),
          ].join('; ')}`,
        ]
      : []),
    '',
    bold(head('ranked')),
    ...groups.map((group) => line(String(group.rank), group)),
    ...(poolSize < smoothPool
      ? ['', `the curve ends at n = ${poolSize}: sample ${smoothPool} answers a prompt or more to see farther`]
      : []),
    ...(measures.length === 0
      ? [
          '',
          'nobody but the reward model has looked at these answers: --references FILE, or rows whose candidates have scores',
        ]
      : []),
    ...warnings.map((warning) => `warning: ${inWords(warning, change)}`),
  ];
}

function inWords(
  { measure, kind, from, to, reward, change: of }: MeasureWarning,
  change: (name: string, interval: Interval, places: number) => string,
): string {
  const figures = `${change('reward', reward, 3)}, ${change(measure, of, 3)}`;
  const what = {
    flat: `does not rise with the reward`,
    falls: `falls while the reward rises`,
    'past its best': `falls from n = ${from} on while the reward still rises`,
  }[kind];
  return `${measure} ${what}, n = ${from} to ${to}: ${figures}. The reward model may be pleased by what no reader wants.`;
}
