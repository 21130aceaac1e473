/** Types of start.mjs, for tests in TypeScript. */

/** Any part of the settings in settings.mjs, where each is explained; the server refuses names and types it does not know. */
export type Faults = Readonly<Record<string, unknown>>;

/** Sums of everything in the state file; explained in state.mjs. */
export interface Counts {
  readonly asked: number;
  readonly inFlight: number;
  readonly maxInFlight: number;
  readonly served: number;
  readonly whole: number;
  readonly torn: number;
  readonly unknown: number;
  readonly duplicates: number;
  readonly chargedAgain: number;
  readonly batchRows: number;
  readonly requests: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly bytes: number;
  readonly early: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly controlFaults: Readonly<Record<string, number>>;
  readonly starts: number;
}

/** A line of the state file. */
export interface Event {
  readonly e: string;
  readonly at: number;
  readonly [member: string]: unknown;
}

export interface FaultServer {
  readonly address: string;
  /** With /v1. */
  readonly baseUrl: string;
  readonly pid: number;
  readonly port: number;
  counts(): Promise<Counts>;
  /** Changes a part of the settings; returns all of them. Rejects where a name or a type is wrong. */
  set(change: Faults): Promise<Faults>;
  events(): Event[];
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** `port` 0: any that is free. The same `state` again goes on counting. Ends with this process at the latest. */
export function startFaultServer(options: {
  readonly state: string;
  readonly seed?: number;
  readonly faults?: Faults;
  readonly port?: number;
}): Promise<FaultServer>;

export function eventsOf(state: string): Event[];

/** The text that a request body of either protocol is answered with where no fault touches it. */
export function expectedText(body: Readonly<Record<string, unknown>>, answerWords?: number): string;

/** What the server calls a request by: equal for the same request online, streamed and in a batch. */
export function requestHash(body: Readonly<Record<string, unknown>>): string;
