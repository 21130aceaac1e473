/** Calls to the server, with the invitation in a header; and trying again until one comes through. */
import {
  type ComparisonAnswer,
  clientHeader,
  type NextAnswer,
  type Refusal,
  type RefusalCode,
  type StoredAnswer,
  type Vote,
} from '../protocol.ts';

/** The server answered, and will say the same again. */
export class Refused extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode) {
    super(code);
    this.code = code;
  }
}

/** No answer, or the server could not store: worth another try. */
class Unreachable extends Error {}

export interface Api {
  next(): Promise<NextAnswer>;
  comparison(id: string): Promise<ComparisonAnswer>;
  /** Resolves when the vote is stored. */
  vote(id: string, vote: Vote): Promise<StoredAnswer>;
}

export function openApi(token: string): Api {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, [clientHeader]: '1' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const request = {
      method,
      headers,
      credentials: 'omit',
      cache: 'no-store',
      body: body === undefined ? null : JSON.stringify(body),
    } as const;
    const response = await fetch(`api/${path}`, { ...request, signal: AbortSignal.timeout(timeoutMs) }).catch(() => {
      throw new Unreachable();
    });
    if (response.ok) return (await response.json().catch(() => Promise.reject(new Unreachable()))) as T;
    const { refused } = (await response.json().catch(() => ({}))) as Partial<Refusal>;
    if (refused === undefined || refused === 'not-stored') throw new Unreachable();
    throw new Refused(refused);
  };
  const address = (id: string) => `comparisons/${encodeURIComponent(id)}`;
  return {
    next: () => call('POST', 'next', {}),
    comparison: (id) => call('GET', address(id)),
    vote: (id, vote) => call('PUT', `${address(id)}/vote`, vote),
  };
}

const timeoutMs = 15_000;
const longestWaitMs = 10_000;

/** Calls until it is not unreachable; `onTrouble` hears of every failure, with what tries at once. Only `Refused` is thrown. */
export async function persist<T>(work: () => Promise<T>, onTrouble: (tryNow: () => void) => void): Promise<T> {
  for (let waitMs = 500; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
    await new Promise<void>((resolve) => {
      const go = () => {
        clearTimeout(timer);
        removeEventListener('online', go);
        resolve();
      };
      const timer = setTimeout(go, waitMs);
      addEventListener('online', go);
      onTrouble(go);
    });
  }
}
