import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, InterruptedError, TeacherError, TeacherSetupError, WorkError } from '../../src/base/errors.ts';
import { type AskProgress, askAll, askStream, type CallerOptions } from '../../src/teacher/caller.ts';
import { Ledger } from '../../src/teacher/ledger.ts';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { Teacher, TeacherAnswer } from '../../src/teacher/teacher.ts';
import { openVendor } from '../../src/teacher/vendors.ts';
import { type ChatServerOptions, startChatServer } from './fixtures/chat-server.ts';
import { answer, fakeTeacher, overloaded, price, request, temporaryFolder } from './fixtures/make.ts';

const key = 'sk-test-abcdefghij0123456789';
process.env['TEACHER_TEST_KEY'] = key;

let file: string;
let ledger: Ledger;
beforeEach(() => {
  file = join(temporaryFolder(), 'ledger.sqlite');
  ledger = new Ledger(file);
});
afterEach(() => ledger.close());

const quick = { firstDelayMs: 1, maxDelayMs: 2 };
const ask = (texts: readonly string[], teacher: Teacher, options: Partial<CallerOptions> = {}) =>
  askAll(
    texts.map((text) => request(text)),
    { teacher, ledger, stage: 'answers', retry: quick, ...options },
  );
const textOf = (outcome: { answer?: TeacherAnswer | undefined }) => outcome.answer?.text;
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `row ${i}`);

/** Upper bound of `request('row 0')` at `price`: 5 bytes + 16 in, 100 out, in dollars. Its answer costs 10 + 5. */
const bound = 121e-6;
const cost = 15e-6;

test('outcomes come in the order of the requests, each asked once, however often it stands there', async () => {
  const teacher = fakeTeacher({ concurrency: 3 });
  const outcomes = await ask(['a', 'b', 'a', 'c', 'a'], teacher);
  expect(outcomes.map(textOf)).toEqual(['echo: a', 'echo: b', 'echo: a', 'echo: c', 'echo: a']);
  expect(outcomes[2]?.key).toBe(requestKey(request('a')));
  expect(teacher.asked.flat().sort()).toEqual(['a', 'b', 'c']);
});

test('nothing to ask is nothing asked', async () => {
  const teacher = fakeTeacher();
  expect(await ask([], teacher)).toEqual([]);
  expect(teacher.asked).toEqual([]);
});

test('stored rows are never asked, not by another teacher and not after opening again', async () => {
  await ask(['a', 'b'], fakeTeacher());
  ledger.close();
  ledger = new Ledger(file);
  const teacher = fakeTeacher({ name: 'fake:other', reply: async () => answer('new') });
  const outcomes = await ask(['a', 'b', 'c'], teacher);
  expect(outcomes.map(textOf)).toEqual(['echo: a', 'echo: b', 'new']);
  expect(teacher.asked).toEqual([['c']]);
});

test('the intent is on file before the call, the answer before it is handed out', async () => {
  const states: unknown[] = [];
  const teacher = fakeTeacher({
    reply: async (one, { idempotencyKeys }) => {
      const row = ledger.lookup([requestKey(one)]).get(requestKey(one));
      states.push(row?.state, row?.idempotencyKey === idempotencyKeys[0]);
      return answer('x');
    },
  });
  await ask(['a'], teacher, {
    onProgress: ({ done }) =>
      done > 0 &&
      states.push(
        ledger
          .lookup([requestKey(request('a'))])
          .values()
          .next().value?.state,
      ),
  });
  expect(states).toEqual(['sent', true, 'stored']);
});

test('batches are cut from the whole list: what is stored leaves a gap and moves nobody', async () => {
  const rows = numbered(10);
  await ask(['row 1', 'row 6'], fakeTeacher());
  const teacher = fakeTeacher({ batchSize: 4 });
  const outcomes = await ask(rows, teacher);
  expect(teacher.asked).toEqual([
    ['row 0', 'row 2', 'row 3'],
    ['row 4', 'row 5', 'row 7'],
    ['row 8', 'row 9'],
  ]);
  expect(outcomes.map(textOf)).toEqual(rows.map((row) => `echo: ${row}`));
});

