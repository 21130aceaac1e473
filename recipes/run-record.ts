/** What a run leaves behind for its report: where its stages stand, what they cost. */
import type { StageCost } from '../src/report/report-input.ts';
import type { LoopResult } from './loop.ts';
import type { RunConfig } from './run-config.ts';

export const runFile = 'run.json';
export const trainFile = 'train-data.jsonl';
export const statisticsFile = 'statistics.json';

/** What `report` finds a run's stages by: run.json in its folder. */
export interface RunRecord {
  /** Credentials taken out. */
  readonly config: RunConfig;
  readonly versions: Readonly<Record<string, string>>;
  readonly finishedAt: string;
  readonly stages: { readonly data: string; readonly sft: string; readonly evaluate: string };
  /** Folders by their names in the run's. */
  readonly loop?: LoopResult;
  readonly costs: readonly StageCost[];
}
