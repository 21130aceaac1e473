/**
 * An instance of a task in a teacher's reply: the input and the output behind their headings, or an input alone. A heading
 * that stands there twice could be the text's own: such a reply is not read at all rather than cut in the wrong place.
 */
import { heading, noInput } from './parse.ts';

export interface ParsedInstance {
  /** '' where the teacher says that there is none. */
  readonly input: string;
  readonly output: string;
}

const inputHeading = heading('input|输入');
const outputHeading = heading('output|输出');
const labelHeading = heading('label|标签');

export function parseInstance(reply: string): ParsedInstance | undefined {
  const lines = linesOf(reply);
  const input = onlyPlace(lines, inputHeading);
  const output = onlyPlace(lines, outputHeading);
  if (input === undefined || output === undefined || output < input) return undefined;
  return { input: inputOf(lines.slice(input, output)), output: textOf(lines.slice(output), outputHeading) };
}

/** '' where the teacher says that there is none. */
export function parseInput(reply: string): string | undefined {
  const lines = linesOf(reply);
  const at = onlyPlace(lines, inputHeading);
  const isMore = lines.some((line) => outputHeading.test(line) || labelHeading.test(line));
  return at === undefined || isMore ? undefined : inputOf(lines.slice(at));
}

const linesOf = (reply: string): string[] => reply.replaceAll('\r\n', '\n').split('\n');

function onlyPlace(lines: readonly string[], expression: RegExp): number | undefined {
  const places = lines.flatMap((line, i) => (expression.test(line) ? [i] : []));
  return places.length === 1 ? places[0] : undefined;
}

const textOf = (lines: readonly string[], before: RegExp): string => lines.join('\n').replace(before, '').trim();

function inputOf(lines: readonly string[]): string {
  const input = textOf(lines, inputHeading);
  return noInput.test(input) ? '' : input;
}