test('no more calls at once than the teacher takes, and as many', async () => {
  const counts = { open: 0, most: 0 };
  const teacher = fakeTeacher({
    concurrency: 3,
    reply: async () => {
      counts.most = Math.max(counts.most, ++counts.open);
      await new Promise((resolve) => setTimeout(resolve, 2));
      counts.open -= 1;
      return answer('x');
    },
  });
  await ask(numbered(20), teacher);
  expect(counts.most).toBe(3);
});

test('a failure that passes is asked again under the same idempotency key; the others of its batch are not', async () => {
  const keys: string[] = [];
  let failures = 2;
  const teacher = fakeTeacher({
    batchSize: 3,
    reply: async (one, { idempotencyKeys }) => {
      if (one.messages[0]?.content !== 'b') return answer('fine');
      keys.push(idempotencyKeys[idempotencyKeys.length > 1 ? 1 : 0] as string);
      return failures-- > 0 ? overloaded() : answer('at last');
    },
  });
  const notices: number[] = [];
  const outcomes = await ask(['a', 'b', 'c'], teacher, { onRetry: ({ attempt }) => notices.push(attempt) });
  expect(outcomes.map(textOf)).toEqual(['fine', 'at last', 'fine']);
  expect(teacher.asked).toEqual([['a', 'b', 'c'], ['b'], ['b']]);
  expect(new Set(keys).size).toBe(1);
  expect(notices).toEqual([1, 2]);
  expect(
    ledger
      .lookup([outcomes[1]?.key ?? ''])
      .values()
      .next().value,
  ).toMatchObject({ state: 'stored', attempts: 3 });
});

test('attempts are bounded; a row that fails for good is an outcome, and is asked again by the next run', async () => {
  let broken = true;
  const teacher = fakeTeacher({
    reply: async (one) => (broken && one.messages[0]?.content === 'b' ? overloaded() : answer('fine')),
  });
  const outcomes = await ask(['a', 'b', 'c'], teacher, { retry: { ...quick, attempts: 3 } });
  expect(outcomes.map(textOf)).toEqual(['fine', undefined, 'fine']);
  expect(outcomes[1]?.error).toMatchObject({ status: 503 });
  expect(teacher.asked.flat().filter((text) => text === 'b')).toHaveLength(3);
  expect(ledger.spent()).toMatchObject({ storedCalls: 2, failedCalls: 1, inFlightCalls: 0, inDoubtCalls: 0 });
  broken = false;
  expect((await ask(['a', 'b', 'c'], teacher)).map(textOf)).toEqual(['fine', 'fine', 'fine']);
  expect(teacher.asked.flat().filter((text) => text !== 'b')).toHaveLength(2);
});

test('what is not retryable is asked once; an ask that throws a TeacherError is that of all its rows', async () => {
  const refusing = fakeTeacher({ reply: async () => new TeacherError('no', { status: 400 }) });
  expect((await ask(['a'], refusing))[0]?.error?.status).toBe(400);
  expect(refusing.asked).toHaveLength(1);
  const throwing = fakeTeacher({ batchSize: 2, ask: async () => Promise.reject(new TeacherError('gone')) });
  expect((await ask(['b', 'c'], throwing)).map((outcome) => outcome.error?.message)).toEqual(['gone', 'gone']);
});

test('Retry-After holds back the call it was said to, and nobody else', async () => {
  const order: string[] = [];
  let until = 0;
  const teacher = fakeTeacher({
    concurrency: 4,
    reply: async (one) => {
      const text = one.messages[0]?.content as string;
      if (text === 'row 2' && until === 0) {
        until = Date.now() + 1500;
        return overloaded(1500);
      }
      order.push(text);
      if (text === 'row 2') expect(Date.now()).toBeGreaterThanOrEqual(until);
      else if (until > 0) expect(Date.now()).toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 1));
      return answer('x');
    },
  });
  expect(await ask(numbered(12), teacher)).toHaveLength(12);
  expect(order.at(-1)).toBe('row 2');
});

test('a storm of refusals is waited out: few knock meanwhile, no row is lost to it', async () => {
  let refused = 0;
  const end = Date.now() + 700;
  const teacher = fakeTeacher({
    concurrency: 64,
    reply: async () => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (Date.now() > end) return answer('x');
      refused += 1;
      return new TeacherError('slow down', { status: 429, retryable: true });
    },
  });
  const outcomes = await ask(numbered(200), teacher, { retry: { ...quick, attempts: 1 } });
  expect(outcomes.map(textOf)).toEqual(numbered(200).map(() => 'x'));
  // 32 are under way when it begins; each round after that is half as wide, and waits.
  expect(refused).toBeLessThan(120);
});

