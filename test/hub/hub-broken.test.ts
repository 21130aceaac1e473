import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InterruptedError, WorkError } from '../../src/base/errors.ts';
import type { DownloadProgress } from '../../src/hub/hub.ts';
import {
  atOnce,
  download,
  failure,
  files,
  folderOf,
  half,
  here,
  nothingTold,
  onWeights,
  part,
  start,
  weights,
} from './download.ts';
import type { Fault } from './hub-server.ts';

describe('broken off', () => {
  /** Cuts the n-th sending at the n-th of these places, once all before it has come. */
  async function cutAt(...places: number[]) {
    const cuts = places.map((at) => {
      let cut = () => {};
      const when = new Promise<void>((resolve) => {
        cut = resolve;
      });
      return { at, when, cut };
    });
    await start({ fault: onWeights((n) => cuts[n] && { kind: 'cut', ...cuts[n] }) });
    const before = files['config.json'].length + files['tokenizer.json'].length;
    return ({ doneBytes }: DownloadProgress) => {
      for (const { at, cut } of cuts) if (doneBytes >= before + at) cut();
    };
  }

  it('the next call asks for the rest only', async () => {
    const onProgress = await cutAt(half);
    const error = await failure(download({ onProgress, retry: atOnce }));
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toMatch(/^model\.safetensors broke off: /);
    expect(statSync(part()).size).toBe(half);
    expect(existsSync(join(folderOf(), 'model.safetensors'))).toBe(false);

    const folder = await download();
    const [first, second] = here.server.served('model.safetensors');
    expect(first).toMatchObject({ range: undefined, status: 200, sent: half });
    expect(second).toMatchObject({ range: `bytes=${half}-`, status: 206, sent: half });
    expect(here.server.served('config.json')).toHaveLength(1);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(existsSync(part())).toBe(false);
  });

  it('the same call goes on by itself', async () => {
    const onProgress = await cutAt(half);
    const told = nothingTold();
    await download({ onProgress }, told);
    expect(here.server.served('model.safetensors')[1]).toMatchObject({ range: `bytes=${half}-`, sent: half });
    expect(told.waits).toEqual([500]);
    expect(told.notices[0]).toMatch(/^model\.safetensors broke off: .*: trying again in 1 s$/);
  });

  it('as long as some comes each time, it goes on', async () => {
    const onProgress = await cutAt(100_000, 200_000, 700_000);
    const told = nothingTold();
    await download({ onProgress, retry: { attempts: 2 } }, told);
    const ranges = here.server.served('model.safetensors').map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=200000-', 'bytes=700000-']);
    expect(told.waits).toEqual([500, 500, 500]);
  });

  it('a server that never gets further is not asked for ever', async () => {
    const content = weights.subarray(0, 999);
    await start({ fault: onWeights(() => ({ kind: 'content', content, ignoreRange: true })) });
    const error = await failure(download({ retry: { attempts: 3 } }));
    expect(error.message).toBe('model.safetensors ended after 999 of 1000000 bytes');
    const ranges = here.server.served('model.safetensors').map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=999-', 'bytes=999-']);
  });

  it('an abort leaves what came, and the next call goes on from there', async () => {
    await start({
      fault: onWeights((n) => (n === 0 ? { kind: 'cut', at: half, when: new Promise(() => {}) } : undefined)),
    });
    const controller = new AbortController();
    const onProgress = ({ doneBytes }: DownloadProgress) => doneBytes > half && controller.abort();
    expect(await failure(download({ signal: controller.signal, onProgress }))).toBeInstanceOf(InterruptedError);
    const there = statSync(part()).size;
    expect(there).toBeGreaterThan(0);
    await download();
    expect(here.server.served('model.safetensors')[1]).toMatchObject({
      range: `bytes=${there}-`,
      sent: weights.byteLength - there,
    });
    const aborted = await failure(download({ signal: controller.signal }));
    expect(aborted).toBeInstanceOf(InterruptedError);
  });

  const plantPart = (content: Buffer) => {
    mkdirSync(folderOf(), { recursive: true });
    writeFileSync(part(), content);
  };

  it.each<[string, Fault, (string | undefined)[]]>([
    ['sends all', { kind: 'ignoreRange' }, ['bytes=1000-']],
    ['sends something else', { kind: 'wrongRange' }, ['bytes=1000-', undefined]],
    ['has no such range', { kind: 'status', status: 416 }, ['bytes=1000-', undefined]],
  ])('a server that does not go on but %s', async (_what, fault, ranges) => {
    plantPart(weights.subarray(0, 1000));
    await start({ fault: onWeights((n) => (n === 0 ? fault : undefined)) });
    const folder = await download();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(here.server.served('model.safetensors').map(({ range }) => range)).toEqual(ranges);
  });

  it.each([
    ['a whole part', weights, []],
    ['a wrong part', Buffer.alloc(1000), ['bytes=1000-', undefined]],
    ['a whole part of something else', Buffer.alloc(weights.byteLength), [undefined]],
    ['too long a part', Buffer.concat([weights, Buffer.of(0)]), [undefined]],
  ])('%s', async (_what, content, ranges) => {
    plantPart(content);
    await start();
    const folder = await download();
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(here.server.served('model.safetensors').map(({ range }) => range)).toEqual(ranges);
  });
});

