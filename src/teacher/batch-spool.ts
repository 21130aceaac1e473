/** A batch's rows on their way to the provider: lines in a file of the disk, so that none of them need be in memory. */
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { WorkError } from '../base/errors.ts';

/** Writes the texts with `separator` between them, lets `work` read the file, and deletes it. Only its owner may read it. */
export async function spooled<T>(
  file: string,
  texts: AsyncIterable<string>,
  separator: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await write(file, texts, separator);
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function write(file: string, texts: AsyncIterable<string>, separator: string): Promise<void> {
  const stream = createWriteStream(file, { mode: 0o600 });
  const written = finished(stream);
  // Awaited below; until then a full disk must not be an unhandled rejection.
  written.catch(() => {});
  try {
    let isFirst = true;
    for await (const text of texts) {
      const hasRoom = stream.write(isFirst ? text : `${separator}${text}`);
      isFirst = false;
      if (!hasRoom) await once(stream, 'drain');
    }
    stream.end();
    await written;
  } catch (error) {
    stream.destroy();
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new WorkError(`cannot write ${file}: ${(error as Error).message}`, {
      hint: 'a batch needs room on the disk for all of its requests; see that there is and run again',
    });
  }
}
