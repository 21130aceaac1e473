/** What `data dedupe` can be asked for, and the names of what it writes. */
import { existsSync, realpathSync } from 'node:fs';
import { compressionOfName } from '../src/base/compression.ts';
import { ConfigError } from '../src/base/errors.ts';
import type { Fraction } from '../src/data/novelty.ts';
import { formOf } from '../src/data/object-rows.ts';
import type { Container } from '../src/data/row-sink.ts';

export interface DedupeConfig {
  readonly inputs: readonly string[];
  readonly out: string;
  /** Filters that are not asked for do not run. */
  readonly exact: boolean;
  readonly novelty?: Fraction | undefined;
  /** Estimated Jaccard similarity, above 0 and at most 1. */
  readonly near?: number | undefined;
}

export const rejectsName = (out: string): string => `${out}.rejects.jsonl`;

const extensions: Record<Container, string> = { array: '.json', lines: '.jsonl', parquet: '.parquet' };
const compressions = { gzip: '.gz', zstd: '.zst' };

/** A name for a file in the inputs' form; compressed where `out` says so. */
export function sinkName(out: string, container: Container): string {
  const compression = compressionOfName(out);
  return `kept${extensions[container]}${compression ? compressions[compression] : ''}`;
}

/** Throws ConfigError for what cannot be done, and for files that are not of one form. Returns how they are written. */
export async function checkDedupe({ inputs, out, exact, novelty, near }: DedupeConfig): Promise<Container> {
  if (!exact && novelty === undefined && near === undefined) {
    throw new ConfigError('no filter is asked for: nothing would be dropped', {
      hint: 'give one or more of --exact, --novelty 0.7, --near 0.8',
    });
  }
  if (near !== undefined && !(near > 0 && near <= 1)) {
    throw new ConfigError(`near: expected a similarity above 0 and at most 1, got ${near}`);
  }
  const [first, ...others] = await Promise.all(inputs.map(async (file) => ({ file, ...(await formOf(file)) })));
  if (!first) throw new ConfigError('expected a file to read, got none');
  if (existsSync(out) && inputs.some((file) => realpathSync(file) === realpathSync(out))) {
    throw new ConfigError(`${out} is one of the files to read`, { hint: 'choose another --out' });
  }
  const other = others.find(({ shape }) => shape !== first.shape);
  if (other) {
    const name = (shape: string | undefined): string => shape ?? 'of no known shape';
    throw new ConfigError(`${first.file} is ${name(first.shape)}, ${other.file} is ${name(other.shape)}`, {
      hint: 'what is kept is written in the form of the input: make one form of them with data convert',
    });
  }
  return first.container;
}
