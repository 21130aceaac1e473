/** A row of collected conversations: what it gives, and what of it cannot be used, with the reason. */
import type { Line } from '../base/jsonl.ts';
import type { Message } from '../base/message.ts';
import { isObject } from '../base/rows.ts';
import { placeId } from './formats/read-row.ts';
import { type HtmlMode, importTurns, type Mend } from './import-turns.ts';
import type { Conversation } from './records.ts';
import { type BrokenLine, isBroken } from './row-stream.ts';
import type { SplitConversation } from './split-turns.ts';

export interface ImportSettings {
  readonly html: HtmlMode;
  /** ISO 639-1, where the text says it clearly. */
  readonly languageOf: (text: string) => string | undefined;
  /** Why conversations in a language are refused; undefined where they are not. */
  readonly refuseLanguage: (language: string | undefined) => string | undefined;
  readonly split: (messages: readonly Message[]) => SplitConversation;
}

export interface ImportedRow {
  /** The parts of one conversation; none where the row is refused. */
  readonly conversations: readonly Conversation[];
  readonly refused: readonly { readonly reason: string; readonly detail: string }[];
  readonly mends: readonly Mend[];
}

/** The reason of rows that are no conversation at all. */
export const brokenRow = 'broken row';

export function importRow(line: Line | BrokenLine, file: string, settings: ImportSettings): ImportedRow {
  const { row } = line;
  if (isBroken(line)) return refusal(brokenRow, line.message);
  const imported = importTurns(line.value, settings.html);
  if ('reason' in imported) return refusal(imported.reason, imported.detail);
  const { messages, mends } = imported;
  const language = settings.languageOf(messages.map(({ content }) => content).join('\n'));
  const refused = settings.refuseLanguage(language);
  if (refused !== undefined) return refusal(refused);
  const { parts, tooLong } = settings.split(messages);
  const id = idOf(line.value) ?? placeId(file, row);
  const conversations = parts.map((part, i): Conversation => {
    return {
      id: parts.length === 1 ? id : `${id}#${i + 1}`,
      messages: part,
      ...(language === undefined ? {} : { language }),
      provenance: { source: 'imported', file, row },
    };
  });
  const rejects = tooLong.map(({ place, tokens }) => {
    return { reason: 'question and answer too long', detail: `question ${place} with its answer: ${tokens} tokens` };
  });
  return { conversations, refused: rejects, mends };
}

const refusal = (reason: string, detail = ''): ImportedRow => {
  return { conversations: [], refused: [{ reason, detail }], mends: [] };
};

function idOf(value: unknown): string | undefined {
  const id = isObject(value) ? value['id'] : undefined;
  return (typeof id === 'string' && id !== '') || Number.isSafeInteger(id) ? String(id) : undefined;
}
