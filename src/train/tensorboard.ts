/**
 * Figures of a training as TensorBoard's event files: records framed as TensorFlow's TFRecord (length, masked CRC-32C,
 * bytes, masked CRC-32C; little-endian), each a protobuf Event (tensorflow/core/util/event.proto,
 * framework/summary.proto), written by hand: two kinds of message with a handful of fields need no library. Scalars
 * alone; read nowhere here.
 *
 * A run that goes on opens a file of its own, which says with SessionLog.START from which step on it counts:
 * TensorBoard drops what earlier files have from that step. A record torn by a kill ends the reading of its file only.
 */
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { appendWhole, fsyncPath } from '../base/atomic.ts';
import { invariant } from '../base/errors.ts';

export interface TensorBoardOptions {
  /** Seconds since 1970; default: the clock. */
  readonly wallTime?: () => number;
  /** The first step that will be written; what older files of the folder have from it on is no longer shown. Default 0. */
  readonly firstStep?: number;
}

/** One event file, synced to disk on every append. One process a folder. */
export class TensorBoardLog {
  readonly file: string;
  readonly #handle: number;
  readonly #wallTime: () => number;
  /** Up to the end of the last whole record. */
  #length = 0;

  constructor(folder: string, { wallTime = () => Date.now() / 1000, firstStep = 0 }: TensorBoardOptions = {}) {
    this.#wallTime = wallTime;
    mkdirSync(folder, { recursive: true });
    this.file = join(folder, nextName(folder, wallTime()));
    this.#handle = openSync(this.file, 'ax');
    this.#append(text(field.fileVersion, 'brain.Event:2'));
    this.#append(integer(field.step, firstStep), message(field.sessionLog, integer(sessionField.status, sessionStart)));
    fsyncPath(folder);
  }

  /** Rounded to fp32, as the format has it; what is not finite is kept. */
  scalar(tag: string, value: number, step: number): void {
    this.scalars({ [tag]: value }, step);
  }

  /** Several figures of one step as one record: one write, one sync. */
  scalars(values: Readonly<Record<string, number>>, step: number): void {
    const summary = Object.entries(values).map(([tag, value]) =>
      message(summaryField.value, text(valueField.tag, tag), float(valueField.simpleValue, value)),
    );
    this.#append(integer(field.step, step), message(field.summary, ...summary));
  }

  close(): void {
    closeSync(this.#handle);
  }

  #append(...fields: readonly Buffer[]): void {
    const bytes = record(Buffer.concat([double(field.wallTime, this.#wallTime()), ...fields]));
    this.#length = appendWhole(this.#handle, bytes, this.#length);
  }
}

const namePattern = /^events\.out\.tfevents\.(\d{10})\./;

/**
 * TensorBoard reads a folder's files in the order of their names: the seconds in ours are always later than those of
 * the files there, even if the clock went back, or two runs began in one second. The usual host name stays out.
 */
function nextName(folder: string, nowSeconds: number): string {
  const earlier = readdirSync(folder).map((name) => Number(namePattern.exec(name)?.[1] ?? 0));
  const seconds = Math.max(Math.floor(nowSeconds), ...earlier.map((second) => second + 1));
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.understudy`;
}

/** Numbers of the fields in event.proto and summary.proto. */
const field = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const summaryField = { value: 1 } as const;
const valueField = { tag: 1, simpleValue: 2 } as const;
const sessionField = { status: 1 } as const;
const sessionStart = 1;

/** Protobuf's wire types. */
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Seven bits a byte, the lowest first, the top bit set on all but the last. */
function varint(value: number): Buffer {
  invariant(Number.isSafeInteger(value) && value >= 0, `tensorboard: expected a whole number, got ${value}`);
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

const key = (number: number, type: number): Buffer => varint(number * 8 + type);

const integer = (number: number, value: number): Buffer => Buffer.concat([key(number, wire.varint), varint(value)]);

function double(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(number, wire.fixed64), bytes]);
}

function float(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(number, wire.fixed32), bytes]);
}

function message(number: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([key(number, wire.bytes), varint(content.length), content]);
}

const text = (number: number, value: string): Buffer => message(number, Buffer.from(value));

function record(data: Buffer): Buffer {
  const header = Buffer.alloc(12);
  header.writeBigUInt64LE(BigInt(data.length));
  header.writeUInt32LE(masked(crc32c(header.subarray(0, 8))), 8);
  const footer = Buffer.alloc(4);
  footer.writeUInt32LE(masked(crc32c(data)));
  return Buffer.concat([header, data, footer]);
}

/** TFRecord's mask: a checksum of bytes that hold checksums would be a weak one. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** Castagnoli's polynomial 0x1EDC6F41, bits reversed: what each byte adds. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}
