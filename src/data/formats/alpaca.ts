/**
 * Alpaca's rows (Taori et al. 2023): `{instruction, input?, output}`, with the additions of later tools: a `system`
 * prompt and earlier turns as `history: [[user, assistant], …]`. Instruction and input become one user turn, which
 * cannot be taken apart again: what is written has it whole in `instruction`.
 */

import type { Message } from '../../base/message.ts';
import { kindOf } from '../../base/rows.ts';
import type { Conversation } from '../records.ts';
import {
  type ConversationShape,
  checkTurns,
  isThere,
  type Members,
  optionalString,
  type Report,
  requiredString,
  type Turn,
} from './row.ts';

/** The user turn of an instruction with its input. The recorded teacher knows its prompts in the same form. */
export const alpacaPrompt = (instruction: string, input?: string): string =>
  input ? `${instruction}\n\n${input}` : instruction;

export const alpacaShape: ConversationShape = {
  kind: 'conversations',
  name: 'alpaca',
  matches: (members) => Object.hasOwn(members, 'instruction') && Object.hasOwn(members, 'output'),
  example: 'Alpaca {"instruction", "input", "output"}',
  read(members, report) {
    const prompt = readPromptTurns(members, report);
    const output = requiredString(members, 'output', report);
    const { classification } = members;
    if (isThere(classification) && typeof classification !== 'boolean')
      report('classification', `expected true or false, got ${kindOf(classification)}`);
    const turns: Turn[] = [...prompt, { role: 'assistant', content: output, path: 'output' }];
    // A member of the wrong type is reported already.
    const hasTexts = typeof members['instruction'] === 'string' && typeof members['output'] === 'string';
    if (hasTexts) checkTurns(turns, 'instruction', report);
    return { turns };
  },
};

/** The turns before the output; their order is right as they are made. */
export function readPromptTurns(members: Members, report: Report): Turn[] {
  const system = optionalString(members, 'system', report);
  const instruction = requiredString(members, 'instruction', report);
  const input = optionalString(members, 'input', report);
  return [
    // Tools that write the member in every row leave it empty where there is none.
    ...(system ? [{ role: 'system', content: system, path: 'system' } as const] : []),
    ...historyTurns(members, report),
    { role: 'user', content: alpacaPrompt(instruction, input), path: 'instruction' },
  ];
}

function historyTurns(members: Members, report: Report): Turn[] {
  const { history } = members;
  if (history === undefined || history === null) return [];
  if (!Array.isArray(history)) {
    report('history', `expected a list of [user, assistant], got ${kindOf(history)}`);
    return [];
  }
  return history.flatMap((pair: unknown, i): Turn[] => {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
    if (!isPair) {
      report(`history[${i}]`, 'expected two strings: [user, assistant]');
      return [];
    }
    const [user, assistant] = pair as [string, string];
    return [
      { role: 'user', content: user, path: `history[${i}][0]` },
      { role: 'assistant', content: assistant, path: `history[${i}][1]` },
    ];
  });
}

/** Where the row came from is not part of the form and is left out. */
export function toAlpacaRow({ id, messages, language, category }: Conversation): object {
  const { system, instruction, input, history } = toPromptMembers(messages.slice(0, -1));
  return { id, language, category, system, instruction, input, output: messages.at(-1)?.content, history };
}

/** The members that say the turns up to the user's last; undefined where there is nothing to say. */
export function toPromptMembers(prompt: readonly Message[]): {
  system: string | undefined;
  instruction: string | undefined;
  input: '';
  history: (readonly string[])[] | undefined;
} {
  const spoken = prompt.filter(({ role }) => role !== 'system').map(({ content }) => content);
  const history = Array.from({ length: (spoken.length - 1) / 2 }, (_, i) => spoken.slice(2 * i, 2 * i + 2));
  return {
    system: prompt.find(({ role }) => role === 'system')?.content,
    instruction: spoken.at(-1),
    input: '',
    history: history.length === 0 ? undefined : history,
  };
}
