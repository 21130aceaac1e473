/**
 * Which new tasks are classification, answered by one of a few labels, and which labels those are (Wang et al. 2022, arXiv
 * 2212.10560, section 2.2: "classification task identification"); what is done with that stands in instances.ts.
 * Departures from the paper:
 * 1. Several tasks a call, after one worked example of seven: a decision costs a few tokens, not the examples each time.
 * 2. The labels are asked for at once, so that the label of an instance can be drawn instead of left to the teacher.
 */
import type { Message } from '../base/message.ts';
import type { Language } from '../data/lints/language.ts';
import { askChecked, type Checked } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { CallFailures } from './failures.ts';
import type { GeneratedInstruction, Reject } from './instructions.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

/** A task that has no input yet. */
export interface ClassifiedTask {
  readonly instruction: GeneratedInstruction;
  /** Two or more where the answer is one of them; undefined where it is free. */
  readonly labels: readonly string[] | undefined;
  /** Ledger keys of the calls behind it: the instruction's, then the decision's. */
  readonly calls: readonly string[];
}

export interface ClassificationSettings {
  readonly language: Language;
  readonly tasksPerCall: number;
}

export const classificationReasons = ['no answer', 'not classified'] as const;
export type ClassificationReason = (typeof classificationReasons)[number];

/** A label has a word or two. */
const maxTokensPerTask = 64;

/** One request for every `tasksPerCall` tasks, in their order. */
export function planClassification(
  instructions: readonly { readonly text: string }[],
  settings: ClassificationSettings & { readonly model: string },
): TeacherRequest[] {
  const toRequest = classificationRequests(settings);
  return groups(instructions, settings.tasksPerCall).map(toRequest);
}

/** Tasks in the order of the instructions, without those of which the teacher did not say clearly what they are. */
export async function classifyTasks(
  instructions: readonly GeneratedInstruction[],
  settings: ClassificationSettings,
  ask: CallerOptions,
): Promise<{ tasks: ClassifiedTask[]; rejects: Reject<ClassificationReason>[] }> {
  const all = groups(instructions, settings.tasksPerCall);
  const { complaint } = readWording(settings.language);
  const asking = { request: classificationRequests({ ...settings, model: ask.teacher.model }), check };
  const options = { ...ask, complaint: ({ detail = '' }) => fillPrompt(complaint, { numbers: detail }) };
  const tasks: ClassifiedTask[] = [];
  const rejects: Reject<ClassificationReason>[] = [];
  const failures = new CallFailures();
  const outcomes = askChecked<GeneratedInstruction[], Kinds>(() => all, all.length, asking, options);
  for await (const { item, answer, error, calls } of outcomes) {
    failures.count(error);
    // What is clear in a reply holds, whatever the rest of it is.
    const kinds = answer ? kindsIn(answer) : new Map<number, Kind>();
    for (const [i, instruction] of item.entries()) {
      const kind = kinds.get(i + 1);
      if (kind) {
        const labels = kind === 'free' ? undefined : kind;
        tasks.push({ instruction, labels, calls: [instruction.call, ...calls] });
        continue;
      }
      const { id, text } = instruction;
      const rejected = { id, text, call: calls.at(-1) as string };
      if (error) rejects.push({ ...rejected, reason: 'no answer', detail: error.message });
      else rejects.push({ ...rejected, reason: 'not classified' });
    }
  }
  failures.assertAnswered(ask.teacher);
  return { tasks, rejects };
}

const groups = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

function classificationRequests({ model, language }: ClassificationSettings & { readonly model: string }) {
  const { opening, exampleTasks, exampleReply, further } = readWording(language);
  const shown: Message[] = [
    { role: 'user', content: fillPrompt(opening, { tasks: exampleTasks }) },
    { role: 'assistant', content: exampleReply },
  ];
  return (group: readonly { readonly text: string }[]): TeacherRequest => {
    const tasks = group.map(({ text }, i) => `${i + 1}. ${text.replaceAll(/\s*\n\s*/g, ' ')}`).join('\n');
    return {
      model,
      messages: [...shown, { role: 'user', content: fillPrompt(further, { tasks }) }],
      parameters: { maxTokens: maxTokensPerTask * group.length, temperature: 0 },
      sample: 0,
    };
  };
}

function readWording(language: Language) {
  const { parts } = readPrompt(promptFile(`classify-tasks-${language}`), 5, ['tasks', 'numbers']);
  const [opening, exampleTasks, exampleReply, further, complaint] = parts as [string, string, string, string, string];
  return { opening, exampleTasks, exampleReply, further, complaint };
}

type Kind = 'free' | readonly string[];
/** By the number of the task in its request. */
type Kinds = ReadonlyMap<number, Kind>;

function check(answer: TeacherAnswer, group: readonly unknown[]): Checked<Kinds> {
  const kinds = kindsIn(answer);
  const missing = group.map((_, i) => i + 1).filter((number) => !kinds.has(number));
  if (missing.length === 0) return { value: kinds };
  const again = ({ length: 'longer', 'content-filter': 'anew' } as const)[answer.finishReason as string] ?? 'told';
  return { fault: { reason: 'not classified', detail: missing.join(', '), again } };
}

/** The last line of a reply that was cut off may lack labels. */
const kindsIn = ({ text, finishReason }: TeacherAnswer): Kinds =>
  parseKinds(finishReason === 'length' ? text.slice(0, text.lastIndexOf('\n') + 1) : text);

const numbered = /^\s*(?:\*\*)?(\d+)[.):：、．]\s*(?:\*\*)?\s*(.*?)\s*$/;
const free = /^(?:free|自由)[.。]?$/i;
const labelled = /^(?:labels?|标签)\s*[:：]\s*(.+)$/i;

/** A task with two lines, or with a line that says neither, is not in it. */
export function parseKinds(reply: string): Kinds {
  const kinds = new Map<number, Kind | undefined>();
  for (const line of reply.split(/\r?\n/)) {
    const [, number, said = ''] = numbered.exec(line) ?? [];
    if (number === undefined) continue;
    kinds.set(Number(number), kinds.has(Number(number)) ? undefined : kindOf(said));
  }
  return new Map([...kinds].flatMap(([number, kind]) => (kind === undefined ? [] : [[number, kind] as const])));
}

function kindOf(said: string): Kind | undefined {
  if (free.test(said)) return 'free';
  const [, list = ''] = labelled.exec(said) ?? [];
  const separator = /[;；]/.test(list) ? /[;；]/ : /[,，、]/;
  const labels = list.split(separator).map((label) => label.replace(/^[\s"'“‘「*]+|[\s"'”’」*.。]+$/g, ''));
  const different = [...new Set(labels.filter((label) => label !== ''))];
  return different.length < 2 ? undefined : different;
}
