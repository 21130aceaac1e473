/** Answers that say the task again. */
import { unicodeWords } from '../novelty.ts';

/** Fewer words or Chinese characters are said again by chance: an answer may be a name that stands in the task. */
const leastEchoUnits = 4;

/** It says the whole task again and little else, or the first half of it or more and no more than that. */
export function isEcho(instruction: string, answer: string): boolean {
  const units = (text: string): string[] => unicodeWords(text.replaceAll(/\p{Script=Han}/gu, ' $& '));
  const [asked, said] = [units(instruction), units(answer)];
  if (Math.min(asked.length, said.length) < leastEchoUnits) return false;
  const [whole, part] = [asked, said].map((list) => ` ${list.join(' ')} `) as [string, string];
  // Beyond twice the length the task is a heading, and an answer follows.
  if (part.includes(whole)) return said.length < 2 * asked.length;
  return whole.startsWith(part) && 2 * said.length >= asked.length;
}