test('rates that are known are kept', async () => {
  const sent: number[] = [];
  const teacher = fakeTeacher({
    concurrency: 8,
    rates: { requestsPerMinute: 1200 }, // 20 a second; a hundred at once after a quiet time
    reply: async () => {
      sent.push(performance.now());
      return answer('x');
    },
  });
  await ask(numbered(110), teacher);
  // The hundred and first waits for the bucket: 50 ms a call.
  expect((sent[109] as number) - (sent[0] as number)).toBeGreaterThan(400);
});

test('what a teacher tells early is stored early, though the rest of its batch goes wrong', async () => {
  const teacher = fakeTeacher({
    batchSize: 3,
    ask: async (_, { onAnswer }) => {
      onAnswer?.(1, answer('early'));
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new RangeError('bug');
    },
  });
  await expect(ask(['a', 'b', 'c'], teacher)).rejects.toThrow(RangeError);
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, inDoubtCalls: 2, inFlightCalls: 0 });
  expect((await ask(['b'], fakeTeacher())).map(textOf)).toEqual(['early']);
});

test('a stream is asked as it comes, with little of it in memory, and its outcomes come in order', async () => {
  await ask(['row 7'], fakeTeacher({ reply: async () => answer('bought before') }));
  let [pulled, asked, furthest, times] = [0, 0, 0, 0];
  function* requests() {
    times += 1;
    for (let i = 0; i < 3000; i++) {
      if (times === 1) pulled = i;
      yield request(`row ${i % 2000}`);
    }
  }
  const teacher = fakeTeacher({
    concurrency: 16,
    reply: async (one) => {
      asked += 1;
      furthest = Math.max(furthest, Math.min(pulled, 1999) - asked);
      const text = one.messages[0]?.content as string;
      return text === 'row 9' ? new TeacherError('no', { status: 400 }) : answer(text);
    },
  });
  const progress: AskProgress[] = [];
  const outcomes = [];
  const settings = {
    teacher,
    ledger,
    stage: 'answers',
    retry: quick,
    onProgress: (p: AskProgress) => progress.push(p),
  };
  for await (const outcome of askStream(requests, 3000, settings)) outcomes.push(outcome);
  expect(outcomes.map((outcome) => textOf(outcome) ?? outcome.error?.message)).toEqual(
    Array.from({ length: 3000 }, (_, i) =>
      i % 2000 === 7 ? 'bought before' : i % 2000 === 9 ? 'no' : `row ${i % 2000}`,
    ),
  );
  expect(asked).toBe(1999);
  expect(furthest).toBeLessThan(600);
  expect(progress.at(-1)).toMatchObject({ done: 3000, total: 3000, fromLedger: 2, failed: 2 });
});

test('a wrong key ends everything at once with the set-up error, and what came back stays', async () => {
  const teacher = fakeTeacher({
    reply: async (one) =>
      one.messages[0]?.content === 'row 2' ? new TeacherSetupError('bad key', { status: 401 }) : answer('x'),
  });
  await expect(ask(numbered(50), teacher)).rejects.toThrow('bad key');
  expect(teacher.asked).toHaveLength(3);
  expect(ledger.spent()).toMatchObject({ storedCalls: 2, failedCalls: 1, inDoubtCalls: 0 });
});

