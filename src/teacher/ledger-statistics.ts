/** A ledger in numbers: calls, tokens and costs by stage and teacher, from a reading that takes nothing from anybody. */
import { isObject } from '../base/rows.ts';
import { ledgerUser } from './ledger-file.ts';
import { LedgerReader } from './ledger-reader.ts';
import { Spending } from './spending.ts';

export interface CallTotals {
  /** By state; `inDoubt`: sent and not answered; `awaited`: sent in a batch that is not collected. */
  readonly calls: {
    readonly stored: number;
    readonly failed: number;
    readonly inDoubt: number;
    readonly awaited: number;
  };
  /** All sendings, repeated ones too. */
  readonly sendings: number;
  /** Of the stored answers, as providers counted them. */
  readonly tokens: {
    readonly input: number;
    readonly output: number;
    /** Stored answers without a count, or whose JSON cannot be read. */
    readonly uncounted: number;
  };
  readonly usd: {
    /** What the stored answers cost, without the `unpriced`. */
    readonly stored: number;
    /** Stored calls whose price is not known. */
    readonly unpriced: number;
    /** Upper bounds, of sendings without an answer, of calls in batches, and of sendings that were given up or repeated. */
    readonly inDoubt: number;
    readonly awaited: number;
    readonly lost: number;
  };
}

export interface CallGroup extends CallTotals {
  readonly stage: string;
  readonly teacher: string;
}

export interface LedgerStatistics {
  readonly ledger: string;
  /** The process that writes to it now: it may still await what is in doubt. null: nobody. */
  readonly usedBy: number | null;
  readonly total: CallTotals;
  /** In the order of their first call. */
  readonly groups: readonly CallGroup[];
  /** ISO 8601, of the first intent and the last outcome; null where there is none. */
  readonly firstAt: string | null;
  readonly lastAt: string | null;
}

const columns = [
  'stage',
  'teacher',
  'state',
  'answer',
  'cost_usd',
  'upper_bound_usd',
  'lost_usd',
  'attempts',
  'created_at',
  'finished_at',
  'batch',
] as const;

/** What is added up besides costs. */
interface Sums {
  sendings: number;
  input: number;
  output: number;
  uncounted: number;
}

/** Throws ConfigError where the file is no ledger, WorkError where it is damaged. */
export function ledgerStatistics(file: string): LedgerStatistics {
  const reader = new LedgerReader(file);
  // Asked first: what is seen as sent was sent by whoever wrote to it before the reading, or by nobody alive.
  const usedBy = ledgerUser(file) ?? null;
  const groups = new Map<string, { stage: string; teacher: string; spending: Spending; sums: Sums }>();
  let firstAt: string | null = null;
  let lastAt: string | null = null;
  try {
    for (const row of reader.pick(columns)) {
      const { stage, teacher, state, answer, attempts, created_at, finished_at } = row;
      const name = JSON.stringify([stage, teacher]);
      const group = groups.get(name) ?? { stage, teacher, spending: new Spending(), sums: noSums() };
      groups.set(name, group);
      group.spending.add(row, false);
      group.sums.sendings += attempts;
      if (state === 'stored') addTokens(group.sums, answer);
      if (firstAt === null || created_at < firstAt) firstAt = created_at;
      if (finished_at !== null && (lastAt === null || finished_at > lastAt)) lastAt = finished_at;
    }
  } finally {
    reader.close();
  }
  const all = [...groups.values()].map(({ stage, teacher, spending, sums }) => {
    return { stage, teacher, ...totals(spending, sums) };
  });
  return { ledger: file, usedBy, total: add(all), groups: all, firstAt, lastAt };
}

const noSums = (): Sums => ({ sendings: 0, input: 0, output: 0, uncounted: 0 });

function addTokens(sums: Sums, answer: string | null): void {
  const { input, output } = tokensOf(answer) ?? {};
  if (typeof input === 'number' && typeof output === 'number') {
    sums.input += input;
    sums.output += output;
  } else sums.uncounted += 1;
}

function tokensOf(answer: string | null): { input: unknown; output: unknown } | undefined {
  try {
    const { usage } = JSON.parse(answer ?? 'null') as { usage?: unknown };
    return isObject(usage) ? { input: usage['inputTokens'], output: usage['outputTokens'] } : undefined;
  } catch {
    return undefined;
  }
}

function totals(spending: Spending, { sendings, ...tokens }: Sums): CallTotals {
  const total = spending.total();
  const { storedCalls: stored, failedCalls: failed, inDoubtCalls: inDoubt, awaitedCalls: awaited } = total;
  const { storedUsd, unpricedCalls: unpriced, inDoubtUsd, awaitedUsd, lostUsd: lost } = total;
  return {
    calls: { stored, failed, inDoubt, awaited },
    sendings,
    tokens,
    usd: { stored: storedUsd, unpriced, inDoubt: inDoubtUsd, awaited: awaitedUsd, lost },
  };
}

function add(groups: readonly CallTotals[]): CallTotals {
  const sum = (of: (group: CallTotals) => number): number => groups.reduce((total, group) => total + of(group), 0);
  return {
    calls: {
      stored: sum(({ calls }) => calls.stored),
      failed: sum(({ calls }) => calls.failed),
      inDoubt: sum(({ calls }) => calls.inDoubt),
      awaited: sum(({ calls }) => calls.awaited),
    },
    sendings: sum(({ sendings }) => sendings),
    tokens: {
      input: sum(({ tokens }) => tokens.input),
      output: sum(({ tokens }) => tokens.output),
      uncounted: sum(({ tokens }) => tokens.uncounted),
    },
    usd: {
      stored: sum(({ usd }) => usd.stored),
      unpriced: sum(({ usd }) => usd.unpriced),
      inDoubt: sum(({ usd }) => usd.inDoubt),
      awaited: sum(({ usd }) => usd.awaited),
      lost: sum(({ usd }) => usd.lost),
    },
  };
}
