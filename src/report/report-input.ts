/** What a report is made of: plain data, read from a run's files by recipes/report.ts. */
import type { DataStatistics } from '../data/statistics.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import type { EvaluationSummary } from '../evaluate/summary.ts';

/** One line of train.jsonl. */
export interface TrainingLogRow {
  readonly step: number;
  readonly epoch: number;
  /** Mean over the step's label tokens, in nats. */
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  /** All tokens computed up to and with this step. */
  readonly tokens: number;
}

export interface StageCost {
  readonly stage: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Without the calls whose price is not known. */
  readonly usd: number;
  readonly unpricedCalls: number;
  /** Calls sent whose answer was not stored, at their upper bound. */
  readonly inDoubtCalls: number;
  readonly inDoubtUsd: number;
}

export interface ReportInput {
  readonly title: string;
  /** ISO 8601. */
  readonly finishedAt: string;
  /** Plain sentences on who taught whom, shown at the top. */
  readonly provenance: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  /** The resolved configuration of the run. */
  readonly config: unknown;
  readonly data: readonly DataStatistics[];
  readonly training: {
    readonly log: readonly TrainingLogRow[];
    readonly documents: number;
    readonly trainedTokens: number;
    readonly labelTokens: number;
    readonly cut: number;
    readonly dropped: number;
    readonly seconds: number;
    readonly parameters: number;
    readonly dtype: string;
  };
  readonly evaluation: { readonly summary: EvaluationSummary; readonly rows: readonly EvaluationRow[] };
  readonly costs: readonly StageCost[];
}
