/**
 * gzip and zstd, recognised by their first bytes (RFC 1952, RFC 8878), whole or as a stream; several frames after one
 * another are one text. Node has zstd only from version 22.15 on: it is read by `fzstd` and written by
 * `@hpcc-js/wasm-zstd`, which is loaded when something is written.
 */
import { Transform } from 'node:stream';
import { createGunzip, createGzip, gunzipSync } from 'node:zlib';
import { decompress as unzstdSync, Decompress as ZstdReader } from 'fzstd';

export type Compression = 'gzip' | 'zstd';

/** Of what begins with these bytes; four are enough. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd ? 'zstd' : undefined;
}

/** By the end of a file's name: `.gz`, `.zst` or `.zstd`. */
export function compressionOfName(name: string): Compression | undefined {
  if (/\.gz$/i.test(name)) return 'gzip';
  return /\.zstd?$/i.test(name) ? 'zstd' : undefined;
}

export const decompressAll = (bytes: Uint8Array, compression: Compression): Uint8Array =>
  compression === 'gzip' ? gunzipSync(bytes) : unzstdSync(bytes);

export const createDecompressor = (compression: Compression): Transform =>
  compression === 'gzip' ? createGunzip() : createZstdReader();

export const createCompressor = async (compression: Compression): Promise<Transform> =>
  compression === 'gzip' ? createGzip() : await createZstdWriter();

/** What a piece of the input gives is held in memory: the writer's default window makes that a few megabytes. */
function createZstdReader(): Transform {
  let waiting: Uint8Array = new Uint8Array(0);
  const reader = new ZstdReader((piece) => stream.push(piece.slice()));
  const attempt = (work: () => void, done: (error?: Error | null) => void): void => {
    try {
      work();
      done();
    } catch (error) {
      done(error as Error);
    }
  };
  const stream = new Transform({
    // One piece behind: the reader wants to be told which one is the last, and says only then whether the file is whole.
    transform(piece: Uint8Array, _, done) {
      attempt(() => {
        if (waiting.length > 0) reader.push(waiting, false);
        waiting = piece;
      }, done);
    },
    flush(done) {
      attempt(() => reader.push(waiting, true), done);
    },
  });
  return stream;
}

/** Bytes that become one frame. */
const frameBytes = 4 * 2 ** 20;

async function createZstdWriter(): Promise<Transform> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load();
  let pieces: Uint8Array[] = [];
  let length = 0;
  let isEmpty = true;
  const writeFrame = (stream: Transform): void => {
    stream.push(zstd.compress(Buffer.concat(pieces)));
    pieces = [];
    length = 0;
    isEmpty = false;
  };
  return new Transform({
    transform(piece: Uint8Array, _, done) {
      pieces.push(piece);
      length += piece.length;
      if (length >= frameBytes) writeFrame(this);
      done();
    },
    flush(done) {
      if (length > 0 || isEmpty) writeFrame(this);
      done();
    },
  });
}
