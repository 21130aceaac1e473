/**
 * Tasks in another language (Peng et al. 2023, arXiv 2304.03277, section 2: the Chinese set). The teacher translates what is
 * asked, never an answer: it answers in the language the task then has.
 */
import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import type { Task } from '../data/tasks.ts';
import { askChecked, type Checked } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { CallFailures } from './failures.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';
import { lostInTranslation } from './translation-check.ts';

export interface TranslatedTask {
  /** Of the task it was. */
  readonly id: string;
  readonly instruction: string;
  readonly input: string;
  /** ISO 639-1. */
  readonly language: string;
  /** Of the translation, in the ledger. */
  readonly calls: readonly string[];
}

export interface TranslationReject {
  readonly id: string;
  /** What the teacher wrote. */
  readonly text: string;
  readonly call: string;
  readonly reason: string;
  readonly detail?: string;
}

export type Translation =
  | { readonly task: TranslatedTask; readonly reject?: undefined }
  | { readonly reject: TranslationReject; readonly task?: undefined };

export interface TranslationSettings {
  /** ISO 639-1, of the language to translate into. */
  readonly to: string;
  readonly maxTokens: number;
}

const replySchema = z.object({ instruction: z.string().trim().min(1), input: z.string() });

/** In the order of the tasks, which must be the same each time they are gone through. */
export async function* translateTasks(
  tasks: () => Iterable<Task> | AsyncIterable<Task>,
  total: number,
  { to, maxTokens }: TranslationSettings,
  ask: CallerOptions,
): AsyncGenerator<Translation> {
  const [prompt = ''] = readPrompt(promptFile('translate-task'), 1, ['language', 'task']).parts;
  const { model } = ask.teacher;
  const asking = {
    request({ instruction, input }: Task): TeacherRequest {
      const content = fillPrompt(prompt, { language: languageName(to), task: JSON.stringify({ instruction, input }) });
      return { model, messages: [{ role: 'user', content }], parameters: { maxTokens, temperature: 0 }, sample: 0 };
    },
    check: (answer: TeacherAnswer, task: Task) => check(answer, task, to),
  };
  const failures = new CallFailures();
  for await (const { item, answer, error, calls, result } of askChecked(tasks, total, asking, ask)) {
    failures.count(error);
    if (!result.fault) {
      yield { task: { id: item.id, ...result.value, language: to, calls } };
      continue;
    }
    const { reason, detail } = result.fault;
    const call = calls.at(-1) as string;
    yield {
      reject: { id: item.id, text: answer?.text ?? '', call, reason, ...(detail === undefined ? {} : { detail }) },
    };
  }
  failures.assertAnswered(ask.teacher);
}

/** In English, for the prompt; throws ConfigError where the code is none. */
export function languageName(code: string): string {
  if (code === 'zh') return 'Simplified Chinese';
  const name = /^[a-z]{2,3}$/.test(code) ? new Intl.DisplayNames(['en'], { type: 'language' }).of(code) : undefined;
  if (name === undefined || name === code) {
    throw new ConfigError(`expected the code of a language, got ${JSON.stringify(code)}`, {
      hint: 'for example zh, de, fr, es, ja (ISO 639-1)',
    });
  }
  return name;
}

type Reply = z.infer<typeof replySchema>;

function check({ text, finishReason }: TeacherAnswer, task: Task, to: string): Checked<Reply> {
  if (finishReason === 'length') return { fault: { reason: 'cut', again: 'longer' } };
  if (finishReason === 'content-filter') return { fault: { reason: 'filtered', again: 'anew' } };
  const reply = parseReply(text);
  if (typeof reply === 'string') return { fault: { reason: 'no translation', detail: reply, again: 'told' } };
  if ((reply.input.trim() === '') !== (task.input.trim() === '')) {
    const detail = task.input.trim() === '' ? '"input" should have stayed empty' : '"input" is empty and should not be';
    return { fault: { reason: 'no translation', detail, again: 'told' } };
  }
  const lost = lostInTranslation(task, reply, to);
  return lost ? { fault: { ...lost, again: 'told' } } : { value: reply };
}

/** What is wrong with it, where it is not what was asked for. Fences around JSON are common, and harmless. */
function parseReply(text: string): Reply | string {
  const bare = /^\s*```(?:json)?\s*([\s\S]*?)\s*```\s*$/.exec(text)?.[1] ?? text;
  let value: unknown;
  try {
    value = JSON.parse(bare);
  } catch {
    return 'it is not one JSON object';
  }
  const parsed = replySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}
