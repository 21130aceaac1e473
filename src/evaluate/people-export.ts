/** People's votes as files: CSV (RFC 4180) for spreadsheets, rows for JSON Lines; `readVotes` of agreement.ts reads the latter. */
import type { PeopleVote } from './people.ts';

const columns = [
  'item',
  'rater',
  'criterion',
  'choice',
  'modelA',
  'modelB',
  'seconds',
  'order',
  'comment',
  'attention',
] as const satisfies readonly (keyof PeopleVote)[];

/** Members in the order of the columns. */
export const exportedRow = (vote: PeopleVote): PeopleVote =>
  Object.fromEntries(columns.map((name) => [name, vote[name]])) as unknown as PeopleVote;

/**
 * With a header. A text that a spreadsheet would take for a formula gets an apostrophe before it: comments come from whoever
 * had a link.
 */
export function votesToCsv(votes: readonly PeopleVote[]): string {
  const lines = [columns.join(','), ...votes.map((vote) => columns.map((name) => cell(vote[name])).join(','))];
  return lines.map((line) => `${line}\r\n`).join('');
}

function cell(value: PeopleVote[(typeof columns)[number]]): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
