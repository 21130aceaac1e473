import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { crc32c, TensorBoardLog } from '../../src/train/tensorboard.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-tensorboard-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const folder = () => mkdtempSync(join(scratch, 'log-'));

/** The data of every record; both checksums are held against ours. */
function records(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const found: Buffer[] = [];
  const unmasked = (at: number) => {
    const crc = (bytes.readUInt32LE(at) - 0xa282ead8) >>> 0;
    return ((crc << 15) | (crc >>> 17)) >>> 0;
  };
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmasked(at + 8)).toBe(crc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmasked(at + 12 + length)).toBe(crc32c(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

/** Fields by number, each with its values: numbers, or bytes. */
function fields(data: Buffer): Map<number, (number | Buffer)[]> {
  const found = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = data[at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => {
    at += length;
    return data.subarray(at - length, at);
  };
  while (at < data.length) {
    const key = varint();
    const wire = key % 8;
    const value =
      wire === 0 ? varint() : wire === 1 ? take(8).readDoubleLE() : wire === 5 ? take(4).readFloatLE() : take(varint());
    found.set(key >> 3, [...(found.get(key >> 3) ?? []), value]);
  }
  return found;
}

const scalars = (data: Buffer) => {
  const event = fields(data);
  const values = fields(event.get(5)?.[0] as Buffer).get(1) as Buffer[];
  return {
    wallTime: event.get(1)?.[0],
    step: event.get(2)?.[0],
    values: values.map((value) => [String(fields(value).get(1)?.[0]), fields(value).get(2)?.[0]]),
  };
};

describe('crc32c', () => {
  it('gives the check value, and those of RFC 3720 B.4', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    // The RFC prints the bytes as they go over the wire: aa 36 91 8a.
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e);
    expect(crc32c(new Uint8Array())).toBe(0);
  });
});

describe('TensorBoardLog', () => {
  it('writes scalars as Summary.Value.simple_value, in fp32', () => {
    const log = new TensorBoardLog(folder(), { wallTime: () => 1.5 });
    log.scalar('train/loss', 0.1, 1);
    log.scalars({ 'train/loss': 3, 学习率: Number.NaN }, 300);
    log.scalar('train/loss', Number.NEGATIVE_INFINITY, 2 ** 40 + 5);
    log.close();
    expect(records(log.file).slice(2).map(scalars)).toEqual([
      { wallTime: 1.5, step: 1, values: [['train/loss', Math.fround(0.1)]] },
      {
        wallTime: 1.5,
        step: 300,
        values: [
          ['train/loss', 3],
          ['学习率', Number.NaN],
        ],
      },
      { wallTime: 1.5, step: 2 ** 40 + 5, values: [['train/loss', Number.NEGATIVE_INFINITY]] },
    ]);
  });

  it('gives the bytes that the format prescribes, worked by hand', () => {
    const log = new TensorBoardLog(folder(), { wallTime: () => 0 });
    log.scalar('a', 1, 5);
    log.close();
    const [version, start, scalar] = records(log.file);
    const wallTime = '09 00 00 00 00 00 00 00 00';
    const hex = (bytes: Buffer | undefined) => bytes?.toString('hex').replace(/(..)(?=.)/g, '$1 ');
    expect(hex(version)).toBe(`${wallTime} 1a 0d ${hex(Buffer.from('brain.Event:2'))}`);
    expect(hex(start)).toBe(`${wallTime} 10 00 3a 02 08 01`);
    // Summary of 10 bytes, in it a Value of 8: tag of one byte, 1.0 = 0x3f800000.
    expect(hex(scalar)).toBe(`${wallTime} 10 05 2a 0a 0a 08 0a 01 61 15 00 00 80 3f`);
    // Every event file begins so: 24 bytes, and their masked checksum.
    expect(hex(readFileSync(log.file).subarray(0, 12))).toBe('18 00 00 00 00 00 00 00 a3 7f 4b 22');
  });

  it('says from which step on it counts, in a file that is read after those there', () => {
    const where = folder();
    const start = (wallTime: number, firstStep?: number) => {
      const log = new TensorBoardLog(where, {
        wallTime: () => wallTime,
        ...(firstStep !== undefined && { firstStep }),
      });
      log.close();
      const event = fields(records(log.file)[1] as Buffer);
      return [basename(log.file), event.get(2)?.[0], fields(event.get(7)?.[0] as Buffer).get(1)?.[0]];
    };
    writeFileSync(join(where, 'train.jsonl'), '');
    expect(start(1_700_000_000.9)).toEqual(['events.out.tfevents.1700000000.understudy', 0, 1]);
    expect(start(1_700_000_000.2, 9)).toEqual(['events.out.tfevents.1700000001.understudy', 9, 1]);
    expect(start(1_600_000_000, 300)).toEqual(['events.out.tfevents.1700000002.understudy', 300, 1]); // a clock gone back
    const names = readdirSync(where).filter((name) => name.includes('tfevents'));
    expect(names.sort()).toEqual([0, 1, 2].map((i) => `events.out.tfevents.170000000${i}.understudy`));
  });

  it('has every record in the file before the call returns', () => {
    const log = new TensorBoardLog(folder());
    const before = Date.now() / 1000;
    for (let step = 1; step <= 3; step++) {
      log.scalar('loss', step, step);
      expect(records(log.file)).toHaveLength(2 + step);
    }
    const { wallTime } = scalars(records(log.file)[2] as Buffer);
    expect(Math.abs((wallTime as number) - before)).toBeLessThan(3600); // seconds, not milliseconds
    log.close();
  });

  it('refuses a step that is none', () => {
    const log = new TensorBoardLog(folder());
    for (const step of [-1, 0.5, Number.NaN]) expect(() => log.scalar('loss', 1, step)).toThrow('whole number');
    expect(records(log.file)).toHaveLength(2);
    log.close();
  });
});
