/**
 * Instances of tasks that have no input yet (Wang et al. 2022, arXiv 2212.10560, section 2.2, "instance generation"). For a
 * free task the teacher writes an input, then the output (input-first). For a classification task there is a label first,
 * and the teacher writes an input that has it (output-first): left to itself it would favour one label.
 * Departures from the paper:
 * 1. One instance a call. Several of a free task are samples of one request; of a classification task, different labels.
 * 2. The label is drawn, evenly, from those the teacher named (classification.ts), and is not its choice each time.
 */
import type { Message } from '../base/message.ts';
import { Rng } from '../base/rng.ts';
import { alpacaPrompt } from '../data/formats.ts';
import type { Language } from '../data/lints/language.ts';
import type { Conversation } from '../data/records.ts';
import { askChecked, type Checked, type CheckedOutcome, type Fault } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import type { ClassifiedTask } from './classification.ts';
import { CallFailures } from './failures.ts';
import type { Rejection } from './filter.ts';
import { type InstanceReason, rejectInstance, rejectRepeated } from './instance-filter.ts';
import type { Reject } from './instructions.ts';
import { type ParsedInstance, parseInput, parseInstance } from './parse-instance.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

export interface InstanceSettings {
  readonly language: Language;
  /** Of each task. */
  readonly instances: number;
  /** Longest input and output together. */
  readonly maxTokens: number;
  /** Where several instances of a task are asked for; a single one is greedy. */
  readonly temperature: number;
  readonly topP?: number | undefined;
  /** Of the labels drawn. */
  readonly seed: number;
}

export interface PlannedInstance {
  /** The instruction's, with the instance's number behind it where there are several. */
  readonly id: string;
  readonly task: ClassifiedTask;
  /** Of classification: the output. */
  readonly label: string | undefined;
  readonly request: TeacherRequest;
}

/** Pure. Which labels a task gets does not depend on the other tasks. */
export function planInstances(
  tasks: readonly ClassifiedTask[],
  settings: InstanceSettings & { readonly model: string },
): PlannedInstance[] {
  const { language, instances, maxTokens, temperature, topP, seed, model } = settings;
  const wordings = readWordings(language);
  const drawn = instances > 1 ? { temperature, ...(topP === undefined ? {} : { topP }) } : { temperature: 0 };
  return tasks.flatMap((task) => {
    const { id, text } = task.instruction;
    const order = task.labels && new Rng('labels', seed, id).shuffle(task.labels);
    return Array.from({ length: instances }, (_, i): PlannedInstance => {
      const label = order?.[i % order.length];
      const messages =
        label === undefined ? wordings.inputFirst.ask({ task: text }) : wordings.outputFirst.ask({ task: text, label });
      const request = {
        model,
        messages,
        parameters: { maxTokens, ...drawn },
        sample: order ? Math.floor(i / order.length) : i,
      };
      return { id: instances === 1 ? id : `${id}-${i}`, task, label, request };
    });
  });
}

/** Conversations in the order of the tasks, without the instances that are rejected. */
export async function makeInstances(
  tasks: readonly ClassifiedTask[],
  settings: InstanceSettings,
  ask: CallerOptions,
): Promise<{ conversations: Conversation[]; rejects: Reject<InstanceReason>[] }> {
  const { model, name: teacher } = ask.teacher;
  const planned = planInstances(tasks, { ...settings, model });
  const wordings = readWordings(settings.language);
  const asking = { request: ({ request }: PlannedInstance) => request, check };
  const complaint = ({ detail }: Fault): string =>
    wordings[detail === inputWanted ? 'outputFirst' : 'inputFirst'].complaint;
  const failures = new CallFailures();
  const made: MadeInstance[] = [];
  for await (const outcome of askChecked(() => planned, planned.length, asking, { ...ask, complaint })) {
    failures.count(outcome.error);
    made.push(toInstance(outcome, wordings));
  }
  failures.assertAnswered(ask.teacher);
  const conversations: Conversation[] = [];
  const rejects: Reject<InstanceReason>[] = [];
  for (const { planned: one, calls, text, instance, rejection } of withoutRepeated(made)) {
    if (rejection) rejects.push({ id: one.id, text, call: calls.at(-1) as string, ...rejection });
    else conversations.push(toConversation(one, instance as ParsedInstance, calls, teacher));
  }
  return { conversations, rejects };
}

