import { ConfigError } from '../../src/base/errors.ts';
import { type Command, command, positiveNumber, realNumber } from '../command.ts';
import { print, printJson } from '../terminal.ts';

interface PowerFlags {
  readonly difference?: number;
  readonly items?: number;
  readonly rate?: number;
  readonly ties?: number;
  readonly sd?: number;
  readonly pilot?: string[];
  readonly field?: string[];
  readonly alpha: number;
  readonly power: number;
  readonly comparisons: number;
  readonly json?: boolean;
}

export function powerCommand(): Command {
  return command('power', 'how many items it takes to see a difference, or what difference so many items show', [
    'evaluate power --difference 5 --rate 50 --ties 20',
    'evaluate power --items 80',
    'evaluate power --difference 0.1 --pilot base.jsonl student.jsonl --field score',
  ])
    .option('--difference <d>', 'points of a rate in percent; with --sd or --pilot, in the unit of those', realNumber)
    .option('--items <n>', 'in place of --difference: what so many items can show', positiveNumber)
    .option('--rate <percent>', 'win rate or share expected (default: 50, where most items are needed)', realNumber)
    .option('--ties <percent>', 'share of ties, which count one half (default: 0)', realNumber)
    .option('--sd <value>', 'standard deviation of the value, or of the paired difference, over items', realNumber)
    .option('--pilot <files...>', 'rows {id, score} to take it from: one file, or two for their paired difference')
    .option('--field <names...>', 'where the pilot’s number stands, for both files or one a file (default: score)')
    .option('--alpha <share>', 'two-sided level', realNumber, 0.05)
    .option('--power <share>', 'probability to see the difference where there is one', realNumber, 0.8)
    .option('--comparisons <n>', 'how many will be made together: each gets its share of the level', positiveNumber, 1)
    .option('--json', 'print one JSON document')
    .action(power);
}

async function power(flags: PowerFlags): Promise<void> {
  const { detectableDifference, itemsNeeded } = await import('../../src/evaluate/power.ts');
  const { difference, items, comparisons, json } = flags;
  checkFlags(flags);
  const variation = await variationOf(flags);
  const options = { alpha: flags.alpha / comparisons, power: flags.power };
  const { sd, scale, unit, of } = variation;
  const needed = difference === undefined ? items! : itemsNeeded(difference / scale, sd, options);
  const shown = difference ?? (detectableDifference(needed, sd, options) ?? Number.NaN) * scale;
  if (Number.isNaN(shown))
    throw new ConfigError(`--items: so few show nothing at this level; expected more than ${needed}`);
  if (json) {
    return printJson({
      items: needed,
      difference: shown,
      sd: sd * scale,
      unit,
      ...options,
      comparisons,
      pilotItems: variation.pilotItems,
    });
  }
  const level = `${number(100 * flags.alpha)} %${comparisons > 1 ? ` shared by ${comparisons} comparisons` : ''}`;
  const terms = `in ${number(100 * flags.power)} of 100 such evaluations, at a two-sided level of ${level}`;
  const spread = `${of}; standard deviation ${number(sd * scale)}${unit}`;
  print(
    difference === undefined
      ? `${needed} items show a difference of ${number(shown)}${unit} or more (${terms}).`
      : `To see a difference of ${number(shown)}${unit} you need ${needed} items (${terms}).`,
  );
  print(spread);
}

function checkFlags({ difference, items, rate, ties, sd, pilot, field, alpha, power: wanted }: PowerFlags): void {
  const refuse = (message: string, hint?: string): never => {
    throw new ConfigError(`evaluate power: ${message}`, { hint });
  };
  if ((difference === undefined) === (items === undefined))
    refuse('expected --difference or --items, one of them', './understudy evaluate power --difference 5');
  if (difference !== undefined && !(difference > 0)) refuse(`--difference: expected more than 0, got ${difference}`);
  const sources = [rate ?? ties, sd, pilot].filter((source) => source !== undefined).length;
  if (sources > 1)
    refuse('expected one of --rate with --ties, --sd, --pilot', 'they are three ways to say how much items vary');
  if (field !== undefined && pilot === undefined) refuse('--field names a number of --pilot, and there is none');
  if (sd !== undefined && !(sd > 0)) refuse(`--sd: expected more than 0, got ${sd}`);
  if (!(alpha > 0 && alpha < 1)) refuse(`--alpha: expected a share between 0 and 1, got ${alpha}`);
  if (!(wanted > 0.5 && wanted < 1)) refuse(`--power: expected a share between 0.5 and 1, got ${wanted}`);
}

interface Variation {
  readonly sd: number;
  /** From the unit of `sd` to that of --difference: 100 for rates. */
  readonly scale: number;
  readonly unit: string;
  /** What it is the deviation of. */
  readonly of: string;
  readonly pilotItems?: number;
}

async function variationOf({ difference, rate = 50, ties = 0, sd, pilot, field = [] }: PowerFlags): Promise<Variation> {
  const { rateDeviation, sampleDeviation } = await import('../../src/evaluate/power.ts');
  if (sd !== undefined) return { sd, scale: 1, unit: '', of: 'as given' };
  if (pilot) {
    const { values, of } = await pilotValues(pilot, field);
    const found = sampleDeviation(values);
    if (found === undefined || found === 0) {
      throw new ConfigError(`--pilot: ${values.length} items that do not vary say nothing of others`, {
        hint: 'give more pilot rows, or --sd',
      });
    }
    return { sd: found, scale: 1, unit: '', of: `${of} on ${values.length} pilot items`, pilotItems: values.length };
  }
  if (difference !== undefined && difference >= 100)
    throw new ConfigError(`--difference: expected points of a rate, below 100, got ${difference}`);
  const found = rateDeviation(rate / 100, ties / 100);
  if (found === undefined || found === 0) {
    throw new ConfigError(`--rate ${rate} with --ties ${ties}: expected shares in percent that leave wins and losses`, {
      hint: 'a rate is wins + half the ties: with 40 % ties it lies above 20 and below 80',
    });
  }
  return { sd: found, scale: 100, unit: ' points', of: `rate ${number(rate)} %, ties ${number(ties)} %` };
}

async function pilotValues(
  files: readonly string[],
  fields: readonly string[],
): Promise<{ values: readonly number[]; of: string }> {
  const { pairItems, readItemValues } = await import('../../src/evaluate/item-values.ts');
  if (files.length > 2) throw new ConfigError(`--pilot: expected one file or two, got ${files.length}`);
  if (fields.length > 1 && fields.length !== files.length)
    throw new ConfigError(`--field: expected one name, or one a file (${files.length}), got ${fields.length}`);
  const [first, second] = files.map((file, i) => readItemValues(file, fields[i] ?? fields[0]));
  if (!second) return { values: [...first!.values.values()], of: first!.field };
  const pairs = pairItems(first!, second);
  return { values: pairs.first.map((value, i) => pairs.second[i]! - value), of: 'paired difference' };
}

const number = (value: number): string => String(Number(value.toPrecision(4)));
