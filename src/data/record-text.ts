/**
 * What filters compare of a row as it stands in a file. Rows that training would refuse have texts all the same: an empty
 * answer, an instruction without one.
 */
import { isThere, type Members, type Turn } from './formats/row.ts';
import { shapeOf } from './formats/shapes.ts';

/** Its `instruction`, or the first turn of the user. Undefined where it has neither as a text. */
export function instructionText(row: Members): string | undefined {
  const { instruction } = row;
  if (isThere(instruction)) return typeof instruction === 'string' ? instruction : undefined;
  return turnsOf(row)?.find(({ role }) => role === 'user')?.content;
}

/** All that is said in it, answers included, by lines. */
export function wholeText(row: Members): string | undefined {
  const said = turnsOf(row)?.map(({ content }) => content);
  if (said && said.length > 0) return said.join('\n');
  const { instruction, input } = row;
  if (typeof instruction !== 'string') return undefined;
  return typeof input === 'string' ? `${instruction}\n${input}` : instruction;
}

function turnsOf(row: Members): readonly Pick<Turn, 'role' | 'content'>[] | undefined {
  const shape = shapeOf(row);
  if (!shape) return undefined;
  // Whether the row is sound is another's question.
  if (shape.kind === 'conversations') return shape.read(row, () => {}).turns;
  const { prompt, answers } = shape.read(row, () => {});
  return [...prompt, ...answers.map(({ content }) => ({ role: 'assistant' as const, content }))];
}
