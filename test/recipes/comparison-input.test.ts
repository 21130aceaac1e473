import { join } from 'node:path';
import { expect, it } from 'vitest';
import { refuseNothingToRank } from '../../recipes/comparison-input.ts';
import { DataError } from '../../src/base/errors.ts';
import { encodeGroups } from '../../src/data/answer-groups.ts';
import type { Preference } from '../../src/data/preferences.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';

const model = join(import.meta.dirname, '../golden/llama-tied');
const tokenizer = loadTokenizer(model);
const template = loadChatTemplate(model, tokenizer);
type Answers = readonly (readonly [content: string, rank: number])[];
const long = 'so long '.repeat(400);

/** What is said of prompts with such answers. */
function saidOf(...prompts: readonly Answers[]): Pick<DataError, 'hint' | 'issues'> | undefined {
  const preferences = prompts.map((answers, i): Preference => {
    const prompt = [{ role: 'user', content: 'Say it.' } as const];
    return {
      id: `p${i}`,
      prompt,
      answers: answers.map(([content, rank]) => ({ content, rank })),
      provenance: { source: 'imported', row: i },
    };
  });
  const { receipt } = encodeGroups(preferences, tokenizer, template, 200);
  try {
    refuseNothingToRank({ data: ['ranked.jsonl'] }, receipt);
    return undefined;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return error;
  }
}

const tie: Answers = [
  ['yes', 1],
  ['no', 1],
];
const same: Answers = [
  ['yes', 1],
  ['yes', 2],
];
const tooLong: Answers = [
  [long, 1],
  ['no', 2],
];

it.each<[string, readonly Answers[], string]>([
  ['ties', [tie, tie], 'ties: 2, judge them again, head to head'],
  ['equal text', [same], 'pairs of equal text: 1, which teach nothing'],
  ['too long', [tooLong], 'answers that are too long: 1, raise --max-tokens'],
  [
    'some of each',
    [tie, same, same, tooLong, [[long, 1]]],
    'ties: 1, judge them again, head to head; pairs of equal text: 2, which teach nothing; ' +
      'answers that are too long: 2, raise --max-tokens',
  ],
  ['one answer', [[['yes', 1]]], 'give each prompt two answers, of which one is better'],
  ['no prompts', [], 'give each prompt two answers, of which one is better'],
])('says what there was instead of pairs: %s', (_, prompts, hint) => {
  const said = saidOf(...prompts);
  expect(said?.hint).toBe(hint);
  expect(said?.issues.length).toBeGreaterThanOrEqual(Math.max(1, prompts.length));
});

it('says nothing where one pair is left', () => {
  expect(saidOf(tie, same, tooLong, [...tie, ['worse', 2]])).toBeUndefined();
});
