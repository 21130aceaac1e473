/**
 * Scores of several answers out of one reply: the reply is cut where it turns to the next answer ("Answer 2:", "2.", "回答2："),
 * and each part is read as a judge's text on one answer (src/text/verdict.ts). Before that the forms with no such headings:
 * as many lines as there are answers, or a first line with as many numbers, and nothing but scores in them.
 */
import { oneToTen, readSingleVerdict, reasonOfVerdict, type ScoreRange, type Unreadable } from '../text/verdict.ts';

export interface Scored {
  readonly score: number;
  readonly reason: string;
}

/** Of each answer, in the order shown. */
export type ListVerdict = readonly (Scored | Unreadable)[];

export function readListVerdict(text: string, count: number, range: ScoreRange = oneToTen): ListVerdict {
  const spoken = text.replace(thoughts, '').replace(/^[\s\S]*<\/think(?:ing)?>/i, '');
  if (/<think(?:ing)?>/i.test(spoken)) return allUnreadable(count, 'the judge was cut off while it was still thinking');
  const lines = spoken.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) return allUnreadable(count, 'the judge said nothing');
  const bare = bareScores(lines, count);
  if (bare) return bare.scores.map((score) => withinRange(score, bare.reason, range));
  const parts = partsOf(lines, count);
  if (parts.size === 0 && count === 1) return [readPart(spoken, range)];
  return Array.from({ length: count }, (_, i) => {
    const part = parts.get(i + 1);
    return part === undefined ? { unreadable: `nothing is said of answer ${i + 1}` } : readPart(part, range);
  });
}

const thoughts = /<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/gi;

const allUnreadable = (count: number, unreadable: string): ListVerdict => Array(count).fill({ unreadable });

/** Full-width signs as ASCII, one for one. */
const narrow = (line: string): string =>
  line.replace(/[\uFF01-\uFF5E]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));

const named =
  /^[\s>#*|-]*(?:answer|response|reply|回答|答案|回复)\s*(?:no\.?|number|#)?\s*\[?(\d{1,3})\]?(?![\d./])[\s*|]*(?:[:.)、—–-]|is\b)?[\s*]*/i;
const numbered = /^[\s>#*|-]*[[(]?(\d{1,3})[\])]?\*{0,2}(?:[.:)、](?!\d)|\s*\|)/;

/** What is said of each answer, by its number. Of one that comes up again, all of it: it must not contradict itself. */
function partsOf(lines: readonly string[], count: number): Map<number, string> {
  const headingOf = (heading: RegExp) => (line: string) => {
    const found = heading.exec(narrow(line));
    const number = Number(found?.[1]);
    return found && number >= 1 && number <= count ? { number, length: found[0].length } : undefined;
  };
  const byName = headingOf(named);
  const isNamed = lines.some((line) => byName(line));
  const find = isNamed ? byName : headingOf(numbered);
  const parts = new Map<number, string>();
  let current: number | undefined;
  for (const line of lines) {
    const heading = find(line);
    if (heading) current = heading.number;
    if (current === undefined) continue;
    const said = heading ? line.slice(heading.length) : line;
    const before = parts.get(current);
    parts.set(current, before === undefined ? said.trim() : `${before}\n${said}`);
  }
  return parts;
}

function readPart(part: string, range: ScoreRange): Scored | Unreadable {
  const verdict = readSingleVerdict(part, range);
  if ('score' in verdict) return { score: verdict.score, reason: reasonOf(part) };
  // "8 - right and short": what stands first, apart from the words behind it.
  const [whole, first] = /^\W*(\d{1,2}(?:\.\d+)?)\s*(?:[-–—|,;:]\s+|$)/.exec(narrow(part)) ?? [];
  if (whole === undefined || verdict.unreadable !== 'no score in a known form') return verdict;
  return withinRange(Number(first), part.slice(whole.length).trim(), range);
}

const reasonOf = (part: string): string =>
  reasonOfVerdict(part.replace(/\s*\[\[[^[\]]*\]\]\s*/g, ' '))
    .replace(/[\s*|]+$/, '')
    .trim();

function withinRange(score: number, reason: string, { lowest, highest }: ScoreRange): Scored | Unreadable {
  if (score >= lowest && score <= highest) return { score, reason };
  return { unreadable: `the score is ${score}, outside ${lowest}–${highest}` };
}

const score = '\\[*(\\d{1,2}(?:\\.\\d+)?)(?:\\s*/\\s*10|分)?\\]*';

/** Scores and nothing else: on the first line, or one on each line. */
function bareScores(
  lines: readonly string[],
  count: number,
): { readonly scores: readonly number[]; readonly reason: string } | undefined {
  if (count === 1) return undefined;
  const alone = new RegExp(`^[\\s*]*${score}[\\s*]*$`);
  const row = new RegExp(`^[\\s*]*${Array(count).fill(score).join('[\\s,、;]+')}[\\s*]*$`);
  const inRow = row.exec(narrow(lines[0] as string));
  if (inRow) return { scores: inRow.slice(1).map(Number), reason: lines.slice(1).join('\n').trim() };
  const each = lines.map((line) => alone.exec(narrow(line)));
  return each.length === count && each.every((found) => found)
    ? { scores: each.map((found) => Number(found?.[1])), reason: '' }
    : undefined;
}
