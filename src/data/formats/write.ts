/** The table of the forms that files are written in. `messages` and `ranked` keep everything that a record knows. */
import type { Preference } from '../preferences.ts';
import type { Conversation } from '../records.ts';
import { toAlpacaRow } from './alpaca.ts';
import { toComparisonPairsRow, toComparisonV1Rows, toComparisonV2Row } from './gpt4-llm.ts';
import { toMessagesRow, toOpenAiRow } from './messages.ts';
import { toRankedRow } from './ranked.ts';
import { type DataRecord, isPreference } from './read-row.ts';
import type { Written } from './row.ts';
import { toShareGptRow } from './sharegpt.ts';
import { toPreferenceRows, toPromptCompletionRow } from './trl.ts';

interface WriterOf<Kind extends string, Record> {
  readonly kind: Kind;
  /** How such files are written where their name does not say. */
  readonly usual: 'array' | 'lines';
  write(record: Record): Written;
}
type Writer = WriterOf<'conversations', Conversation> | WriterOf<'preferences', Preference>;

/** A form in which every answer is learned: one that is not cannot be said. */
const allLearned =
  (toRow: (conversation: Conversation) => object) =>
  (conversation: Conversation): Written =>
    conversation.messages.some(({ weight }) => weight === 0)
      ? { problem: 'an answer has weight 0, and in this form every answer is learned' }
      : { rows: [toRow(conversation)] };

const table = {
  messages: { kind: 'conversations', usual: 'lines', write: (record) => ({ rows: [toMessagesRow(record)] }) },
  openai: { kind: 'conversations', usual: 'lines', write: (record) => ({ rows: [toOpenAiRow(record)] }) },
  sharegpt: { kind: 'conversations', usual: 'array', write: allLearned(toShareGptRow) },
  alpaca: { kind: 'conversations', usual: 'array', write: allLearned(toAlpacaRow) },
  'prompt-completion': { kind: 'conversations', usual: 'lines', write: toPromptCompletionRow },
  preference: { kind: 'preferences', usual: 'lines', write: toPreferenceRows },
  ranked: { kind: 'preferences', usual: 'lines', write: (record) => ({ rows: [toRankedRow(record)] }) },
  'comparison-v1': { kind: 'preferences', usual: 'array', write: toComparisonV1Rows },
  'comparison-v2': { kind: 'preferences', usual: 'array', write: toComparisonV2Row },
  'comparison-pairs': { kind: 'preferences', usual: 'array', write: toComparisonPairsRow },
} satisfies Record<string, Writer>;

export type FormName = keyof typeof table;

export const formNames = Object.keys(table) as FormName[];

export const writers: Readonly<Record<FormName, Writer>> = table;

/** A record of the other kind is a problem too. */
export function writeRecord(form: FormName, record: DataRecord): Written {
  const writer = writers[form];
  if (writer.kind === 'conversations' && !isPreference(record)) return writer.write(record);
  if (writer.kind === 'preferences' && isPreference(record)) {
    const written = writer.write(record);
    const saysNothing = 'rows' in written && written.rows.length === 0;
    return saysNothing ? { problem: 'all answers are tied: none is better than another' } : written;
  }
  return {
    problem: `${form} holds ${writer.kind}, and this row is ${isPreference(record) ? 'a preference' : 'a conversation'}`,
  };
}
