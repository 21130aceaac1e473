/**
 * Prompts that are text files in assets/prompts: a first line `version: <n>`, then parts, each after a line `---`, with
 * places to fill in as `{name}`. A changed text is a new request and is bought again; the version is for people.
 */
import { join } from 'node:path';
import { DataError, invariant } from '../base/errors.ts';
import { readText } from '../base/jsonl.ts';
import { assetsFolder } from '../base/paths.ts';

export interface Prompt {
  readonly version: number;
  readonly parts: readonly string[];
}

export const promptFile = (name: string): string => join(assetsFolder, 'prompts', `${name}.txt`);

/** Throws DataError where the file has no version, not as many parts, or another place to fill in than `places`. */
export function readPrompt(file: string, numParts: number, places: readonly string[]): Prompt {
  const [head = '', ...parts] = readText(file)
    .replaceAll('\r\n', '\n')
    .split(/^---\n/m)
    .map((part) => part.trim());
  const version = /^version: (\d+)$/.exec(head)?.[1];
  const issues = [
    ...(version === undefined ? [{ message: 'expected a first line "version: <n>", then a line "---"' }] : []),
    ...(parts.length === numParts
      ? []
      : [{ message: `expected ${numParts} parts after "---", found ${parts.length}` }]),
    ...parts.flatMap((part, i) =>
      placesIn(part)
        .filter((name) => !places.includes(name))
        .map((name) => ({ path: `part ${i + 1}`, message: `expected places ${places.join(', ')}, found {${name}}` })),
    ),
  ];
  if (issues.length > 0) throw new DataError(file, issues);
  return { version: Number(version), parts };
}

const placesIn = (part: string): string[] => [...part.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);

export function fillPrompt(part: string, values: Readonly<Record<string, string | number>>): string {
  return part.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    invariant(value !== undefined, `fillPrompt: no value for {${name}}`);
    return String(value);
  });
}
