/** Rows as chat interfaces speak: `{messages: [{role, content}], id?, language?, category?, provenance?}`. */
import { toJsonl } from '../../base/jsonl.ts';
import { type Message, roles } from '../../base/message.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import type { Conversation, Provenance } from '../records.ts';
import { checkTurns, type Members, mapObjects, type Report, requiredString, type Shape } from './row.ts';

const sources: readonly string[] = ['seed', 'generated', 'imported'] satisfies Provenance['source'][];

export const messagesShape: Shape = {
  name: 'messages',
  signature: ['messages'],
  example: 'messages {"messages": [{"role", "content"}]}',
  read(members, report) {
    let isSound = Array.isArray(members['messages']);
    const turnReport: Report = (path, message) => {
      isSound = false;
      report(path, message);
    };
    const turns = mapObjects(members, 'messages', turnReport, (turn, path) => {
      const role = requiredString(turn, 'role', turnReport, `${path}.role`) as Message['role'];
      const content = requiredString(turn, 'content', turnReport, `${path}.content`);
      if (typeof turn['role'] === 'string' && !roles.includes(role))
        turnReport(`${path}.role`, `expected one of ${roles.join(', ')}, got ${JSON.stringify(role)}`);
      return { role, content, path };
    });
    if (isSound) checkTurns(turns, 'messages', report);
    return { turns, provenance: readProvenance(members, report) };
  },
};

function readProvenance(members: Members, report: Report): Provenance | undefined {
  const { provenance } = members;
  if (provenance === undefined || provenance === null) return undefined;
  if (!isObject(provenance)) {
    report('provenance', `expected an object, got ${kindOf(provenance)}`);
    return undefined;
  }
  const { source, teacher, calls, file, row } = provenance;
  if (!sources.includes(source as string))
    report('provenance.source', `expected one of ${sources.join(', ')}, got ${JSON.stringify(source) ?? 'nothing'}`);
  if (teacher !== undefined && typeof teacher !== 'string')
    report('provenance.teacher', `expected a string, got ${kindOf(teacher)}`);
  if (calls !== undefined && !(Array.isArray(calls) && calls.every((key) => typeof key === 'string')))
    report('provenance.calls', 'expected a list of strings');
  if (file !== undefined && typeof file !== 'string')
    report('provenance.file', `expected a string, got ${kindOf(file)}`);
  if (row !== undefined && !Number.isInteger(row))
    report('provenance.row', `expected a whole number, got ${kindOf(row)}`);
  return {
    source: source as Provenance['source'],
    ...(file === undefined ? {} : { file: file as string }),
    ...(row === undefined ? {} : { row: row as number }),
    ...(teacher === undefined ? {} : { teacher: teacher as string }),
    ...(calls === undefined ? {} : { calls: calls as string[] }),
  };
}

/** JSON Lines with everything a conversation knows; reading them gives equal conversations. */
export function toMessagesJsonl(conversations: readonly Conversation[]): string {
  return toJsonl(
    conversations.map(({ id, language, category, messages, provenance }) => {
      return { id, language, category, messages, provenance };
    }),
  );
}
