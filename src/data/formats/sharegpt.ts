/**
 * ShareGPT's rows, as FastChat and its successors write them: `{conversations: [{from, value}]}`, sometimes with a
 * `system` prompt beside the list. Turns of tools and functions are refused: a conversation here has none.
 */
import type { Message } from '../../base/message.ts';
import { checkTurns, mapObjects, optionalString, type Report, requiredString, type Shape, type Turn } from './row.ts';

/** Who speaks, by the names that the sites it was collected from gave. */
const speakers: ReadonlyMap<string, Message['role']> = new Map([
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bing', 'assistant'],
  ['bard', 'assistant'],
  ['system', 'system'],
]);

export const shareGptShape: Shape = {
  name: 'sharegpt',
  signature: ['conversations'],
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
