/** The card of what a teacher has made, from the rows and the ledger as they stand. */
import { join } from 'node:path';
import { CardTally } from '../src/data/card.ts';
import type { DataRecord } from '../src/data/formats/read-row.ts';
import { streamRows } from '../src/data/row-stream.ts';
import { promptFile, readPrompt } from '../src/generate/prompts.ts';
import type { Ledger } from '../src/teacher/ledger.ts';
import { type CardInput, writeCard } from './data-card.ts';
import type { MadeData } from './made-data.ts';
import type { TranslatedData } from './translate.ts';

/** Calls looked up in the ledger at a time. */
const chunkSize = 500;

/** `file`: of the card; `folder`: where the data are. */
export async function writeMadeCard(
  file: string,
  folder: string,
  made: MadeData | TranslatedData,
  ledger: Pick<Ledger, 'lookup'>,
): Promise<void> {
  const out = join(folder, made.file);
  const tally = new CardTally();
  const times = new CallTimes(ledger);
  if (made.rows > 0) {
    for await (const line of streamRows(out)) {
      const row = (line as { value: unknown }).value as Pick<DataRecord, 'language' | 'provenance'>;
      tally.add(row);
      times.add(row.provenance.calls ?? []);
    }
  }
  const asked = times.range();
  const prompts = 'translated' in made ? { prompts: [versionOf('translate-task')] } : {};
  writeCard(file, {
    out,
    form: 'messages',
    tally,
    filters: steps(made),
    known: { ...prompts, ...(asked && { asked }) },
  });
}

const versionOf = (name: string) => ({
  name,
  version: readPrompt(promptFile(name), 1, ['language', 'task']).version,
});

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

/** What went into each step, and what it took away. */
function steps(made: MadeData | TranslatedData): CardInput['filters'] {
  const last = { name: made.name, rows: made.rows + sum(made.rejected), rejected: made.rejected };
  if (!('translated' in made)) return [last];
  const { translated, untranslated } = made;
  const first = { name: 'translation', rows: translated + sum(untranslated), rejected: untranslated };
  return [first, { ...last, name: 'answers' }];
}

/** When the first and the last of some calls were answered. */
class CallTimes {
  readonly #ledger: Pick<Ledger, 'lookup'>;
  #keys: string[] = [];
  #from: string | undefined;
  #to: string | undefined;

  constructor(ledger: Pick<Ledger, 'lookup'>) {
    this.#ledger = ledger;
  }

  add(keys: readonly string[]): void {
    this.#keys.push(...keys);
    if (this.#keys.length >= chunkSize) this.#look();
  }

  /** ISO dates; undefined where no call is in the ledger. */
  range(): { readonly from: string; readonly to: string } | undefined {
    this.#look();
    return this.#from && this.#to ? { from: this.#from.slice(0, 10), to: this.#to.slice(0, 10) } : undefined;
  }

  #look(): void {
    for (const { finishedAt } of this.#ledger.lookup(this.#keys).values()) {
      if (finishedAt === undefined) continue;
      if (this.#from === undefined || finishedAt < this.#from) this.#from = finishedAt;
      if (this.#to === undefined || finishedAt > this.#to) this.#to = finishedAt;
    }
    this.#keys = [];
  }
}
