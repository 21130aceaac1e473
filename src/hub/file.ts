/**
 * One file of the hub onto the disk, streamed: what is there already is gone on with, what has come is held against the
 * size and checksum that the hub gave for it, and only then does the file get its name.
 */
import { WorkError } from '../base/errors.ts';
import { type Connection, drop, get, reasonOf, refusal, type Wanted } from './connection.ts';
import { Part } from './part.ts';
import { PassingError, withRetries } from './retry.ts';
import type { HubFile } from './snapshot.ts';

export interface FileOptions {
  readonly connection: Connection;
  /** With the commit as its revision. */
  readonly wanted: Wanted;
  readonly file: HubFile;
  readonly target: string;
  /** Bytes of this file that are on the disk; falls back to 0 where it starts again. */
  readonly onBytes: (bytes: number) => void;
}

/** Throws WorkError where twice something else came than the hub's checksum stands for. */
export async function downloadFile(options: FileOptions): Promise<void> {
  const { connection, wanted, file, target } = options;
  const part = await Part.open(target, file, connection.signal);
  try {
    // Once more from nothing: what an earlier process left may be at fault.
    for (const last of [false, true]) {
      await withRetries(connection, () => fetchRest(options, part));
      const problem = part.problem();
      if (problem === undefined) return await part.finish();
      if (last) {
        await part.discard();
        throw new WorkError(`${file.name} of ${wanted.name} came wrong twice: ${problem}`, {
          hint: `a proxy or mirror may be sending something else than ${connection.endpoint} lists; try again later or from elsewhere`,
        });
      }
      connection.onNotice(`${file.name}: ${problem}: downloading it again`);
      await part.restart();
    }
  } finally {
    await part.close();
  }
}

async function fetchRest({ connection, wanted, file, onBytes }: FileOptions, part: Part): Promise<void> {
  onBytes(part.length);
  if (part.length >= file.size) return;
  const address = `${connection.endpoint}/${wanted.name}/resolve/${wanted.revision}/${encodeURIComponent(file.name)}`;
  const start = part.length;
  // Not the start: a server that always sends all, and never to the end, would be asked for ever.
  const { furthest } = part;
  const response = await get(connection, address, start > 0 ? { range: `bytes=${start}-` } : {});
  if (!response.ok && response.status !== 416) throw await refusal(connection, response, wanted);
  if (!continuesAt(response, start)) {
    await part.restart();
    onBytes(0);
    if (response.status !== 200) {
      await drop(response);
      throw new PassingError(`${file.name}: asked for what follows byte ${start}, got something else`, {});
    }
  }
  for await (const chunk of chunksOf(response, file, () => part.length > furthest)) {
    await part.append(chunk);
    onBytes(Math.min(part.length, file.size));
    if (part.length > file.size) return;
  }
  if (part.length < file.size)
    throw new PassingError(`${file.name} ended after ${part.length} of ${file.size} bytes`, {
      progressed: part.length > furthest,
    });
}

/** Whether the content begins at byte `start`: a server may ignore a range, and then sends all. */
function continuesAt(response: Response, start: number): boolean {
  if (response.status === 200) return start === 0;
  const [, first] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  return response.status === 206 && Number(first ?? Number.NaN) === start;
}

/** A connection that breaks is a failure that may pass; what the consumer throws is its own. */
async function* chunksOf(response: Response, file: HubFile, progressed: () => boolean): AsyncGenerator<Uint8Array> {
  try {
    if (response.body) yield* response.body as unknown as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new PassingError(`${file.name} broke off: ${reasonOf(error)}`, { progressed: progressed() });
  }
}