describe('a server that rejects all in the same words', () => {
  const reject = (message: string) => new TeacherError(message, { status: 400 });

  test('is asked eight times, then no more; what is asked again when it is mended is everything', async () => {
    const broken = fakeTeacher({ concurrency: 4, reply: async () => reject('model not found') });
    const error = (await ask(numbered(50), broken).catch((reason: unknown) => reason)) as WorkError;
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toBe('model not found; 8 requests in a row were rejected so, and none was answered');
    expect(error.hint).toContain('nothing that was stored is lost');
    // Those that ran when it was told came back first.
    expect(broken.asked.length).toBeGreaterThanOrEqual(8);
    expect(broken.asked.length).toBeLessThan(8 + 4);
    expect(ledger.spent()).toMatchObject({ failedCalls: broken.asked.length, inFlightCalls: 0, inDoubtCalls: 0 });
    const outcomes = await ask(numbered(50), fakeTeacher());
    expect(outcomes.filter(({ answer: one }) => one)).toHaveLength(50);
  });

  test('is not one that has answered, has different reasons, may do better later, or has no status', async () => {
    const outcomesOf = async (reply: (row: number) => TeacherAnswer | TeacherError, retry = quick) => {
      const teacher = fakeTeacher({ reply: async (one) => reply(Number(one.messages[0]?.content.slice(4))) });
      return (await ask(numbered(20), teacher, { retry })).map((outcome) => textOf(outcome) ?? outcome.error?.message);
    };
    const twenty = (text: string) => Array.from({ length: 20 }, () => text);
    expect(await outcomesOf((row) => reject(`no ${row % 8 === 7}`))).toHaveLength(20);
    expect(await outcomesOf(() => new TeacherError('gone'))).toEqual(twenty('gone'));
    const once = { ...quick, attempts: 1 };
    expect(await outcomesOf(() => new TeacherError('late', { status: 408, retryable: true }), once)).toEqual(
      twenty('late'),
    );
    const answeredOnce = await outcomesOf((row) => (row === 6 ? answer('good') : reject('bad')));
    expect(answeredOnce).toEqual(twenty('bad').map((text, row) => (row === 6 ? 'good' : text)));
  });
});

test('a bug in a teacher is not hidden: it is thrown, and its rows are in doubt', async () => {
  const teacher = fakeTeacher({ reply: async () => Promise.reject(new RangeError('bug')) });
  await expect(ask(['a', 'b'], teacher)).rejects.toThrow(RangeError);
  expect(ledger.inDoubt()).toHaveLength(1);
});

test('a request for another model than the teacher’s is a bug of the caller', async () => {
  const requests = [request('a', 0, 'other')];
  await expect(askAll(requests, { teacher: fakeTeacher(), ledger, stage: 's' })).rejects.toThrow(/internal error/);
});

test('budget: stops before it could be passed, keeps what was bought, goes on when raised', async () => {
  const teacher = fakeTeacher({ paid: true, price });
  // Room for the bound of one call after three that cost 15 each: 3 × 15 + 121 = 166, a fourth needs 181.
  const budgetUsd = 170e-6;
  const error = (await ask(numbered(10), teacher, { budgetUsd }).catch((reason: unknown) => reason)) as WorkError;
  expect(error).toBeInstanceOf(WorkError);
  expect(error.message).toMatch(/^the budget of \$0\.00017 is used up: .* 4 of 10 requests are done$/);
  expect(error.hint).toContain('raise budgetUsd');
  expect(ledger.spent()).toMatchObject({ storedCalls: 4, inFlightCalls: 0, inDoubtCalls: 0 });
  expect(ledger.spent().storedUsd).toBeCloseTo(4 * cost, 12);
  await expect(ask(numbered(10), teacher, { budgetUsd })).rejects.toThrow('4 of 10');
  expect(teacher.asked).toHaveLength(4);
  expect(await ask(numbered(10), teacher, { budgetUsd: 1 })).toHaveLength(10);
  expect(teacher.asked).toHaveLength(10);
});

test('budget: calls in flight count at their bound, so no number of workers passes it together', async () => {
  for (const concurrency of [2, 8]) {
    const counts = { open: 0, most: 0 };
    const teacher = fakeTeacher({
      paid: true,
      price,
      concurrency,
      reply: async () => {
        counts.most = Math.max(counts.most, ++counts.open);
        expect(ledger.spent().storedUsd + ledger.spent().inFlightUsd).toBeLessThanOrEqual(budgetUsd + 1e-9);
        await new Promise((resolve) => setTimeout(resolve, 2));
        counts.open -= 1;
        return answer('x');
      },
    });
    const budgetUsd = ledger.spent().storedUsd + bound * 1.5;
    const rows = numbered(10).map((row) => `${row}`.replace('row', `${concurrency}ow`));
    await expect(ask(rows, teacher, { budgetUsd })).rejects.toThrow(WorkError);
    expect(counts.most).toBe(1);
  }
});

