/**
 * What a killed and finished job must have left, held against the fault server's own count. An answer delivered whole is
 * stored, or was under way at a kill: lost, and delivered once more.
 */
import { expectedText, requestHash } from '../teacher/fault-server/start.mjs';

/**
 * @typedef {ReturnType<typeof import('./read-ledger.mjs').readLedger>} LedgerRows
 * @typedef {readonly { hash: string, outcome: string }[]} BatchRows of a batch; batches in the order they were made in
 * @param {{ instructions: string[], maxTokens: number, concurrency: number, killed: { at: number, ledger: LedgerRows }[],
 *   printed: { rows: number, rejected: object }, written: { messages: { role: string, content: string }[] }[],
 *   ledger: LedgerRows, events: Record<string, any>[], counts: Record<string, any>, batches?: BatchRows[] }} job
 */
export function judge(job) {
  const { instructions, maxTokens, concurrency, killed, printed, written, ledger, events, counts, batches = [] } = job;
  const bodies = instructions.map((content) => {
    const messages = [{ role: 'user', content }];
    return { model: 'test-model', messages, max_tokens: maxTokens, temperature: 0 };
  });
  const hashes = bodies.map(requestHash);
  const isWritten = (body, i) =>
    written[i]?.messages[0]?.content === instructions[i] && written[i]?.messages[1]?.content === expectedText(body);
  const isStored = (body, i) =>
    ledger.get(hashes[i])?.state === 'stored' && ledger.get(hashes[i])?.text === expectedText(body);

  const arrivals = events.filter(({ e }) => e === 'served' || e === 'refused');
  const isWhole = new Map(events.flatMap(({ e, id, whole }) => (e === 'delivered' ? [[id, whole]] : [])));
  const deliveries = new Map(hashes.map((hash) => [hash, 0]));
  // A batch's rows lie in its file until they are fetched: they arrive whole.
  const wholes = events.filter(({ e, id, batch }) => e === 'served' && (batch !== undefined || isWhole.get(id)));
  for (const { hash } of wholes) deliveries.set(hash, (deliveries.get(hash) ?? 0) + 1);
  const delivered = [...deliveries.values()].reduce((a, b) => a + b, 0);
  const stored = [...ledger.values()].filter(({ state }) => state === 'stored').length;
  const inFlight = killed.map(({ ledger: now }, k) => underWay(now, killed[k - 1]?.ledger));
  const underWayAt = (hash) => inFlight.filter((one) => one.has(hash)).length;

  const askedAfterKill = arrivals.filter(({ hash, askedAt, at }) =>
    killed.some(({ at: killedAt, ledger: then }) => (askedAt ?? at) > killedAt && then.get(hash)?.state === 'stored'),
  );
  const askedAfterStored = arrivals.filter(
    ({ hash, askedAt, at }) => (askedAt ?? at) > (ledger.get(hash)?.finishedAt ?? 0),
  );
  const unexplained = [...deliveries].filter(([hash, times]) => times < 1 || times - 1 > underWayAt(hash));
  const impatient = arrivals.filter(({ hash, askedAt, earlyMs }) => {
    if (earlyMs === undefined) return false;
    // A process that was started after a kill cannot know what its forerunner was told.
    const told = Math.max(...arrivals.flatMap((one) => (one.hash === hash && one.at < askedAt ? [one.at] : [])));
    return !killed.some(({ at }) => told <= at && at <= askedAt);
  });
  const inFlightAtKills = inFlight.map((one) => one.size);
  return {
    rows: instructions.length,
    kills: killed.length,
    storedAtKills: killed.map(
      ({ ledger: then }) => [...then.values()].filter(({ state }) => state === 'stored').length,
    ),
    inFlightAtKills,
    server: { delivered, torn: counts.torn, asked: counts.asked, duplicates: counts.duplicates, faults: counts.faults },
    stored,
    lost: delivered - stored,
    ...(batches.length > 0 && { batches: describeBatches(batches, counts) }),
    oldestLostMs: oldestLost(wholes, killed, inFlight),
    checks: {
      everyRowIsWritten: written.length === bodies.length && bodies.every(isWritten),
      everyRowIsStored: ledger.size === bodies.length && bodies.every(isStored),
      nothingIsRejected: printed.rows === bodies.length && Object.keys(printed.rejected).length === 0,
      noStoredRowAskedAgainAfterAKill: askedAfterKill.length === 0 || askedAfterKill.slice(0, 5),
      noStoredRowAskedAgain: askedAfterStored.length === 0 || askedAfterStored.slice(0, 5),
      eachLostAnswerWasUnderWayAtAKill: unexplained.length === 0 || unexplained.slice(0, 5),
      lostAtMostInFlight: delivered - stored <= inFlightAtKills.reduce((a, b) => a + b, 0),
      nothingIsChargedAgain: counts.chargedAgain === 0 || counts.chargedAgain,
      inFlightAtMostConcurrency: counts.batchRows > 0 || inFlightAtKills.every((count) => count <= concurrency),
      everyWaitWasHeeded: impatient.length === 0 || impatient.slice(0, 5),
      faultsHappened:
        Object.keys(counts.faults).length > 0 || batches.flat().some(({ outcome }) => outcome !== 'served'),
      ...(batches.length > 0 && checkBatches(batches, delivered, stored, ledger)),
    },
  };
}

/** @param {readonly BatchRows[]} batches @param {Record<string, any>} counts */
function describeBatches(batches, counts) {
  /** @type {Record<string, number>} */
  const outcomes = {};
  for (const { outcome } of batches.flat()) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  return { rows: batches.map((rows) => rows.length), outcomes, controlFaults: counts.controlFaults };
}

/** @param {readonly BatchRows[]} batches @param {number} delivered @param {number} stored @param {LedgerRows} ledger */
function checkBatches(batches, delivered, stored, ledger) {
  const last = new Map();
  const submittedAgain = [];
  for (const { hash, outcome } of batches.flat()) {
    if (last.get(hash) === 'served') submittedAgain.push(hash);
    last.set(hash, outcome);
  }
  const inDoubt = [...ledger.values()].filter(({ state }) => state === 'sent').length;
  return {
    onlyWhatFailedOrExpiredIsSubmittedAgain: submittedAgain.length === 0 || submittedAgain.slice(0, 5),
    servedIsStoredOrInDoubt: delivered === stored + inDoubt || { delivered, stored, inDoubt },
  };
}

/**
 * How long before a kill the oldest answer was delivered that was lost by it: what a process may take to store one.
 * @param {Record<string, any>[]} wholes @param {{ at: number }[]} killed @param {Set<string>[]} inFlight
 */
function oldestLost(wholes, killed, inFlight) {
  const ages = killed.flatMap(({ at: killedAt }, k) =>
    wholes
      .filter(({ hash, at }) => inFlight[k]?.has(hash) && at <= killedAt && at > (killed[k - 1]?.at ?? 0))
      .map(({ at }) => killedAt - at),
  );
  return Math.max(0, ...ages);
}

/**
 * Rows that were sent in the run that was killed, and have no outcome.
 * @param {LedgerRows} now @param {LedgerRows | undefined} before the last kill
 * @returns {Set<string>}
 */
function underWay(now, before) {
  const sent = [...now].filter(
    ([hash, row]) => row.state === 'sent' && row.attempts > (before?.get(hash)?.attempts ?? 0),
  );
  return new Set(sent.map(([hash]) => hash));
}
