/** What a report is made of: plain data, read from the files of runs and evaluations by recipes/report.ts. */
import type { DataStatistics } from '../data/statistics.ts';
import type { AutomaticRows, AutomaticSummary } from '../evaluate/automatic-summary.ts';
import type { JudgeResults } from '../evaluate/judge-results.ts';
import type { JudgeMode, JudgeRow } from '../evaluate/judge-rows.ts';
import type { JudgeAgreement, PeopleChoice, PeopleSummary, PeopleVote } from '../evaluate/people.ts';
import type { PeopleItem } from '../evaluate/people-items.ts';
import type { RewardCard, RewardedGroup } from '../evaluate/reward-card.ts';
import type { RougeByLength, RougeRow } from '../evaluate/rouge.ts';
import type { EvaluationRow } from '../evaluate/rows.ts';
import type { EvaluationSummary } from '../evaluate/summary.ts';
import type { LoopInput } from './loop-input.ts';
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
  readonly seconds?: number;
  /** Where it was measured after this step: mean over the held-out label tokens, in nats. */
  readonly heldOutLoss?: number;
  /** What else a step measured, by TRL's names; `eval/…` on held-out rows. */
  readonly metrics?: Readonly<Record<string, number>>;
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

/** The root verb of a text, and its noun object where it has one. */
export interface VerbNounFound {
  readonly verb: string;
  readonly noun?: string | undefined;
}

/** A row of the training data, its turns as one text each. */
export interface DataRow {
  readonly id: string;
  /** Of the statistics' sets; undefined where the row does not say. */
  readonly set?: string;
  readonly language: string;
  readonly category: string;
  readonly teacher: string;
  readonly prompt: string;
  readonly answer: string;
  /** Keys of the calls that made it. */
  readonly calls?: readonly string[];
  /** What the training says of it, where it did not take it whole. */
  readonly receipt?: { readonly kind: 'cut' | 'dropped'; readonly message: string };
  /** As the set's figures count them; undefined where it has none. */
  readonly verbNouns?: Readonly<Record<'instructions' | 'answers', readonly VerbNounFound[]>>;
}

/** What a stage took away. */
export interface RemovedRow {
  readonly id: string;
  /** Of the statistics' sets; `untranslated`: tasks that a translation lost. */
  readonly set: string;
  readonly reason: string;
  readonly detail?: string;
  /** What was asked, where it is known apart. */
  readonly prompt?: string;
  /** '' where nothing came. */
  readonly text: string;
  /** In the run's folder: file and row. */
  readonly file: string;
  readonly calls?: readonly string[];
}

/** A call of the ledger in numbers; not what was asked and said. */
export interface LedgerCall {
  /** Of the request: what `ledger show --key` takes. */
  readonly key: string;
  readonly stage: string;
  readonly teacher: string;
  readonly model: string;
  readonly state: 'stored' | 'failed' | 'in doubt' | 'awaited';
  /** null: not known. */
  readonly costUsd: number | null;
  readonly upperBoundUsd: number | null;
  /** Upper bound of sendings that were given up without an answer. */
  readonly lostUsd: number;
  readonly attempts: number;
  readonly isBatch: boolean;
  /** ISO 8601: when it was answered, else when it was first sent. */
  readonly at: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly finishReason?: string;
  readonly error?: string;
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
  /** undefined where the stages did not keep it. */
  readonly removed?: readonly RemovedRow[] | undefined;
  /** Of the ledger in the run's folder; undefined where it stands elsewhere. */
  readonly calls?: readonly LedgerCall[] | undefined;
  readonly training: TrainingInput;
  readonly evaluation: EvaluationInput;
  /** Where the run went on to feedback and reinforcement learning. */
  readonly loop?: LoopInput | undefined;
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
  /** The judge's by item, where `results` has the agreement with it. */
  readonly verdicts?: ReadonlyMap<string, PeopleChoice>;
  readonly knownSet: KnownSet | undefined;
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

/** A line of train.jsonl of reinforcement learning. */
export interface RlIteration {
  readonly step: number;
  readonly seconds: number;
  /** Nats an answer, from the reference. */
  readonly kl: number;
  /** Nats a token. */
  readonly entropy: number;
  /** Tokens an answer. */
  readonly length: number;
  readonly reward: number;
  /** Share of the prompts whose answers all earned the same. */
  readonly flat: number;
  /** By TRL's names. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** An answer that the policy gave while it learned. */
export interface RlAnswer {
  readonly step: number;
  /** Its id. */
  readonly prompt: string;
  /** The turn of the user that was answered; earlier versions did not say. */
  readonly asked?: string;
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly tokens: number;
  /** null where it could not be rewarded. */
  readonly reward: number | null;
  /** By source, unweighted. */
  readonly parts: Readonly<Record<string, number | null>>;
}

export interface RlInput {
  /** undefined where it has not come to its end. */
  readonly finished: { readonly algorithm: string; readonly iterations: number } | undefined;
  readonly log: readonly RlIteration[];
  readonly answers: readonly RlAnswer[];
  /** What the figures warn of, and since which iteration. */
  readonly warnings: readonly { readonly step: number; readonly text: string }[];
}

/** A training by itself: fine-tuning, a reward model, preferences. */
export interface TrainingRunInput {
  readonly stage: 'sft' | 'reward' | 'dpo';
  readonly training: TrainingInput;
  /** Of a reward model, by what was held out; undefined where nothing was. */
  readonly card: RewardCard | undefined;
  readonly heldOut: readonly RewardedGroup[] | undefined;
}

export type Source = { readonly name: string; readonly files: SourceFiles } & (
  | { readonly kind: 'run'; readonly input: ReportInput }
  | { readonly kind: 'comparison'; readonly input: EvaluationInput }
  | { readonly kind: 'judge'; readonly input: JudgeInput }
  | { readonly kind: 'people'; readonly input: PeopleInput }
  | { readonly kind: 'automatic'; readonly input: AutomaticInput }
  | { readonly kind: 'rouge'; readonly input: RougeInput }
  | { readonly kind: 'rl'; readonly input: RlInput }
  | { readonly kind: 'training'; readonly input: TrainingRunInput }
);

export interface Report {
  readonly title: string;
  readonly sources: readonly Source[];
}
