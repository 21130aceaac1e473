/**
 * Data in another language out of tasks in one (the paper's Chinese set): the teacher translates each task, then answers it
 * in the language it then has. Answers are never translated.
 */
import { join } from 'node:path';
import { withSinks } from '../src/data/row-sink.ts';
import { streamRows } from '../src/data/row-stream.ts';
import type { Task } from '../src/data/tasks.ts';
import { type TranslatedTask, translateTasks } from '../src/generate/translate.ts';
import * as answerGiven from './answer-given.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import type { AnswerConfig } from './generate-config.ts';
import type { MadeData } from './made-data.ts';

export interface TranslateConfig extends AnswerConfig {
  /** ISO 639-1. */
  readonly to: string;
  readonly translationTokens: number;
}

export interface TranslatedData extends MadeData {
  readonly translated: number;
  readonly untranslated: Readonly<Record<string, number>>;
}

export async function run(
  config: TranslateConfig,
  tasks: () => AsyncIterable<Task>,
  total: number,
  folder: string,
  context: RunContext,
): Promise<TranslatedData> {
  // 1. The tasks, in their new language.
  const file = join(folder, 'tasks.jsonl');
  const { translated, untranslated } = await translate(config, tasks, total, { folder, file }, context);

  // 2. Their answers.
  async function* translatedTasks(): AsyncGenerator<TranslatedTask> {
    if (translated === 0) return;
    for await (const line of streamRows(file)) yield (line as { value: unknown }).value as TranslatedTask;
  }
  const made = await answerGiven.run(config, translatedTasks, translated, folder, context);
  return { ...made, name: 'translated', translated, untranslated };
}

async function translate(
  { teacher: wanted, to, translationTokens }: TranslateConfig,
  tasks: () => AsyncIterable<Task>,
  total: number,
  { folder, file }: { readonly folder: string; readonly file: string },
  { teacher: open, ledger, budgetUsd, signal, progress }: RunContext,
): Promise<Pick<TranslatedData, 'translated' | 'untranslated'>> {
  const teacher = await open(wanted);
  const listener = askProgress(progress(`tasks in ${to}`));
  const ask = { teacher, ledger, stage: 'translation', budgetUsd, signal, ...listener.listen };
  const targets = [file, join(folder, 'untranslated.jsonl')].map((target) => [target, 'lines'] as const);
  const counts = await withSinks(targets, async ([kept, rejected]) => {
    let translated = 0;
    const untranslated: Record<string, number> = {};
    for await (const { task, reject } of translateTasks(tasks, total, { to, maxTokens: translationTokens }, ask)) {
      if (task) {
        translated += 1;
        await kept?.write(task);
      } else {
        untranslated[reject.reason] = (untranslated[reject.reason] ?? 0) + 1;
        await rejected?.write(reject);
      }
    }
    return { translated, untranslated };
  });
  listener.finish();
  return counts;
}
