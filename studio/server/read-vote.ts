/** A vote out of a request's body: every member of the right kind, or none at all. */
import { isObject } from '../../src/base/rows.ts';
import { criteria, maxCommentLength, type Side, sides, type Vote } from '../protocol.ts';

/** Longer than any comparison takes; what is more is a mistake of a clock. */
const maxSeconds = 24 * 60 * 60;

export function readVote(body: unknown): Vote | undefined {
  if (!isObject(body)) return undefined;
  const { choices, comment, seconds } = body;
  if (!isObject(choices) || !criteria.every((name) => (sides as readonly unknown[]).includes(choices[name])))
    return undefined;
  if (typeof comment !== 'string' || comment.length > maxCommentLength) return undefined;
  if (typeof seconds !== 'number' || !(seconds >= 0)) return undefined;
  const [helpful, honest, harmless] = criteria.map((name) => choices[name] as Side) as [Side, Side, Side];
  return { choices: { helpful, honest, harmless }, comment: comment.trim(), seconds: Math.min(seconds, maxSeconds) };
}
