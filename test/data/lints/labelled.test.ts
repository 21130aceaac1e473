/**
 * How often each rule is right, on rows of ours that people labelled: English and Chinese, sound ones that stand near a rule
 * among them, and broken ones that no rule finds. The figures are what was measured, so a change for the worse or the
 * better is seen; they say little of other data, whose rows are not chosen.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadLanguageDetector } from '../../../src/data/detect-language.ts';
import { marksOf } from '../../../src/data/lints/translation.ts';
import { type LintRule, lint, lintRules } from '../../../src/data/lints.ts';

interface Labelled {
  readonly id: string;
  readonly language: 'en' | 'zh' | null;
  readonly instruction: string;
  readonly output: string;
  readonly finishReason?: string;
  readonly source?: string;
  readonly labels: readonly LintRule[];
}

const rows = readFileSync(join(import.meta.dirname, 'labelled.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Labelled);

async function findings(): Promise<Map<string, readonly LintRule[]>> {
  const { detect: languageOf } = await loadLanguageDetector();
  return new Map(
    rows.map(({ id, language, instruction, output, finishReason, source }) => {
      const turns = [
        { role: 'user', content: instruction },
        { role: 'assistant', content: output },
      ] as const;
      const marks = source === undefined ? undefined : marksOf(source);
      const context = { language: language ?? undefined, finishReason, source: marks, languageOf };
      return [id, lint(turns, context).map(({ rule }) => rule)];
    }),
  );
}

test('both languages, and rows of every rule', () => {
  const count = (language: Labelled['language']) => rows.filter((row) => row.language === language).length;
  expect([count('en') >= 30, count('zh') >= 30, new Set(rows.map(({ id }) => id)).size]).toEqual([
    true,
    true,
    rows.length,
  ]);
  for (const rule of lintRules)
    expect(rows.filter(({ labels }) => labels.includes(rule)).length, rule).toBeGreaterThan(1);
});

test('precision and recall of each rule, as measured', async () => {
  const found = await findings();
  const measured = Object.fromEntries(
    lintRules.map((rule) => {
      const wrong = rows.filter(({ id, labels }) => found.get(id)?.includes(rule) && !labels.includes(rule));
      const missed = rows.filter(({ id, labels }) => !found.get(id)?.includes(rule) && labels.includes(rule));
      const right = rows.filter(({ id, labels }) => found.get(id)?.includes(rule) && labels.includes(rule)).length;
      return [rule, { right, wrong: wrong.map(({ id }) => id), missed: missed.map(({ id }) => id) }];
    }),
  );
  expect(measured).toEqual({
    empty: { right: 2, wrong: [], missed: [] },
    echo: { right: 3, wrong: [], missed: ['echo-reworded'] },
    cut: {
      right: 9,
      wrong: ['en-poem-comma', 'cut-no-stop'],
      missed: ['cut-silent', 'cut-list-silent', 'cut-zh-silent'],
    },
    refusal: { right: 8, wrong: ['refuse-move'], missed: ['refuse-roundabout', 'refuse-zh-roundabout'] },
    repetition: { right: 3, wrong: ['repeat-asked'], missed: [] },
    untranslated: { right: 3, wrong: ['un-term'], missed: ['un-short'] },
    'wrong-language': { right: 6, wrong: [], missed: ['wrong-short'] },
    'not-text': { right: 7, wrong: ['see-painting'], missed: ['see-above'] },
    'lost-in-translation': { right: 3, wrong: ['kept-round'], missed: ['lost-small'] },
  });
  const rate = (rule: LintRule) => {
    const { right, wrong, missed } = measured[rule] as (typeof measured)[string];
    const share = (of: number): number => Number((right / of).toFixed(2));
    return { precision: share(right + wrong.length), recall: share(right + missed.length) };
  };
  expect(Object.fromEntries(lintRules.map((rule) => [rule, rate(rule)]))).toEqual({
    empty: { precision: 1, recall: 1 },
    echo: { precision: 1, recall: 0.75 },
    cut: { precision: 0.82, recall: 0.75 },
    refusal: { precision: 0.89, recall: 0.8 },
    repetition: { precision: 0.75, recall: 1 },
    untranslated: { precision: 0.75, recall: 0.75 },
    'wrong-language': { precision: 1, recall: 0.86 },
    'not-text': { precision: 0.88, recall: 0.88 },
    'lost-in-translation': { precision: 0.75, recall: 0.75 },
  });
});
