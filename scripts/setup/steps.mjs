/**
 * A step: what it depends on, whether its result stands, and how to make it. It is done again when the hash of its
 * inputs differs from the recorded one or its result is gone. The record is taken away before the work and written
 * after it, so that a step killed in between is never taken for done.
 *
 * A step is { name, title, folder, inputs(), isPresent(result), run({ wasInterrupted }) }: `folder` holds its record
 * and log, `inputs` gives any JSON value, `run` returns what the record shall keep for later steps and for src/native.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonIfWhole, removeLeftovers, sha256, writeJsonAtomic } from './files.mjs';

const recordFile = (step) => join(step.folder, `${step.name}.json`);
const startedFile = (step) => join(step.folder, `${step.name}.started`);

/** Thrown by `requireFresh`: there is work to do. */
export class Stale extends Error {}

export const hasRecord = (step) => existsSync(recordFile(step));

/** The recorded result if the step need not run; undefined if it must. */
async function freshResult(step, hash) {
  const record = readJsonIfWhole(recordFile(step));
  return record?.hash === hash && (await step.isPresent(record.result)) ? record.result : undefined;
}

const inputHash = async (step) => sha256(JSON.stringify(await step.inputs()));

/** The step's result without doing anything; throws Stale where something has to be done. */
export async function requireFresh(step) {
  const result = await freshResult(step, await inputHash(step));
  if (result === undefined) throw new Stale(step.name);
  return result;
}

/** Does the step if it has to be done. Under the lock only. `report(title, work)` times and announces the work. */
export async function ensureStep(step, report) {
  const hash = await inputHash(step);
  const fresh = await freshResult(step, hash);
  if (fresh !== undefined) return fresh;
  return await report(step.title, async () => {
    mkdirSync(step.folder, { recursive: true });
    const wasInterrupted = existsSync(startedFile(step));
    writeFileSync(startedFile(step), '');
    rmSync(recordFile(step), { force: true });
    removeLeftovers(recordFile(step));
    const result = await step.run({ wasInterrupted });
    writeJsonAtomic(recordFile(step), { hash, finished: new Date().toISOString(), result });
    rmSync(startedFile(step), { force: true });
    return result;
  });
}

/** Makes the next run do the step from scratch. */
export function forgetStep(step) {
  rmSync(recordFile(step), { force: true });
}
