import type { Coefficient, CriterionAgreement } from '../../src/evaluate/agreement.ts';
import { type Command, command } from '../command.ts';
import { bold, print, printJson } from '../terminal.ts';

export function agreementCommand(): Command {
  return command('agreement', 'how far raters agree beyond chance: Fleiss’ κ and Krippendorff’s α, by criterion', [
    'evaluate agreement votes.jsonl --json',
  ])
    .argument('<votes>', 'JSONL or JSON array; rows {item, rater, criterion?, choice}')
    .option('--json', 'print one JSON document')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { agreementByCriterion, readVotes } = await import('../../src/evaluate/agreement.ts');
      const criteria = agreementByCriterion(readVotes(file));
      if (json) return printJson({ criteria });
      const tables: string[] = [];
      for (const one of criteria) tables.push(await table(one));
      print(tables.join('\n\n'));
    });
}

async function table(agreement: CriterionAgreement): Promise<string> {
  const { fixed, plural, share } = await import('../../src/report/format.ts');
  const { criterion, items, votes, raters, votesPerItem, comparedItems, choices } = agreement;
  const { least, most } = votesPerItem;
  const each = least === most ? `${most}` : `${least} to ${most}`;
  const coefficient = (name: string, { value, low, high, reason, undefinedDraws = 0 }: Coefficient) => {
    const interval = low === null || high === null ? '' : ` (95 % interval ${fixed(low, 3)} to ${fixed(high, 3)})`;
    const why = reason === undefined ? '' : ` (${reason})`;
    const left = undefinedDraws === 0 ? '' : `, ${undefinedDraws} of 10000 draws left out: all for one choice`;
    return `  ${name.padEnd(18)}${value === null ? '–' : fixed(value, 3)}${interval}${why}${left}`;
  };
  return [
    bold(criterion ?? 'all votes'),
    `  ${plural(votes, 'vote')} of ${plural(raters, 'rater')} on ${plural(items, 'item')}, ${each} an item; ` +
      `${comparedItems} with two or more`,
    ...Object.entries(choices).map(([choice, ofChoice]) => `  ${choice.padEnd(18)}${share(ofChoice, votes)}`),
    coefficient('Fleiss’ κ', agreement.fleissKappa),
    coefficient('Krippendorff’s α', agreement.krippendorffAlpha),
  ].join('\n');
}