interface MadeInstance {
  readonly planned: PlannedInstance;
  readonly calls: readonly string[];
  /** What the teacher wrote. */
  readonly text: string;
  /** Undefined where it could not be read. */
  readonly instance?: ParsedInstance | undefined;
  readonly rejection?: Rejection<InstanceReason> | undefined;
}

const bothWanted = 'expected an input and an output';
const inputWanted = 'expected an input and nothing else';

function check({ text, finishReason }: TeacherAnswer, { label }: PlannedInstance): Checked<ParsedInstance> {
  if (finishReason === 'length') return { fault: { reason: 'cut', again: 'longer' } };
  if (finishReason !== 'stop') return { fault: { reason: 'no answer', detail: finishReason, again: 'anew' } };
  if (label === undefined) {
    const value = parseInstance(text);
    return value ? { value } : { fault: { reason: 'unreadable', detail: bothWanted, again: 'told' } };
  }
  const input = parseInput(text);
  if (input === undefined) return { fault: { reason: 'unreadable', detail: inputWanted, again: 'told' } };
  return { value: { input, output: label } };
}

function toInstance(
  { item, calls, answer, result }: CheckedOutcome<PlannedInstance, ParsedInstance>,
  wordings: ReturnType<typeof readWordings>,
): MadeInstance {
  const { task, label } = item;
  const made = { planned: item, calls, text: answer?.text ?? '' };
  if (result.fault) {
    const { reason, detail } = result.fault;
    return { ...made, rejection: { reason: reason as InstanceReason, ...(detail === undefined ? {} : { detail }) } };
  }
  const { text, language } = task.instruction;
  const isClassification = label !== undefined;
  const { shownInputs } = wordings[isClassification ? 'outputFirst' : 'inputFirst'];
  const rejection = rejectInstance(result.value, { text, language, isClassification, shownInputs });
  return { ...made, instance: result.value, rejection };
}

/** Instances of each task held against each other, those that are rejected already left aside. */
function withoutRepeated(made: readonly MadeInstance[]): MadeInstance[] {
  const byTask = new Map<ClassifiedTask, MadeInstance[]>();
  for (const one of made) {
    if (!one.rejection) byTask.set(one.planned.task, [...(byTask.get(one.planned.task) ?? []), one]);
  }
  const repeated = new Map<MadeInstance, Rejection<InstanceReason>>();
  for (const instances of byTask.values()) {
    const rejections = rejectRepeated(instances.map(({ instance }) => instance as ParsedInstance));
    for (const [i, rejection] of rejections.entries()) {
      if (rejection) repeated.set(instances[i] as MadeInstance, rejection);
    }
  }
  return made.map((one) => ({ ...one, rejection: one.rejection ?? repeated.get(one) }));
}

function toConversation(
  { id, task, label }: PlannedInstance,
  { input, output }: ParsedInstance,
  calls: readonly string[],
  teacher: string,
): Conversation {
  const { text, language } = task.instruction;
  return {
    id,
    messages: [
      { role: 'user', content: alpacaPrompt(text, input) },
      { role: 'assistant', content: output },
    ],
    language,
    ...(label === undefined ? {} : { category: 'classification' }),
    provenance: { source: 'generated', teacher, calls: [...task.calls, ...calls] },
  };
}

const readWordings = (language: Language) => ({
  inputFirst: readWording(`instance-input-first-${language}`, ['task'], (reply) => parseInstance(reply)?.input),
  outputFirst: readWording(`instance-output-first-${language}`, ['task', 'label'], parseInput),
});

/** Opening, what further tasks are asked for with, three worked examples (a value of each place, then the reply), complaint. */
function readWording(name: string, places: readonly string[], inputOf: (reply: string) => string | undefined) {
  const size = places.length + 1;
  const { parts } = readPrompt(promptFile(name), 3 + 3 * size, places);
  const [opening = '', further = ''] = parts;
  const worked = Array.from({ length: 3 }, (_, i) => parts.slice(2 + i * size, 2 + (i + 1) * size));
  const shown = worked.flatMap((example, i): Message[] => {
    const values = Object.fromEntries(places.map((place, at) => [place, example[at] as string]));
    return [
      { role: 'user', content: fillPrompt(i === 0 ? opening : further, values) },
      { role: 'assistant', content: example.at(-1) as string },
    ];
  });
  return {
    ask: (values: Readonly<Record<string, string>>): Message[] => [
      ...shown,
      { role: 'user', content: fillPrompt(further, values) },
    ],
    complaint: parts.at(-1) as string,
    shownInputs: worked.map((example) => inputOf(example.at(-1) as string) ?? ''),
  };
}
