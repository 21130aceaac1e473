/**
 * The new task in a teacher's answer. Small teachers put numbers, headings, quotation marks and chatter around it, go
 * on to further tasks, or answer their own: all that is taken away. What is left is judged elsewhere (filter.ts).
 */
import { alpacaPrompt } from '../data/formats.ts';

export interface ParsedInstruction {
  /** '' where the answer has none. */
  readonly text: string;
  /** Something followed it: the instruction is whole even where the answer was cut off. */
  readonly closed: boolean;
}

/** “Sure, here is a new task:” on a line of its own; not “Here is a list of words:”, which is the task's. */
const preambles = [
  /^(?:sure|certainly|of course|okay|ok)\b[^\n]*[:!.]\s*\n+/iu,
  /^(?:here(?:['’]s| is| are)|this is)\b[^\n]*\b(?:task|instruction|question|prompt|one)s?\b[^\n]*:\s*\n+/iu,
  /^(?:好的|当然)[^\n]*[：:！!。]\s*\n+/u,
  /^(?:以下|下面|这)[^\n]*(?:任务|指令|题目)[^\n]*[：:]\s*\n+/u,
];

const number = String.raw`(?:\(?(\d{1,3})[.):、．）](?!\d)|第(\d{1,3})[个题][:：、]?)`;
const numbered = new RegExp(
  String.raw`^\s*(?:#+\s*)?(?:\*\*)?(?:(?:task|instruction|任务|指令)\s*)?${number}(?:\*\*)?\s*`,
  'iu',
);
/** A line's beginning that names what follows: “Input:”, “**输入：**”. */
export const heading = (names: string): RegExp =>
  new RegExp(String.raw`^\s*(?:#+\s*)?(?:\*\*)?(?:${names})(?:\*\*)?\s*[:：](?:\*\*)?\s*`, 'iu');
const taskHeading = heading('new task|new instruction|instruction|task|prompt|新任务|新指令|任务|指令|题目');
const inputHeading = heading('input|输入');
const outputHeading = heading(
  'output|answer|response|solution|example output|assistant|输出|答案|回答|解答|参考答案|助手',
);
/** An input that says there is none. */
export const noInput = /^[<(（[]?\s*(?:no\s?input|none|n\/a|empty|无|没有)\s*[>)）\]]?[.。]?$/iu;

const quotes = [
  ['"', '"'],
  ['“', '”'],
  ["'", "'"],
  ['‘', '’'],
  ['「', '」'],
  ['**', '**'],
] as const;

/** `withInput`: an input that the teacher wrote belongs to the task; else it is left out. */
export function parseInstruction(answer: string, withInput = true): ParsedInstruction {
  const said = preambles.reduce((text, preamble) => text.replace(preamble, ''), answer.replaceAll('\r\n', '\n').trim());
  const { own, closed } = ownLines(said.split('\n'));
  const inputAt = own.findIndex((line) => inputHeading.test(line));
  const instruction = (inputAt < 0 ? own : own.slice(0, inputAt)).join('\n').replace(taskHeading, '');
  const input = inputAt < 0 || !withInput ? '' : own.slice(inputAt).join('\n').replace(inputHeading, '').trim();
  return { text: alpacaPrompt(unquote(instruction.trim()), noInput.test(input) ? '' : input).trim(), closed };
}

/** The first task's lines, its number taken off, up to the next number or the heading of an output or second task. */
function ownLines(lines: readonly string[]): { own: string[]; closed: boolean } {
  const first = lines[0] ?? '';
  const own = [first.replace(numbered, '').replace(taskHeading, '')];
  if (outputHeading.test(own[0] as string)) return { own: [], closed: true };
  let inner = 0;
  for (const line of lines.slice(1)) {
    const found = numberOf(line);
    // A list inside the task counts up from 1.
    const isInner = found === inner + 1;
    if (isInner) inner += 1;
    const isNextTask = found !== undefined && !isInner;
    if (isNextTask || outputHeading.test(line) || taskHeading.test(line)) return { own, closed: true };
    own.push(line);
  }
  return { own, closed: false };
}

function numberOf(line: string): number | undefined {
  const match = numbered.exec(line);
  return match ? Number(match[1] ?? match[2]) : undefined;
}

/** Takes away one pair of marks around the whole text. */
function unquote(text: string): string {
  for (const [open, close] of quotes) {
    if (text.length <= open.length + close.length || !text.startsWith(open) || !text.endsWith(close)) continue;
    const inside = text.slice(open.length, -close.length);
    if (!inside.includes(open) && !inside.includes(close)) return inside.trim();
  }
  return text;
}
