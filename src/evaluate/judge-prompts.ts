/**
 * The judge's wording: text files in assets/prompts, there to be edited. The first line is `version: <n>`; then sections,
 * each under a line `--- <name>`, with places to fill in as `{name}`. Of each mode and language one file says what is asked
 * and how a verdict is written; judge-points-<language> says what counts in which kind of task. Results carry the
 * versions and a hash of both files: verdicts under different wordings are not comparable.
 */
import { join } from 'node:path';
import { DataError, type DataIssue, invariant } from '../base/errors.ts';
import { sha256 } from '../base/hash.ts';
import { readText } from '../base/jsonl.ts';
import { assetsFolder } from '../base/paths.ts';
import type { JudgeMode, PromptId } from './judge-rows.ts';

export interface PromptFile {
  readonly file: string;
  readonly version: number;
  readonly sections: ReadonlyMap<string, string>;
  readonly sha256: string;
}

/** Section → the places it has, each of them once. */
type Wanted = Readonly<Record<string, readonly string[]>>;

/** Throws DataError with all that is wrong: no version, a section that is missing, a place that is missing or unknown. */
export function readPromptFile(name: string, wanted: Wanted): PromptFile {
  const file = join(assetsFolder, 'prompts', `${name}.txt`);
  const text = readText(file).replaceAll('\r\n', '\n');
  const [head = '', ...pieces] = text.split(/^--- (\S+)\n/m);
  const version = /^version: (\d+)$/.exec(head.trim())?.[1];
  const sections = new Map<string, string>();
  for (let i = 0; i < pieces.length; i += 2) sections.set(pieces[i]!, pieces[i + 1]!.trim());
  const issues: DataIssue[] = [];
  if (version === undefined) issues.push({ row: 1, message: 'expected "version: <number>" on the first line' });
  for (const [section, places] of Object.entries(wanted)) {
    const found = sections.get(section);
    if (found === undefined) issues.push({ message: `expected a section under a line "--- ${section}"` });
    else if (placesIn(found).join() !== [...places].sort().join()) {
      const expected = places.length === 0 ? 'no {places}' : `once each ${places.map((one) => `{${one}}`).join(', ')}`;
      const got = placesIn(found).map((one) => `{${one}}`);
      issues.push({ path: section, message: `expected ${expected}, found ${got.join(', ') || 'none'}` });
    }
  }
  if (issues.length > 0) throw new DataError(file, issues);
  return { file, version: Number(version), sections, sha256: sha256(text) };
}

const place = /\{(\w+)\}/g;
const placesIn = (text: string): string[] => [...text.matchAll(place)].map(([, name]) => name as string).sort();

/** In one pass: a text with "{second}" in it stays as it is. Places without a value stay too. */
export const fillPlaces = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(place, (whole, name: string) => values[name] ?? whole);

/** A kind of task, or a circumstance, that the judge is told what counts in. */
export const points = ['general', 'coding', 'math', 'guided', 'turns'] as const;
export type Point = (typeof points)[number];

export interface JudgePrompt {
  readonly id: PromptId;
  /** What is asked, with places for question, reference and answers. */
  asking(which: readonly Point[]): string;
  /** Said where no verdict could be read. */
  readonly complaint: string;
  /** What stands before a text that is shown. */
  label(name: 'rules' | 'user' | 'assistant' | 'turn' | 'earlier' | 'last', turn?: number): string;
}

export type PromptLanguage = 'en' | 'zh';

/** Chinese questions are judged in Chinese, all others in English. */
export const promptLanguage = (language: string): PromptLanguage => (/^zh\b/i.test(language) ? 'zh' : 'en');

const shownIn: Readonly<Record<JudgeMode, readonly [name: string, places: readonly string[]]>> = {
  single: ['judge-single', ['question', 'reference', 'answer', 'points']],
  pair: ['judge-choice', ['question', 'reference', 'first', 'second', 'points']],
  reference: ['judge-scores', ['question', 'reference', 'first', 'second', 'points']],
};

export function readJudgePrompt(mode: JudgeMode, language: PromptLanguage): JudgePrompt {
  const [stem, places] = shownIn[mode];
  const name = `${stem}-${language}`;
  const own = readPromptFile(name, { asking: places, complaint: [] });
  const labels = { rules: [], user: [], assistant: [], turn: ['n'], earlier: ['n'], last: ['n'] };
  const ofPoints = Object.fromEntries(points.map((point) => [point, []]));
  const shared = readPromptFile(`judge-points-${language}`, { ...ofPoints, reference: ['reference'], ...labels });
  const section = (from: PromptFile, which: string): string => {
    const text = from.sections.get(which);
    invariant(text !== undefined, `${from.file}: section ${which}`);
    return text;
  };
  return {
    id: {
      name,
      version: own.version,
      pointsVersion: shared.version,
      sha256: sha256([own.sha256, shared.sha256]),
    },
    asking(which) {
      const said = which.map((point) => section(shared, point)).join('\n\n');
      const reference = which.includes('guided') ? section(shared, 'reference') : '';
      return fillPlaces(section(own, 'asking'), { points: said, reference }).replace(/\n{3,}/g, '\n\n');
    },
    complaint: section(own, 'complaint'),
    label: (which, turn = 1) => fillPlaces(section(shared, which), { n: String(turn) }),
  };
}
