/**
 * Alpaca's rows (Taori et al. 2023): `{instruction, input?, output}`, with the additions of later tools: a `system`
 * prompt and earlier turns as `history: [[user, assistant], …]`. Instruction and input become one user turn, which
 * cannot be taken apart again: what is written has it whole in `instruction`.
 */

import { kindOf } from '../../base/rows.ts';
import type { Conversation } from '../records.ts';
import { checkTurns, type Members, optionalString, type Report, requiredString, type Shape, type Turn } from './row.ts';

/** The user turn of an instruction with its input. The recorded teacher knows its prompts in the same form. */
export const alpacaPrompt = (instruction: string, input?: string): string =>
  input ? `${instruction}\n\n${input}` : instruction;

export const alpacaShape: Shape = {
  name: 'alpaca',
  signature: ['instruction', 'output'],
  example: 'Alpaca {"instruction", "input", "output"}',
  read(members, report) {
    const system = optionalString(members, 'system', report);
    const instruction = requiredString(members, 'instruction', report);
    const input = optionalString(members, 'input', report);
    const output = requiredString(members, 'output', report);
    const { classification } = members;
    if (classification !== undefined && classification !== null && typeof classification !== 'boolean')
      report('classification', `expected true or false, got ${kindOf(classification)}`);
    const turns: Turn[] = [
      // Tools that write the member in every row leave it empty where there is none.
      ...(system ? [{ role: 'system', content: system, path: 'system' } as const] : []),
      ...historyTurns(members, report),
      { role: 'user', content: alpacaPrompt(instruction, input), path: 'instruction' },
      { role: 'assistant', content: output, path: 'output' },
    ];
    // A member of the wrong type is reported already.
    const hasTexts = typeof members['instruction'] === 'string' && typeof members['output'] === 'string';
    if (hasTexts) checkTurns(turns, 'instruction', report);
    return { turns };
  },
};

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

/** A JSON array of Alpaca rows. Where the rows came from is not part of the form and is left out. */
export function toAlpaca(conversations: readonly Conversation[]): string {
  return `${JSON.stringify(conversations.map(toAlpacaRow), null, 2)}\n`;
}

function toAlpacaRow({ id, messages, language, category }: Conversation): Record<string, unknown> {
  const system = messages[0]?.role === 'system' ? messages[0].content : undefined;
  const spoken = messages.filter(({ role }) => role !== 'system').map(({ content }) => content);
  const history = Array.from({ length: spoken.length / 2 - 1 }, (_, i) => spoken.slice(2 * i, 2 * i + 2));
  return {
    id,
    ...(language === undefined ? {} : { language }),
    ...(category === undefined ? {} : { category }),
    ...(system === undefined ? {} : { system }),
    instruction: spoken.at(-2),
    input: '',
    output: spoken.at(-1),
    ...(history.length === 0 ? {} : { history }),
  };
}