describe('a wrong checksum', () => {
  const wrong = Buffer.from(weights);
  wrong[7] = 99;

  it('is downloaded once more, and then right', async () => {
    await start({ fault: onWeights((n) => (n === 0 ? { kind: 'content', content: wrong } : undefined)) });
    const told = nothingTold();
    const folder = await download({}, told);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(told.notices[0]).toMatch(/^model\.safetensors: expected SHA-256 .*: downloading it again$/);
  });

  it.each([
    ['model.safetensors', wrong, /came wrong twice: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}$/],
    ['model.safetensors', Buffer.concat([weights, weights]), /expected 1000000 bytes, got \d+ or more$/],
    ['config.json', Buffer.from('{"model_type":"LLAMA"}'), /expected git blob [0-9a-f]{40}, got [0-9a-f]{40}$/],
  ])('%s wrong twice is an error, and nothing of it stays', async (name, content, message) => {
    await start({ fault: (path) => (path.endsWith(`/${name}`) ? { kind: 'content', content } : undefined) });
    const error = await failure(download());
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toMatch(message);
    expect(here.server.served(name)).toHaveLength(2);
    expect(readdirSync(folderOf()).filter((one) => one.startsWith(name))).toEqual([]);
  });

  it('what ends early is gone on with', async () => {
    await start({
      fault: onWeights((n) => (n === 0 ? { kind: 'content', content: weights.subarray(0, 999) } : undefined)),
    });
    await download();
    expect(here.server.served('model.safetensors').map(({ range }) => range)).toEqual([undefined, 'bytes=999-']);
  });
});

describe('a busy hub', () => {
  it('Retry-After is obeyed, at the API and at a file', async () => {
    const busy: Fault = { kind: 'status', status: 429, headers: { 'retry-after': '7' } };
    const limited: Fault = { kind: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=55' } };
    await start({
      fault: (path, n) => {
        if (n > 0) return undefined;
        return path.includes('/revision/') ? busy : path.includes('/resolve/') ? limited : undefined;
      },
    });
    const told = nothingTold();
    await download({}, told);
    expect(told.waits).toEqual([7000, 55_000, 55_000, 55_000]);
    expect(told.notices[0]).toBe(`${here.server.endpoint} answered 429: trying again in 7 s`);
  });

  it('one that stays broken is an error in the end', async () => {
    await start({ fault: onWeights(() => ({ kind: 'status', status: 503 })) });
    const told = nothingTold();
    const error = await failure(download({ retry: { attempts: 3 } }, told));
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toBe(`${here.server.cdnHost} answered 503`);
    expect(told.waits).toEqual([500, 1000]);
  });
});

describe('redirects', () => {
  it.each([
    ['/cdn/model.safetensors?Signature=1', /redirects more than 10 times$/],
    ['file:///etc/passwd', /redirects to what is no http address$/],
  ])('to %s lead nowhere', async (location, message) => {
    await start({ fault: onWeights(() => ({ kind: 'status', status: 302, headers: { location } })) });
    const error = await failure(download());
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toMatch(message);
  });
});
