/** Opens what a recipe of the words half needs, and closes it again: ledger, engine, teachers. */
import { join } from 'node:path';
import type { Asking, RunContext } from '../recipes/context.ts';
import type { Engine } from '../recipes/engine.ts';
import { openLocalTeacher } from '../recipes/local-models.ts';
import { Ledger } from '../src/teacher/ledger.ts';
import { openTeacher, type TeacherConfig } from '../src/teacher/open-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { fetchModel, interruptible, modelFolder, openEngine } from './command.ts';
import { progressBar } from './terminal.ts';

export interface ContextOptions {
  /** The run's folder; its ledger stands there unless `ledger` names another. */
  readonly output: string;
  readonly ledger?: string | undefined;
  readonly threads?: number | undefined;
  readonly device?: string | undefined;
  readonly budgetUsd?: number | undefined;
  /** Spending without a budget was confirmed. */
  readonly yes?: boolean | undefined;
}

export function withRunContext<T>(options: ContextOptions, body: (context: RunContext) => Promise<T>): Promise<T> {
  return interruptible(async (signal) => {
    let engine: Promise<Engine> | undefined;
    const startEngine = () => {
      engine ??= openEngine(options);
      return engine;
    };
    try {
      return await asking(options, { engine: startEngine, signal }, (context) =>
        body({ ...context, signal, engine: startEngine }),
      );
    } finally {
      await engine?.then((one) => one.stop()).catch(() => {});
    }
  });
}

/** Teachers and their ledger beside an engine that runs already. */
export const withAsking = <T>(
  options: ContextOptions,
  { engine, signal }: { readonly engine: Engine; readonly signal: AbortSignal },
  body: (context: Asking) => Promise<T>,
): Promise<T> => asking(options, { engine: () => Promise.resolve(engine), signal }, body);

async function asking<T>(
  options: ContextOptions,
  { engine, signal }: Pick<RunContext, 'engine' | 'signal'>,
  body: (context: Asking) => Promise<T>,
): Promise<T> {
  const ledger = new Ledger(options.ledger ?? join(options.output, 'ledger.sqlite'));
  const teachers = new Map<string, Promise<Teacher>>();
  const open = async (config: TeacherConfig): Promise<Teacher> => {
    const teacher = await openTeacher(config, async (local) => {
      if (local.provider === 'gguf') {
        const { openGgufTeacher } = await import('../recipes/gguf-teacher.ts');
        return openGgufTeacher(local, options.threads);
      }
      const { model } = local;
      if (model !== 'builtin') modelFolder(model);
      return openLocalTeacher(await engine(), await fetchModel(model, signal));
    });
    await teacher.probe(signal);
    return teacher;
  };
  try {
    return await body({
      ledger,
      budgetUsd: options.budgetUsd,
      yes: options.yes ?? false,
      progress: progressBar,
      teacher(config) {
        const key = JSON.stringify(config);
        const known = teachers.get(key) ?? open(config);
        teachers.set(key, known);
        return known;
      },
    });
  } finally {
    for (const teacher of teachers.values()) await teacher.then((one) => one.close()).catch(() => {});
    ledger.close();
  }
}
