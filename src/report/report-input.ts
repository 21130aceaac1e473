/** What a report is made of: plain data, read from the files of runs and evaluations by recipes/report.ts. */
import type { DataStatistics } from '../data/statistics.ts';
import type { AutomaticRows, AutomaticSummary } from '../evaluate/automatic-summary.ts';
import type { JudgeResults } from '../evaluate/judge-results.ts';
import type { JudgeMode, JudgeRow } from '../evaluate/judge-rows.ts';
import type { JudgeAgreement, PeopleSummary, PeopleVote } from '../evaluate/people.ts';
import type { PeopleItem } from '../evaluate/people-items.ts';
import type { PairRouge, RougeBucket, RougeByLength } from '../evaluate/rouge.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import type { EvaluationSummary } from '../evaluate/summary.ts';
import type { KnownSet } from './paper-figures.ts';

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

export interface TrainingInput {
  readonly log: readonly TrainingLogRow[];
  readonly documents: number;
  readonly trainedTokens: number;
  readonly labelTokens: number;
  readonly cut: number;
  readonly dropped: number;
  readonly seconds: number;
  readonly parameters: number;
  readonly dtype: string;
}

export interface EvaluationInput {
  readonly summary: EvaluationSummary;
  readonly rows: readonly EvaluationRow[];
}

/** A row of the training data, its turns as one text each. */
export interface DataRow {
  readonly id: string;
  readonly language: string;
  readonly category: string;
  readonly teacher: string;
  readonly prompt: string;
  readonly answer: string;
}

/** Files that rows come from, relative to the report's folder. */
export type SourceFiles = Readonly<Record<string, string>>;

/** A run of the whole chain. */
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
  /** The rows that were trained on; undefined where they are not at hand. */
  readonly dataRows?: readonly DataRow[] | undefined;
  readonly training: TrainingInput;
  readonly evaluation: EvaluationInput;
  readonly costs: readonly StageCost[];
}

/** What `evaluate judge` was told, as its summary has it. */
export interface JudgeSettingsInput {
  readonly mode: JudgeMode;
  readonly teacher: string;
  readonly judgeModel: string;
  readonly models: readonly string[];
  readonly baseline: string | null;
  readonly samples: number;
}

/** Of a turn that was judged: what was asked, and each model's answer. */
export interface JudgedTurn {
  readonly prompt: string;
  readonly answers: Readonly<Record<string, string>>;
}

export interface JudgeInput {
  readonly results: JudgeResults & { readonly settings: JudgeSettingsInput };
  readonly rows: readonly JudgeRow[];
  /** By question and turn: `81 1`. undefined where the files that were judged are gone, or have changed. */
  readonly turns: ReadonlyMap<string, JudgedTurn> | undefined;
  /** Whether the questions are a set that the paper has figures on. */
  readonly knownSet: KnownSet | undefined;
}

export interface PeopleInput {
  readonly results: PeopleSummary & {
    /** Items of the study, voted on or not. */
    readonly asked: number;
    readonly ratersPerItem: number;
    readonly leftOut: readonly string[];
    readonly judge?: readonly JudgeAgreement[];
  };
  readonly votes: readonly PeopleVote[];
  readonly items: readonly PeopleItem[];
  readonly knownSet: KnownSet | undefined;
}

export interface RougeRow {
  readonly id: string;
  readonly bucket: RougeBucket | 'cjk';
  readonly reference: string;
  readonly candidate: string;
  readonly rouge: PairRouge;
}

export interface AutomaticInput {
  readonly summary: AutomaticSummary;
  readonly rows: AutomaticRows;
}

export interface RougeInput {
  readonly result: RougeByLength;
  /** undefined where only the figures were kept. */
  readonly rows: readonly RougeRow[] | undefined;
}

export type Source = { readonly name: string; readonly files: SourceFiles } & (
  | { readonly kind: 'run'; readonly input: ReportInput }
  | { readonly kind: 'comparison'; readonly input: EvaluationInput }
  | { readonly kind: 'judge'; readonly input: JudgeInput }
  | { readonly kind: 'people'; readonly input: PeopleInput }
  | { readonly kind: 'automatic'; readonly input: AutomaticInput }
  | { readonly kind: 'rouge'; readonly input: RougeInput }
);

export interface Report {
  readonly title: string;
  readonly sources: readonly Source[];
}
