/** Attention checks: questions of our own with a sound answer and one that is plainly about something else, or nonsense. */
import { join } from 'node:path';
import { invariant } from '../../src/base/errors.ts';
import { parseJsonl, readText } from '../../src/base/jsonl.ts';
import { assetsFolder } from '../../src/base/paths.ts';

export interface AttentionCheck {
  readonly id: string;
  readonly language: string;
  readonly question: string;
  readonly good: string;
  readonly other: string;
}

/** Those in one of `languages`; English ones where there are none. */
export function readAttentionChecks(languages: readonly string[]): AttentionCheck[] {
  const file = join(assetsFolder, 'people', 'attention-checks.jsonl');
  const all = parseJsonl(readText(file), file).map(({ value }) => {
    const { id, language, question, good, other } = value as Partial<AttentionCheck>;
    invariant(id && language && question && good && other, `${file} has an incomplete row`);
    return { id, language, question, good, other };
  });
  const own = all.filter(({ language }) => languages.includes(language));
  return own.length > 0 ? own : all.filter(({ language }) => language === 'en');
}
