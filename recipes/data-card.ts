/** Writes the card of a file that a command has made, from what it counted on the way. */
import { basename, dirname, relative } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { version } from '../src/base/paths.ts';
import { type CardFacts, type CardTally, datasetCard } from '../src/data/card.ts';

export interface CardInput {
  readonly out: string;
  readonly form: string;
  readonly tally: CardTally;
  readonly filters: CardFacts['filters'];
  /** What else is known: prompts, dates, licence. */
  readonly known?: Partial<Pick<CardFacts, 'prompts' | 'asked' | 'license' | 'licenseNotes'>>;
}

export function writeCard(file: string, { out, form, tally, filters, known = {} }: CardInput): void {
  const card = datasetCard({
    title: basename(out).replace(/\..*$/, ''),
    files: [{ path: relative(dirname(file), out), split: 'train', form }],
    rows: tally.rows,
    languages: tally.languages,
    sources: tally.sources,
    teachers: tally.teachers,
    filters,
    ...known,
    made: { date: new Date().toISOString().slice(0, 10), by: `Understudy ${version}` },
  });
  writeFileAtomic(file, card);
}
