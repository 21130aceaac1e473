/**
 * A long conversation in parts that fit a number of tokens, cut where a question begins: no turn is torn. Each part has
 * the system turn again, and as many questions with their answers as fit. A question and answer that are too long
 * alone are left out and named, and the conversation is cut there.
 */
import type { Message } from '../base/message.ts';

export interface SplitConversation {
  readonly parts: readonly (readonly Message[])[];
  /** Questions with an answer that do not fit, by their place from 1, with their tokens. */
  readonly tooLong: readonly { readonly place: number; readonly tokens: number }[];
}

/** `messages`: an optional system turn, then questions and answers in turn. `count`: the tokens of such a conversation. */
export function splitByTokens(
  messages: readonly Message[],
  maxTokens: number,
  count: (messages: readonly Message[]) => number,
): SplitConversation {
  if (count(messages) <= maxTokens) return { parts: [messages], tooLong: [] };
  const system = messages[0]?.role === 'system' ? messages.slice(0, 1) : [];
  const spoken = messages.slice(system.length);
  const numPairs = spoken.length / 2;
  const part = (from: number, length: number): readonly Message[] => [
    ...system,
    ...spoken.slice(2 * from, 2 * (from + length)),
  ];
  const parts: (readonly Message[])[] = [];
  const tooLong: { place: number; tokens: number }[] = [];
  for (let from = 0; from < numPairs; ) {
    const length = longestThatFits(numPairs - from, (pairs) => count(part(from, pairs)) <= maxTokens);
    if (length > 0) parts.push(part(from, length));
    else tooLong.push({ place: from + 1, tokens: count(part(from, 1)) });
    from += Math.max(1, length);
  }
  return { parts, tooLong };
}

/** The most of 1 … `most` that fits, 0 where not even one does. Doubles, then halves: a few counts for a long list. */
function longestThatFits(most: number, fits: (length: number) => boolean): number {
  let low = 0;
  let high = 1;
  while (high <= most && fits(high)) {
    low = high;
    high *= 2;
  }
  high = Math.min(high, most + 1);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}
