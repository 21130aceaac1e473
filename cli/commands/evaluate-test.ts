import { basename } from 'node:path';
import { ConfigError } from '../../src/base/errors.ts';
import type { ItemPairs } from '../../src/evaluate/item-values.ts';
import type { AdjustedPs, PairedComparison } from '../../src/evaluate/statistics.ts';
import { type Command, command } from '../command.ts';
import { bold, print, printJson } from '../terminal.ts';

interface Against {
  readonly first: string;
  readonly second: string;
  readonly pairs: ItemPairs;
  readonly compared: PairedComparison;
  readonly adjusted: AdjustedPs;
  readonly words: string;
}

export function testCommand(): Command {
  return command('test', 'whether models differ: paired tests on the same items, with what could have been seen', [
    'evaluate test base.jsonl student.jsonl',
    'evaluate test base.jsonl student-1.jsonl student-2.jsonl --field rougeL --json',
    'evaluate test rows.jsonl rows.jsonl --field rougeBefore rougeAfter',
  ])
    .argument('<files...>', 'JSONL or JSON arrays of rows {id, score}; each file is compared with the first')
    .option(
      '--field <names...>',
      'where the number stands, for all files or one a file; dots go inside (default: score)',
    )
    .option('--json', 'print one JSON document')
    .action(async (files: string[], { field = [], json }: { field?: string[]; json?: boolean }) => {
      const comparisons = await compareFiles(files, field);
      if (json) {
        return printJson({
          comparisons: comparisons.map(({ pairs: { onlyFirst, onlySecond }, compared, adjusted, ...named }) => {
            const { first, second, ...rest } = compared;
            return { ...named, meanFirst: first, meanSecond: second, ...rest, adjusted, onlyFirst, onlySecond };
          }),
        });
      }
      const tables: string[] = [];
      for (const one of comparisons) tables.push(await table(one, comparisons.length));
      print(tables.join('\n\n'));
    });
}

async function compareFiles(files: readonly string[], fields: readonly string[]): Promise<Against[]> {
  const { pairItems, readItemValues } = await import('../../src/evaluate/item-values.ts');
  const { adjustForMany, comparePaired, inWords } = await import('../../src/evaluate/statistics.ts');
  if (files.length < 2)
    throw new ConfigError('evaluate test: expected two files or more, got one', {
      hint: 'the first is what the others are compared with; one file may stand twice, with two names in --field',
    });
  if (fields.length > 1 && fields.length !== files.length)
    throw new ConfigError(`--field: expected one name, or one a file (${files.length}), got ${fields.length}`);
  const read = files.map((file, i) => readItemValues(file, fields[i] ?? fields[0]));
  const names = namesOf(read);
  const [base, ...others] = read;
  const paired = others.map((other) => {
    const pairs = pairItems(base!, other);
    return { pairs, compared: comparePaired(pairs.first, pairs.second)! };
  });
  const adjusted = adjustForMany(paired.map(({ compared }) => compared.p));
  return paired.map((one, i) => {
    const [first, second] = [names[0]!, names[i + 1]!];
    const words = inWords(one.compared, { first, second, p: adjusted[i]!.holm, write: written });
    return { first, second, ...one, adjusted: adjusted[i]!, words };
  });
}

/** As short as tells them apart: file names, whole paths, or paths and fields. */
function namesOf(read: readonly { file: string; field: string }[]): string[] {
  const candidates = [
    read.map(({ file }) => basename(file)),
    read.map(({ file }) => file),
    read.map(({ field }) => field),
    read.map(({ file, field }) => `${file} ${field}`),
  ];
  return candidates.find((names) => new Set(names).size === names.length) ?? candidates[0]!;
}

/** Four significant places, without trailing zeros. */
const written = (value: number): string => String(Number(value.toPrecision(4)));

async function table({ first, second, pairs, compared, adjusted, words }: Against, many: number): Promise<string> {
  const { minus } = await import('../../src/report/format.ts');
  const value = (number: number) => written(number).replace('-', minus);
  const within = ({ low, high }: { low: number; high: number }) => `(95 % interval ${value(low)} to ${value(high)})`;
  const { n, difference, higher, lower, equal, mcnemar, permutation, wilcoxon, test } = compared;
  const leftOut = pairs.onlyFirst.length + pairs.onlySecond.length;
  const decides = (name: string) => (name === test ? ', which decides' : '');
  const signs = `${permutation.method === 'exact' ? 'all' : 'drawn'} ${permutation.permutations} signs`;
  const lines = [
    bold(`${second} against ${first}`),
    `items            ${n}${leftOut > 0 ? `; left out ${leftOut}, which only one of the two has a value of` : ''}`,
    `means            ${value(compared.second.mean)} against ${value(compared.first.mean)}; ${higher} higher, ${lower} lower, ${equal} equal`,
    `difference       ${value(difference.mean)} ${within(difference)}`,
    ...(mcnemar ? [`McNemar, exact   p = ${pText(mcnemar.p)}${decides('mcnemar')}`] : []),
    `random signs     p = ${pText(permutation.p)} (${signs})${decides('permutation')}`,
    `Wilcoxon         p = ${pText(wilcoxon.p)} (${wilcoxon.method}, ${wilcoxon.n} that differ)`,
    ...(many > 1
      ? [
          `of ${many} comparisons p = ${pText(adjusted.holm)} by Holm, ${pText(adjusted.benjaminiHochberg)} by Benjamini and Hochberg`,
        ]
      : []),
    '',
    words,
  ];
  return lines.join('\n');
}

const pText = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toFixed(4));
