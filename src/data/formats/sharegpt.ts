/**
 * ShareGPT's rows, as FastChat and its successors write them: `{conversations: [{from, value}]}`, sometimes with a
 * `system` prompt beside the list. Turns of tools and functions are refused: a conversation here has none. Raw dumps,
 * with HTML in them and turns out of order, are for `data import`.
 */
import type { Message } from '../../base/message.ts';
import type { Conversation } from '../records.ts';
import {
  type ConversationShape,
  checkTurns,
  mapObjects,
  optionalString,
  type Report,
  requiredString,
  type Turn,
} from './row.ts';

/** Who speaks, by the names that the sites it was collected from gave. */
export const speakers: ReadonlyMap<string, Message['role']> = new Map([
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bing', 'assistant'],
  ['bard', 'assistant'],
  ['system', 'system'],
]);

export const shareGptShape: ConversationShape = {
  kind: 'conversations',
  name: 'sharegpt',
  matches: (members) => Object.hasOwn(members, 'conversations'),
  example: 'ShareGPT {"conversations": [{"from", "value"}]}',
  read(members, report) {
    let isSound = Array.isArray(members['conversations']);
    const turnReport: Report = (path, message) => {
      isSound = false;
      report(path, message);
    };
    const system = optionalString(members, 'system', report);
    const turns = mapObjects(members, 'conversations', turnReport, (turn, path): Turn => {
      const from = requiredString(turn, 'from', turnReport, `${path}.from`);
      const content = requiredString(turn, 'value', turnReport, `${path}.value`);
      const role = speakers.get(from);
      if (typeof turn['from'] === 'string' && role === undefined)
        turnReport(`${path}.from`, `expected one of ${[...speakers.keys()].join(', ')}, got ${JSON.stringify(from)}`);
      return { role: role ?? 'user', content, path };
    });
    const all: Turn[] = system ? [{ role: 'system', content: system, path: 'system' }, ...turns] : turns;
    if (isSound) checkTurns(all, 'conversations', report);
    return { turns: all };
  },
};

const names: Record<Message['role'], string> = { system: 'system', user: 'human', assistant: 'gpt' };

/** Where the row came from is not part of the form and is left out. */
export function toShareGptRow({ id, messages, language, category }: Conversation): object {
  return {
    id,
    language,
    category,
    conversations: messages.map(({ role, content }) => ({ from: names[role], value: content })),
  };
}
