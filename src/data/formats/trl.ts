/**
 * TRL's rows (its documentation, "Dataset formats and types"). `{prompt, completion}`: the completion alone is learned.
 * `{prompt, chosen, rejected}`: a preference; `margin`, `score_chosen` and `score_rejected` may stand beside it. Each
 * member is a text, or a list of messages; a text is taken for a turn as it is, with its white space. Lists may repeat
 * the prompt, or have it in them alone (TRL's implicit prompt): it is what both begin with.
 */
import type { Message } from '../../base/message.ts';
import { kindOf } from '../../base/rows.ts';
import type { Preference } from '../preferences.ts';
import { preferencePairs } from '../preferences.ts';
import type { Conversation } from '../records.ts';
import { readMessages, readProvenance } from './messages.ts';
import {
  type AnswerReading,
  type ConversationShape,
  checkPrompt,
  checkTurns,
  hasAll,
  isThere,
  type Members,
  optionalNumber,
  optionalString,
  type PreferenceShape,
  type Report,
  type Turn,
  type Written,
} from './row.ts';

export const promptCompletionShape: ConversationShape = {
  kind: 'conversations',
  name: 'prompt-completion',
  matches: (members) => hasAll(members, 'prompt', 'completion') && !isThere(members['label']),
  example: 'TRL {"prompt", "completion"}',
  read(members, report) {
    if (isThere(members['label'])) report('label', 'expected an answer to learn, got one that is marked good or bad');
    const prompt = readTurns(members, 'prompt', 'user', report);
    const completion = readTurns(members, 'completion', 'assistant', report);
    if (!prompt || !completion) return { turns: [] };
    if (completion.length !== 1)
      report('completion', `expected one turn of the assistant, got ${completion.length} turns`);
    const turns = [...prompt.map(unlearned), ...completion];
    checkTurns(turns, 'prompt', report);
    return { turns };
  },
};

const unlearned = (turn: Turn): Turn => (turn.role === 'assistant' ? { ...turn, weight: 0 } : turn);

export const preferenceShape: PreferenceShape = {
  kind: 'preferences',
  name: 'preference',
  matches: (members) => hasAll(members, 'chosen', 'rejected'),
  example: 'TRL {"prompt", "chosen", "rejected"}',
  read(members, report) {
    const given = isThere(members['prompt']) ? readTurns(members, 'prompt', 'user', report) : [];
    const chosen = readTurns(members, 'chosen', 'assistant', report);
    const rejected = readTurns(members, 'rejected', 'assistant', report);
    const margin = optionalNumber(members, 'margin', report);
    const provenance = readProvenance(members, report);
    const unread = { prompt: [], answers: [], rankedBy: 'order', margin, provenance } as const;
    if (!given || !chosen || !rejected) return unread;
    const prompt = given.length > 0 ? given : commonBeginning(chosen, rejected);
    if (prompt.length === 0) {
      report('prompt', 'expected a prompt, or lists of messages that begin with the same one');
      return unread;
    }
    checkPrompt(prompt, 'prompt', report);
    const answers = [
      readAnswer(chosen, prompt, 'chosen', members, report),
      readAnswer(rejected, prompt, 'rejected', members, report),
    ];
    return { prompt, answers, rankedBy: 'order', margin, provenance };
  },
};

/** A text is one turn of `role`. undefined where something in it was reported. */
export function readTurns(
  members: Members,
  name: string,
  role: 'user' | 'assistant',
  report: Report,
): Turn[] | undefined {
  const value = members[name];
  if (typeof value === 'string') return [{ role, content: value, path: name }];
  if (Array.isArray(value)) return readMessages(members, name, report);
  report(name, `expected a string or a list of messages, got ${kindOf(value)}`);
  return undefined;
}

const isSame = (a: Message | undefined, b: Message | undefined): boolean =>
  a?.role === b?.role && a?.content === b?.content;

function commonBeginning(a: readonly Turn[], b: readonly Turn[]): Turn[] {
  // The answers may be equal: the last turn of either belongs to no prompt.
  const most = Math.min(a.length, b.length) - 1;
  let length = 0;
  while (length < most && isSame(a[length], b[length])) length += 1;
  return a.slice(0, length);
}

/** What follows on the prompt, where the list repeats it: one turn of the assistant. */
function readAnswer(
  turns: readonly Turn[],
  prompt: readonly Turn[],
  name: 'chosen' | 'rejected',
  members: Members,
  report: Report,
): AnswerReading {
  const repeats = turns.length > prompt.length && prompt.every((turn, i) => isSame(turn, turns[i]));
  const [answer, ...others] = repeats ? turns.slice(prompt.length) : turns;
  if (answer?.role !== 'assistant' || others.length > 0)
    report(name, "expected the prompt's turns, or none, then one of the assistant");
  return {
    content: answer?.content ?? '',
    path: answer?.path ?? name,
    score: optionalNumber(members, `score_${name}`, report),
    source: optionalString(members, `source_${name}`, report),
  };
}

/** Only the last answer is learned in this form. */
export function toPromptCompletionRow({ id, messages, language, category }: Conversation): Written {
  const earlier = messages.slice(0, -1);
  const learned = earlier.filter(({ role, weight }) => role === 'assistant' && weight !== 0).length;
  if (learned > 0)
    return { problem: `${learned + 1} answers are to be learned: a row of prompt and completion has one` };
  const [prompt, completion] = [earlier, messages.slice(-1)].map((turns) =>
    turns.map(({ role, content }) => ({ role, content })),
  );
  return { rows: [{ id, language, category, prompt, completion }] };
}

/** One row for each two answers of different rank. */
export function toPreferenceRows(preference: Preference): Written {
  const { id, prompt, language, category, provenance } = preference;
  const { pairs, ties } = preferencePairs(preference);
  const rows = pairs.map(({ better, worse, margin }, i) => ({
    id: pairs.length === 1 ? id : `${id}#${i + 1}`,
    language,
    category,
    prompt,
    chosen: [{ role: 'assistant', content: better.content }],
    rejected: [{ role: 'assistant', content: worse.content }],
    margin,
    score_chosen: better.score,
    score_rejected: worse.score,
    source_chosen: better.source,
    source_rejected: worse.source,
    provenance,
  }));
  return { rows, ties };
}