test('budget: what is in doubt or was lost on the way counts', async () => {
  const lost = new TeacherError('cut off', { retryable: true });
  const teacher = fakeTeacher({ paid: true, price, reply: async () => lost });
  await expect(ask(['row 0'], teacher, { budgetUsd: bound * 2.5 })).rejects.toThrow(WorkError);
  expect(teacher.asked).toHaveLength(2);
  expect(ledger.spent().lostUsd).toBeCloseTo(2 * bound, 12);
  expect(ledger.spent().storedUsd).toBe(0);
});

test('budget: free teachers need none, stored rows cost none, an unknown price is refused', async () => {
  expect(await ask(['a'], fakeTeacher(), { budgetUsd: 0 })).toHaveLength(1);
  const teacher = fakeTeacher({ paid: true, price });
  await expect(ask(['b'], teacher, { budgetUsd: 0 })).rejects.toThrow(WorkError);
  expect(await ask(['a'], teacher, { budgetUsd: 0 })).toHaveLength(1);
  expect(teacher.asked).toEqual([]);
  const unpriced = fakeTeacher({ paid: true });
  const error = (await ask(['c'], unpriced, { budgetUsd: 5 }).catch((reason: unknown) => reason)) as ConfigError;
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.hint).toContain('inputUsdPerMillion');
  expect(unpriced.asked).toEqual([]);
});

test('cost: by usage, by the bound where usage is unknown, unknown where the price is', async () => {
  const uncounted = async () => ({ ...answer('x'), usage: undefined });
  await ask(['row 0'], fakeTeacher({ paid: true, price }), { stage: 'counted' });
  await ask(['row 1'], fakeTeacher({ paid: true, price, reply: uncounted }), { stage: 'uncounted' });
  await ask(['row 2'], fakeTeacher({ paid: true }), { stage: 'unpriced' });
  await ask(['row 3'], fakeTeacher({ price, reply: uncounted }), { stage: 'free' });
  const { byStage } = ledger.spent();
  expect(byStage['counted']?.storedUsd).toBeCloseTo(cost, 15);
  expect(byStage['uncounted']?.storedUsd).toBeCloseTo(bound, 15);
  expect(byStage['unpriced']).toMatchObject({ storedUsd: 0, unpricedCalls: 1 });
  expect(byStage['free']).toMatchObject({ storedUsd: 0, unpricedCalls: 0 });
});

test('abort: running calls end and stay in doubt, nothing new starts, what came back is stored', async () => {
  const controller = new AbortController();
  const teacher = fakeTeacher({
    concurrency: 2,
    paid: true,
    price,
    reply: async (one, { signal }) => {
      if (one.messages[0]?.content === 'row 0') return answer('first');
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        if (teacher.asked.length === 3) controller.abort();
      });
    },
  });
  await expect(ask(numbered(10), teacher, { signal: controller.signal })).rejects.toBeInstanceOf(InterruptedError);
  expect(teacher.asked).toHaveLength(3);
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, inDoubtCalls: 2, inFlightCalls: 0, failedCalls: 0 });
  expect(ledger.spent().inDoubtUsd).toBeCloseTo(2 * bound, 12);
  await expect(ask(['z'], teacher, { signal: controller.signal })).rejects.toBeInstanceOf(InterruptedError);
  expect(teacher.asked).toHaveLength(3);
});

test('abort: a teacher that reports the cut-off as an error of the row leaves it in doubt all the same', async () => {
  const controller = new AbortController();
  const teacher = fakeTeacher({
    batchSize: 2,
    reply: async (one) => {
      if (one.messages[0]?.content === 'a') return answer('in time');
      controller.abort();
      return new TeacherError('cut off', { retryable: true });
    },
  });
  await expect(ask(['a', 'b'], teacher, { signal: controller.signal })).rejects.toBeInstanceOf(InterruptedError);
  expect(ledger.spent()).toMatchObject({ storedCalls: 1, inDoubtCalls: 1, failedCalls: 0 });
});

test('abort while waiting to retry: at once, and not in doubt, for the server had refused', async () => {
  const controller = new AbortController();
  const teacher = fakeTeacher({ reply: async () => overloaded(3_600_000) });
  const run = ask(['a'], teacher, { signal: controller.signal, onRetry: () => controller.abort() });
  await expect(run).rejects.toBeInstanceOf(InterruptedError);
  expect(ledger.spent()).toMatchObject({ failedCalls: 1, inDoubtCalls: 0, inFlightCalls: 0 });
});

