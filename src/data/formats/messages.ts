/**
 * Rows as chat interfaces speak: `{messages: [{role, content, weight?}], id?, language?, category?, provenance?}`. These
 * are OpenAI's rows for fine-tuning too: a `weight` of 0 marks an answer that is not learned, `developer` is the
 * system's newer name. Tools are refused: a conversation here has none.
 */
import { toJsonl } from '../../base/jsonl.ts';
import { type Message, roles } from '../../base/message.ts';
import { isObject, kindOf } from '../../base/rows.ts';
import type { Conversation, Provenance } from '../records.ts';
import {
  type ConversationShape,
  checkTurns,
  isThere,
  type Members,
  mapObjects,
  type Report,
  requiredString,
  type Turn,
} from './row.ts';

const sources: readonly string[] = ['seed', 'generated', 'imported'] satisfies Provenance['source'][];

export const messagesShape: ConversationShape = {
  kind: 'conversations',
  name: 'messages',
  matches: (members) => Object.hasOwn(members, 'messages'),
  example: 'messages {"messages": [{"role", "content"}]}',
  read(members, report) {
    refuseTools(members, ['tools', 'functions'], '', report);
    const turns = readMessages(members, 'messages', report);
    if (turns) checkTurns(turns, 'messages', report);
    return { turns: turns ?? [], provenance: readProvenance(members, report) };
  },
};

/** The turns of a list of messages, their order unchecked; undefined where something in them was reported. */
export function readMessages(members: Members, name: string, report: Report): Turn[] | undefined {
  let isSound = Array.isArray(members[name]);
  const turnReport: Report = (path, message) => {
    isSound = false;
    report(path, message);
  };
  const turns = mapObjects(members, name, turnReport, (turn, path): Turn => {
    const named = requiredString(turn, 'role', turnReport, `${path}.role`);
    const role = (named === 'developer' ? 'system' : named) as Message['role'];
    const content = requiredString(turn, 'content', turnReport, `${path}.content`);
    if (typeof turn['role'] === 'string' && !roles.includes(role))
      turnReport(`${path}.role`, `expected one of ${roles.join(', ')}, got ${JSON.stringify(role)}`);
    refuseTools(turn, ['tool_calls', 'function_call'], `${path}.`, turnReport);
    return { role, content, path, ...readWeight(turn, role, path, turnReport) };
  });
  return isSound ? turns : undefined;
}

/** A member that tables write in every row is empty where there are no tools. */
function refuseTools(members: Members, names: readonly string[], before: string, report: Report): void {
  for (const name of names) {
    const value = members[name];
    const isEmpty = !isThere(value) || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) report(`${before}${name}`, 'expected a conversation without tools: calls of tools cannot be learned');
  }
}

function readWeight(turn: Members, role: string, path: string, report: Report): { weight?: 0 } {
  const { weight } = turn;
  if (!isThere(weight)) return {};
  if (role !== 'assistant')
    report(`${path}.weight`, `expected a weight on an assistant's turn, got one on the ${role}'s`);
  else if (weight !== 0 && weight !== 1) report(`${path}.weight`, `expected 0 or 1, got ${JSON.stringify(weight)}`);
  return weight === 0 ? { weight } : {};
}

export function readProvenance(members: Members, report: Report): Provenance | undefined {
  const { provenance } = members;
  if (provenance === undefined || provenance === null) return undefined;
  if (!isObject(provenance)) {
    report('provenance', `expected an object, got ${kindOf(provenance)}`);
    return undefined;
  }
  const { source, teacher, calls, file, row, cut } = provenance;
  if (!sources.includes(source as string))
    report('provenance.source', `expected one of ${sources.join(', ')}, got ${JSON.stringify(source) ?? 'nothing'}`);
  if (isThere(teacher) && typeof teacher !== 'string')
    report('provenance.teacher', `expected a string, got ${kindOf(teacher)}`);
  if (isThere(calls) && !(Array.isArray(calls) && calls.every((key) => typeof key === 'string')))
    report('provenance.calls', 'expected a list of strings');
  if (isThere(cut) && cut !== true) report('provenance.cut', `expected true, got ${JSON.stringify(cut)}`);
  if (isThere(file) && typeof file !== 'string') report('provenance.file', `expected a string, got ${kindOf(file)}`);
  if (isThere(row) && !Number.isInteger(row)) report('provenance.row', `expected a whole number, got ${kindOf(row)}`);
  return {
    source: source as Provenance['source'],
    ...(isThere(file) ? { file: file as string } : {}),
    ...(isThere(row) ? { row: row as number } : {}),
    ...(isThere(teacher) ? { teacher: teacher as string } : {}),
    ...(isThere(calls) ? { calls: calls as string[] } : {}),
    ...(isThere(cut) ? { cut: true as const } : {}),
  };
}

/** Everything a conversation knows: reading the row gives an equal one. */
export const toMessagesRow = ({ id, language, category, messages, provenance }: Conversation): object => {
  return { id, language, category, messages, provenance };
};

/** Messages and weights alone, as OpenAI's fine-tuning wants them. */
export const toOpenAiRow = ({ messages }: Conversation): object => ({ messages });

export const toMessagesJsonl = (conversations: readonly Conversation[]): string =>
  toJsonl(conversations.map(toMessagesRow));
