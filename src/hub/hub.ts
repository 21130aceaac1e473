/**
 * Models of the Hugging Face hub, downloaded once and found again: `<cache>/<org>--<name>/<commit>/` holds the files of
 * a commit, and a list of them that is written last, so that without it a folder counts for nothing.
 * `<cache>/<org>--<name>/refs/<revision>` is the commit that a branch or tag last was. A branch is looked up each time;
 * a whole commit that is here needs no network, and with HF_HUB_OFFLINE=1 nothing does. Uploading is not done here.
 */
import { existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic, writeJsonAtomic } from '../base/atomic.ts';
import { ConfigError, throwIfAborted, WorkError } from '../base/errors.ts';
import { readJson, readText } from '../base/jsonl.ts';
import { lockFolder } from '../base/lock.ts';
import { hubFolder } from '../base/paths.ts';
import { type Connection, connect, type Environment, type Wanted } from './connection.ts';
import { downloadFile } from './file.ts';
import { isCommit, parseHubName } from './names.ts';
import { bytesLeft } from './part.ts';
import { defaultRetry, type RetryPolicy } from './retry.ts';
import { findSnapshot, type HubFile, type Snapshot } from './snapshot.ts';

export interface DownloadProgress {
  /** Of all files, what was there before included; falls where a file has to start again. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** The one now coming. */
  readonly file: string;
}

export interface DownloadOptions {
  /** `org/name`. */
  readonly name: string;
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string | undefined;
  readonly cacheFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for every piece that arrives, of some ten kilobytes. Not called where nothing is to be downloaded. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** A line for the user: what is waited for, and why. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE; default process.env. */
  readonly env?: Environment | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

const listFile = '.download.json';
const listSchema = z.object({ files: z.array(z.object({ name: z.string(), size: z.number() })) });

/**
 * The folder with the model's files; its own name is the commit. Throws ConfigError for what the hub does not have or
 * give, WorkError where the network, the disk or a checksum fails, InterruptedError on abort. What was downloaded until
 * then stands, and the next call goes on from there.
 */
export async function downloadModel(options: DownloadOptions): Promise<string> {
  const { cacheFolder = hubFolder, env = process.env, signal = new AbortController().signal } = options;
  const { onNotice = () => {} } = options;
  throwIfAborted(signal);
  const wanted = readName(options);
  const { name, revision } = wanted;
  const home = join(cacheFolder, name.replace('/', '--'));
  if (isCommit(revision) && isComplete(join(home, revision))) return join(home, revision);
  if (isOn(env['HF_HUB_OFFLINE'])) return findOffline(home, wanted);

  const connection = connect(env, { signal, onNotice, retry: { ...defaultRetry, ...options.retry } });
  const snapshot = await findSnapshot(connection, wanted);
  const folder = join(home, snapshot.commit);
  if (!isComplete(folder)) {
    const onWait = (owner: string) => onNotice(`${owner} is downloading ${name}`);
    const lock = await lockFolder(folder, { signal, onWait });
    try {
      if (!isComplete(folder)) await fill(folder, connection, { name, revision: snapshot.commit }, snapshot, options);
    } finally {
      lock.release();
    }
  }
  // Nothing is written where nothing changed: a cache may be shared, and not ours to write to.
  if (!isCommit(revision) && readRef(home, revision) !== snapshot.commit)
    writeFileAtomic(refFile(home, revision), `${snapshot.commit}\n`);
  return folder;
}

function readName({ name, revision }: DownloadOptions): Wanted {
  const text = `${name}@${revision ?? 'main'}`;
  const parsed = parseHubName(text);
  if (parsed?.revision === undefined)
    throw new ConfigError(`expected org/name and a revision, got ${text}`, {
      hint: 'for example HuggingFaceTB/SmolLM2-135M-Instruct@main',
    });
  return { name: parsed.name, revision: parsed.revision };
}

async function fill(
  folder: string,
  connection: Connection,
  wanted: Wanted,
  { commit, files }: Snapshot,
  { onProgress }: DownloadOptions,
): Promise<void> {
  // A file has its name only after it was checked: its size tells whether it is still what it was.
  const missing = files.filter(({ name, size }) => sizeOf(join(folder, name)) !== size);
  await requireSpace(folder, wanted, missing);
  const totalBytes = sum(files);
  let doneBytes = totalBytes - sum(missing);
  for (const file of missing) {
    const before = doneBytes;
    const onBytes = (bytes: number) => onProgress?.({ doneBytes: before + bytes, totalBytes, file: file.name });
    await downloadFile({ connection, wanted, file, target: join(folder, file.name), onBytes });
    doneBytes += file.size;
  }
  const list = files.map(({ name, size, checksum }) => ({ name, size, [checksum.kind]: checksum.hex }));
  writeJsonAtomic(join(folder, listFile), { model: wanted.name, commit, endpoint: connection.endpoint, files: list });
}

async function requireSpace(folder: string, { name }: Wanted, missing: readonly HubFile[]): Promise<void> {
  const left = await Promise.all(missing.map((file) => bytesLeft(join(folder, file.name))));
  const needed = missing.reduce((total, file, i) => total + Math.max(0, file.size - (left[i] ?? 0)), 0);
  const { bavail, bsize } = await statfs(folder);
  if (needed > bavail * bsize)
    throw new WorkError(
      `${name} needs ${gigabytes(needed)} more, ${gigabytes(bavail * bsize)} are free where ${folder} is`,
      { hint: 'make room, or set UNDERSTUDY_HOME to a folder on a disk with more' },
    );
}

const sum = (files: readonly HubFile[]): number => files.reduce((total, file) => total + file.size, 0);
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size;

/** The list stands, and so do the files on it. */
function isComplete(folder: string): boolean {
  const file = join(folder, listFile);
  if (!existsSync(file)) return false;
  const list = listSchema.safeParse(readJson(file));
  return list.success && list.data.files.every(({ name, size }) => sizeOf(join(folder, name)) === size);
}

const refFile = (home: string, revision: string): string => join(home, 'refs', encodeURIComponent(revision));

/** The commit that a branch or tag was when it was last downloaded. */
function readRef(home: string, revision: string): string | undefined {
  const file = refFile(home, revision);
  return existsSync(file) ? readText(file).trim() : undefined;
}

/** What HF_HUB_OFFLINE may say for yes, as huggingface_hub reads it. */
const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

function findOffline(home: string, { name, revision }: Wanted): string {
  const commit = readRef(home, revision) ?? revision;
  if (isCommit(commit) && isComplete(join(home, commit))) return join(home, commit);
  throw new ConfigError(`${name}@${revision} is not in ${home}, and HF_HUB_OFFLINE is set`, {
    hint: 'unset HF_HUB_OFFLINE to download it, or name a revision that was downloaded before',
  });
}