test('progress counts requests, and ends at the total', async () => {
  await ask(['a'], fakeTeacher());
  const seen: AskProgress[] = [];
  const teacher = fakeTeacher({
    paid: true,
    price,
    reply: async (one) => (one.messages[0]?.content === 'c' ? new TeacherError('no') : answer('x')),
  });
  await ask(['a', 'a', 'b', 'c', 'b'], teacher, { onProgress: (progress) => seen.push(progress) });
  expect(seen.map(({ done, fromLedger, failed, total }) => [done, fromLedger, failed, total])).toEqual([
    [2, 2, 0, 5],
    [4, 2, 0, 5],
    [5, 2, 1, 5],
  ]);
  expect(seen[2]?.spentUsd).toBeCloseTo(cost, 12);
  // 'c' failed without a status: the provider may have charged it. 1 byte + 16 in, 100 out.
  expect(seen[2]?.inDoubtUsd).toBeCloseTo(117e-6, 12);
});

async function withServer(
  options: ChatServerOptions,
  work: (teacher: Teacher, server: Awaited<ReturnType<typeof startChatServer>>) => Promise<void>,
  concurrency = 3,
): Promise<void> {
  const server = await startChatServer(options);
  const teacher = openVendor({
    provider: 'openai-compatible',
    model: 'test-model',
    baseUrl: server.baseUrl,
    apiKeyEnv: 'TEACHER_TEST_KEY',
    concurrency,
    timeoutSeconds: 3,
    price,
  });
  try {
    await work(teacher, server);
  } finally {
    await teacher.close();
    await server.close();
  }
}

test('over HTTP: every fault is got over, each row answered once, the key nowhere on disk', async () => {
  const seen = new Map<string, number>();
  const faults = [
    { kind: 'status', status: 429, headers: { 'retry-after-ms': '5' } },
    { kind: 'status', status: 500, body: `{"error":{"message":"broken for Bearer ${key}"}}` },
    { kind: 'reset' },
    { kind: 'truncated' },
    { kind: 'silent' },
  ] as const;
  // The first time a row is asked it meets the fault of its number.
  const fault: ChatServerOptions['fault'] = (_n, { messages }) => {
    const text = messages[0]?.content ?? '';
    seen.set(text, (seen.get(text) ?? 0) + 1);
    return seen.get(text) === 1 ? faults[Number(text.split(' ')[1])] : undefined;
  };
  await withServer({ fault }, async (teacher, server) => {
    const outcomes = await ask(numbered(8), teacher, { budgetUsd: 1 });
    expect(outcomes.map(textOf)).toEqual(numbered(8).map((row) => `echo: ${row}`));
    expect(server.answered).toBe(8);
    expect(server.requests).toHaveLength(13);
    expect(server.maxOpen).toBeLessThanOrEqual(3);
    for (const row of numbered(8)) {
      const keys = server.requests.filter((one) => one.messages[0]?.content === row).map((one) => one.idempotencyKey);
      expect(new Set(keys).size, row).toBe(1);
    }
    expect(new Set(server.requests.map((one) => one.idempotencyKey)).size).toBe(8);
    // Reset, truncated and silent may be on the bill; 429 and 500 are not.
    expect(ledger.spent().storedUsd).toBeCloseTo(8 * cost, 12);
    expect(ledger.spent().lostUsd).toBeCloseTo(3 * bound, 12);
    const before = server.requests.length;
    await ask(numbered(8), teacher);
    expect(server.requests).toHaveLength(before);
  });
  const folder = join(file, '..');
  const bytes = () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
  ledger.close();
  expect(bytes().includes('echo: row 7')).toBe(true);
  expect(bytes().includes(key)).toBe(false);
  ledger = new Ledger(file);
});

test('over HTTP: 401 ends the run after the calls that were open', async () => {
  await withServer({ fault: () => ({ kind: 'status', status: 401 }) }, async (teacher, server) => {
    await expect(ask(numbered(30), teacher)).rejects.toBeInstanceOf(TeacherSetupError);
    expect(server.requests.length).toBeLessThanOrEqual(3);
    expect(ledger.spent()).toMatchObject({ storedCalls: 0, inDoubtCalls: 0, lostUsd: 0 });
  });
});
