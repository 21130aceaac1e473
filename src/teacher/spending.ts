/**
 * Adds a ledger's rows up, by stage: what was paid, what may have to be paid, and what of it is unknown. Kept in memory
 * and moved row by row, because a budget is asked before every call and a ledger may have a million rows.
 */

export interface Totals {
  readonly storedCalls: number;
  /** What the stored answers cost. Rows without a known price count as 0 here and one each in `unpricedCalls`. */
  readonly storedUsd: number;
  readonly unpricedCalls: number;
  /** Sent by this process and still awaited; upper bounds. */
  readonly inFlightCalls: number;
  readonly inFlightUsd: number;
  /** Sent by a process that no longer awaits them; upper bounds. They are asked again when needed. */
  readonly inDoubtCalls: number;
  readonly inDoubtUsd: number;
  /** In a batch that goes on at the provider, whichever process awaits it; upper bounds. */
  readonly awaitedCalls: number;
  readonly awaitedUsd: number;
  readonly failedCalls: number;
  /** Upper bounds of sendings that were given up or repeated without an answer: the provider may have charged them. */
  readonly lostUsd: number;
}

export interface Spent extends Totals {
  readonly byStage: Readonly<Record<string, Totals>>;
}

/** What of a row matters for the totals. */
export interface RowCost {
  readonly state: 'sent' | 'stored' | 'failed';
  readonly stage: string;
  readonly cost_usd: number | null;
  readonly upper_bound_usd: number | null;
  readonly lost_usd: number;
  readonly batch: string | null;
}

type Counts = { -readonly [name in keyof Totals]: number };

const names = [
  'storedCalls',
  'storedUsd',
  'unpricedCalls',
  'inFlightCalls',
  'inFlightUsd',
  'inDoubtCalls',
  'inDoubtUsd',
  'awaitedCalls',
  'awaitedUsd',
  'failedCalls',
  'lostUsd',
] as const satisfies readonly (keyof Totals)[];

const nothing = (): Counts => Object.fromEntries(names.map((name) => [name, 0])) as Counts;

/** Everything that counts against a budget. */
export const committedUsd = (totals: Totals): number =>
  totals.storedUsd + totals.inFlightUsd + totals.inDoubtUsd + totals.awaitedUsd + totals.lostUsd;

/** Cents where there are some, more digits where there are none. */
export const usd = (amount: number): string =>
  `$${amount >= 0.01 || amount === 0 ? amount.toFixed(2) : amount.toPrecision(2)}`;

export class Spending {
  readonly #stages = new Map<string, Counts>();

  add(row: RowCost, inFlight: boolean): void {
    this.#move(row, inFlight, 1);
  }

  remove(row: RowCost, inFlight: boolean): void {
    this.#move(row, inFlight, -1);
  }

  total(): Spent {
    const total = nothing();
    for (const counts of this.#stages.values()) for (const name of names) total[name] += counts[name];
    return {
      ...total,
      byStage: Object.fromEntries([...this.#stages].map(([stage, counts]) => [stage, { ...counts }])),
    };
  }

  #move(row: RowCost, inFlight: boolean, sign: 1 | -1): void {
    const counts = this.#stages.get(row.stage) ?? nothing();
    this.#stages.set(row.stage, counts);
    counts.lostUsd += sign * row.lost_usd;
    if (row.state === 'failed') counts.failedCalls += sign;
    if (row.state === 'stored') {
      counts.storedCalls += sign;
      counts.storedUsd += sign * (row.cost_usd ?? 0);
      if (row.cost_usd === null) counts.unpricedCalls += sign;
    }
    if (row.state !== 'sent') return;
    const awaited = row.batch === null ? undefined : (['awaitedCalls', 'awaitedUsd'] as const);
    const [calls, sum] =
      awaited ?? (inFlight ? (['inFlightCalls', 'inFlightUsd'] as const) : (['inDoubtCalls', 'inDoubtUsd'] as const));
    counts[calls] += sign;
    // Sums of floats leave dust behind; nothing in flight costs exactly nothing.
    counts[sum] = counts[calls] === 0 ? 0 : counts[sum] + sign * (row.upper_bound_usd ?? 0);
  }
}
