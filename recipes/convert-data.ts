/**
 * Data files rewritten in one form and one file: one of them is converted, several are merged. Rows keep their order, copies
 * stay copies; an id that is taken gets a number. What the form cannot say of a row stops the work, or goes to the file
 * of rejects. Rows stream: memory does not grow with their number, but for the ids.
 */

import { CardTally } from '../src/data/card.ts';
import { openDataFile } from '../src/data/data-file.ts';
import { eachRow, type RowCounts } from '../src/data/each-row.ts';
import { type FormName, writeRecord, writers } from '../src/data/formats/write.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { UniqueIds } from '../src/data/unique-ids.ts';
import { writeCard } from './data-card.ts';

export interface ConvertConfig {
  readonly files: readonly string[];
  /** Of the form that keeps everything, where it is not given. */
  readonly to?: FormName | undefined;
  readonly out: string;
  readonly rejects?: string | undefined;
  /** Where a card of the data set is to be written. */
  readonly card?: string | undefined;
}

export interface ConvertResult extends RowCounts {
  readonly out: string;
  readonly form: FormName;
  /** Rows of `out`: a comparison of several answers may become several. */
  readonly written: number;
  /** Twos of answers that are left out because neither is better. */
  readonly ties: number;
  readonly renamedIds: number;
}

export async function run(config: ConvertConfig, signal: AbortSignal): Promise<ConvertResult> {
  const { files, out, rejects, card } = config;
  const form = config.to ?? (await richestForm(files[0] as string));
  const { kind, usual } = writers[form];
  const ids = new UniqueIds();
  const tally = new CardTally();
  let written = 0;
  let ties = 0;
  const targets = [[out, usual], ...(rejects === undefined ? [] : [[rejects, 'lines'] as const])] as const;
  const counts = await withSinks(targets, async ([sink, rejectSink]) =>
    eachRow(files, { kind, reject: rejectSink?.write, signal }, async ({ record }) => {
      const made = writeRecord(form, record);
      if ('problem' in made) return made;
      for (const row of made.rows) await sink?.write('id' in row ? { ...row, id: ids.take(row.id as string) } : row);
      written += made.rows.length;
      ties += made.ties ?? 0;
      tally.add(record);
      return undefined;
    }),
  );
  if (card !== undefined) writeCard(card, { out, form, tally, filters: [{ name: 'reading', ...counts }] });
  return { out, form, ...counts, written, ties, renamedIds: ids.renamed };
}

/** As pairs, answers that are listed by rank would no longer stand together, and what is tied or undecided would be left out. */
async function richestForm(file: string): Promise<FormName> {
  const data = await openDataFile(file);
  await data.close();
  if (data.kind === 'conversations') return 'messages';
  return data.form === 'ranked' || data.form === 'comparison-pairs' ? 'ranked' : 'preference';
}
