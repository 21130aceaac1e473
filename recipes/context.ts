/** What a recipe of the words half gets from whoever runs it. */
import type { StartProgress } from '../src/run/progress.ts';
import type { Ledger } from '../src/teacher/ledger.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import type { Engine } from './engine.ts';

export interface RunContext {
  readonly ledger: Ledger;
  readonly budgetUsd: number | undefined;
  /** Spending without a budget was confirmed. */
  readonly yes: boolean;
  readonly signal: AbortSignal;
  readonly progress: StartProgress;
  /** Started at its first use: a run whose stages are all done never loads libtorch. */
  readonly engine: () => Promise<Engine>;
  /** Opened and probed at its first use. */
  readonly teacher: (config: TeacherConfig) => Promise<Teacher>;
}

/** What it takes to ask teachers. */
export type Asking = Pick<RunContext, 'ledger' | 'budgetUsd' | 'yes' | 'progress' | 'teacher'>;
