/**
 * A conversation as it was collected, with whoever spoke in whatever order, becomes one that can be learned: HTML of
 * answers is Markdown again, turns of one speaker in a row are one, what no answer belongs to is left out. Each mend is
 * named; what cannot be mended is refused with the reason. Turns of tools are refused: without them their answers make
 * no sense.
 */
import type { Message } from '../base/message.ts';
import { isObject, kindOf } from '../base/rows.ts';
import { speakers } from './formats/sharegpt.ts';
import { htmlToMarkdown, isHtml } from './html-to-markdown.ts';

/** What was done to a conversation; a reason for the report. */
export type Mend =
  | 'HTML made Markdown'
  | 'empty turns left out'
  | 'turns of one speaker merged'
  | 'answers before the first question left out'
  | 'questions after the last answer left out';

export type ImportedTurns =
  | { readonly messages: readonly Message[]; readonly mends: readonly Mend[] }
  | { readonly reason: string; readonly detail?: string };

/** `auto`: answers that are HTML as a whole, in conversations without a Markdown code block. */
export type HtmlMode = 'auto' | 'always' | 'never';

export function importTurns(value: unknown, html: HtmlMode): ImportedTurns {
  const read = readTurns(value);
  if ('reason' in read) return read;
  const mends = new Set<Mend>();
  const mend = <T>(before: readonly T[], after: readonly T[], name: Mend): readonly T[] => {
    if (after.length < before.length) mends.add(name);
    return after;
  };
  const converted = fromHtml(read.turns, html);
  if (converted.some(({ content }, i) => content !== read.turns[i]?.content)) mends.add('HTML made Markdown');
  const full = mend(
    converted,
    converted.filter(({ content }) => content.trim() !== ''),
    'empty turns left out',
  );
  const merged = mend(full, mergeSpeakers(full), 'turns of one speaker merged');
  const system = merged[0]?.role === 'system' ? merged.slice(0, 1) : [];
  const spoken = merged.slice(system.length);
  if (spoken.some(({ role }) => role === 'system')) return { reason: 'system turn in the middle' };
  const first = spoken.findIndex(({ role }) => role === 'user');
  const begun = mend(spoken, first < 0 ? [] : spoken.slice(first), 'answers before the first question left out');
  const last = begun.findLastIndex(({ role }) => role === 'assistant');
  const whole = mend(begun, begun.slice(0, last + 1), 'questions after the last answer left out');
  if (whole.length === 0) return { reason: 'no question with an answer' };
  return { messages: [...system, ...whole], mends: [...mends] };
}

type ReadTurns = { readonly turns: readonly Message[] } | { readonly reason: string; readonly detail?: string };

/** ShareGPT's members, older dumps' `items`, and messages'. */
function readTurns(value: unknown): ReadTurns {
  if (!isObject(value)) return broken(`expected an object, got ${kindOf(value)}`);
  const list = value['conversations'] ?? value['conversation'] ?? value['items'] ?? value['messages'];
  if (!Array.isArray(list)) return broken('expected a list of turns: conversations, items or messages');
  const turns: Message[] = [];
  const { system } = value;
  if (typeof system === 'string' && system !== '') turns.push({ role: 'system', content: system });
  for (const [i, turn] of list.entries()) {
    if (!isObject(turn)) return broken(`turn ${i}: expected an object, got ${kindOf(turn)}`);
    const speaker = turn['from'] ?? turn['role'];
    const content = turn['value'] ?? turn['content'] ?? '';
    if (typeof speaker !== 'string')
      return broken(`turn ${i}: expected who speaks (from, role), got ${kindOf(speaker)}`);
    if (typeof content !== 'string') return broken(`turn ${i}: expected a text, got ${kindOf(content)}`);
    const role = roleOf(speaker.toLowerCase());
    if (role === 'tool') return { reason: 'turns of tools', detail: `turn ${i} is of ${JSON.stringify(speaker)}` };
    if (role === undefined) return { reason: 'unknown speaker', detail: `turn ${i} is of ${JSON.stringify(speaker)}` };
    turns.push({ role, content });
  }
  return { turns };
}

const broken = (detail: string): { reason: string; detail: string } => ({ reason: 'broken row', detail });

const tools: readonly string[] = ['tool', 'function', 'function_call', 'function_response', 'observation', 'ipython'];

function roleOf(speaker: string): Message['role'] | 'tool' | undefined {
  if (tools.includes(speaker)) return 'tool';
  return speaker === 'developer' ? 'system' : speakers.get(speaker);
}

function fromHtml(turns: readonly Message[], html: HtmlMode): readonly Message[] {
  if (html === 'never') return turns;
  const answers = turns.filter(({ role }) => role === 'assistant');
  // Whoever writes code blocks in Markdown writes all in Markdown: HTML there is an answer's subject.
  if (html === 'auto' && answers.some(({ content }) => /^\s*```/m.test(content))) return turns;
  return turns.map((turn) => {
    const isPage = turn.role === 'assistant' && (html === 'always' || isHtml(turn.content));
    return isPage ? { ...turn, content: htmlToMarkdown(turn.content) } : turn;
  });
}

function mergeSpeakers(turns: readonly Message[]): Message[] {
  const merged: Message[] = [];
  for (const turn of turns) {
    const before = merged.at(-1);
    if (before?.role === turn.role)
      merged.splice(-1, 1, { ...before, content: `${before.content}\n\n${turn.content}` });
    else merged.push(turn);
  }
  return merged;
}
