/**
 * One run of set-up: look whether all is done; if not, take the lock and do it. Ctrl-C and SIGTERM stop the children,
 * give the lock back and leave steps that the next run does again.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { interrupted, SetupError } from './errors.mjs';
import { openFileHashes } from './files.mjs';
import { acquireLock } from './lock.mjs';
import { findPlaces } from './places.mjs';
import { nativePlan, requirePrograms, wordsPlan } from './plan.mjs';
import { openRunner } from './processes.mjs';
import { openProgress } from './progress.mjs';
import { ensureStep, requireFresh, Stale } from './steps.mjs';

export async function runSetup({ needs, quiet, onlyBuild }) {
  if (needs === 'native' && process.platform === 'win32')
    throw new SetupError('set-up: the native half runs on Linux and macOS; on Windows use WSL', 2);
  const places = findPlaces();
  if (needs === 'words' && !places.isCheckout) return;
  const hashes = openFileHashes(join(needs === 'words' ? places.rootRecords : places.stateRecords, 'hashes.json'));
  const plan = needs === 'words' ? wordsPlan : nativePlan;
  if (!(await isAllDone((ensure) => plan({ places, hashes }, ensure, { onlyBuild }))))
    await doAll({ places, hashes, needs, quiet, onlyBuild, plan });
  hashes.save();
}

async function isAllDone(walk) {
  try {
    await walk(requireFresh);
    return true;
  } catch (error) {
    // Whatever else is wrong is found again, and told better, by the run that does the work.
    if (error instanceof Stale || error instanceof SetupError) return false;
    throw error;
  }
}

async function doAll({ places, hashes, needs, quiet, onlyBuild, plan }) {
  const { say, report } = openProgress({ quiet });
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of signals) process.on(name, onSignal);
  const locks = [];
  try {
    const onWait = ({ pid, host }) => say(`waiting for another set-up (process ${pid} on ${host})`);
    const folders = recordFolders(places, needs);
    folders.forEach(makeFolder);
    for (const folder of folders) locks.push(await acquireLock(folder, { signal: stop.signal, onWait }));
    const run = openRunner({ signal: stop.signal, lockFolder: locks[0].folder });
    const tools = { places, hashes, run, say };
    if (needs === 'native') await requirePrograms(tools);
    const ensure = async (step) => {
      if (stop.signal.aborted) throw interrupted();
      return await ensureStep(step, report);
    };
    await plan(tools, ensure, { onlyBuild });
  } finally {
    for (const lock of locks.reverse()) lock.release();
    for (const name of signals) process.off(name, onSignal);
  }
}

/** Always in this order, so that two set-ups never wait for each other. */
function recordFolders(places, needs) {
  const folders = [
    ...(places.isCheckout ? [places.rootRecords] : []),
    ...(needs === 'native' ? [places.stateRecords] : []),
  ];
  return [...new Set(folders)];
}

function makeFolder(folder) {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new SetupError(
      `set-up: cannot write to ${folder} (${error.code}): set UNDERSTUDY_HOME to a folder of yours`,
      2,
    );
  }
}
