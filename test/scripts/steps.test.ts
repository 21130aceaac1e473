import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { script } from './script.ts';

interface Step {
  name: string;
  title: string;
  folder: string;
  inputs(): unknown;
  isPresent(result: unknown): boolean;
  run(how: { wasInterrupted: boolean }): Promise<unknown>;
}
type Report = (title: string, work: () => Promise<unknown>) => Promise<unknown>;

const { ensureStep, requireFresh, forgetStep, Stale } = (await import(script('setup/steps.mjs'))) as {
  ensureStep(step: Step, report: Report): Promise<unknown>;
  requireFresh(step: Step): Promise<unknown>;
  forgetStep(step: Step): void;
  Stale: new () => Error;
};
const { openFileHashes, sha256 } = (await import(script('setup/files.mjs'))) as {
  openFileHashes(
    cache: string,
    how?: { restlessMs: number },
  ): {
    file(path: string): string | null;
    folder(path: string): [string, string][];
    save(): void;
  };
  sha256(text: string): string;
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'steps-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A step that counts its runs. */
function countingStep(over: Partial<Step> = {}) {
  const runs: { wasInterrupted: boolean }[] = [];
  const step: Step = {
    name: 'thing',
    title: 'a thing',
    folder: join(folder, '.setup'),
    inputs: () => 1,
    isPresent: () => true,
    run: async (how) => {
      runs.push(how);
      return { made: runs.length };
    },
    ...over,
  };
  return { step, runs };
}

const report: Report = (_title, work) => work();

describe('ensureStep', () => {
  it('runs once, then finds the recorded result', async () => {
    const { step, runs } = countingStep();
    expect(await ensureStep(step, report)).toEqual({ made: 1 });
    expect(await ensureStep(step, report)).toEqual({ made: 1 });
    expect(await requireFresh(step)).toEqual({ made: 1 });
    expect(runs).toEqual([{ wasInterrupted: false }]);
    expect(readdirSync(step.folder)).toEqual(['thing.json']);
  });

  it('runs again when an input differs, when the result is gone, and when told to', async () => {
    let input = 'a';
    let isThere = true;
    const { step, runs } = countingStep({ inputs: () => ({ input }), isPresent: () => isThere });
    await ensureStep(step, report);
    input = 'b';
    await expect(requireFresh(step)).rejects.toBeInstanceOf(Stale);
    await ensureStep(step, report);
    expect(runs).toHaveLength(2);
    isThere = false;
    await expect(requireFresh(step)).rejects.toBeInstanceOf(Stale);
    await ensureStep(step, report);
    expect(runs).toHaveLength(3);
    isThere = true;
    forgetStep(step);
    await ensureStep(step, report);
    expect(runs).toHaveLength(4);
  });

  it('is not done after a failure, even with the inputs of an older success, and says so to the next run', async () => {
    let input = 'old';
    let isBroken = false;
    const { step, runs } = countingStep({ inputs: () => input });
    const run = step.run;
    step.run = async (how) => {
      if (isBroken) throw new Error('no');
      return await run(how);
    };
    await ensureStep(step, report);
    input = 'new';
    isBroken = true;
    await expect(ensureStep(step, report)).rejects.toThrow('no');
    input = 'old';
    isBroken = false;
    await expect(requireFresh(step)).rejects.toBeInstanceOf(Stale);
    await ensureStep(step, report);
    expect(runs).toEqual([{ wasInterrupted: false }, { wasInterrupted: true }]);
  });

  it('takes a torn record for none', async () => {
    const { step, runs } = countingStep();
    await ensureStep(step, report);
    writeFileSync(join(step.folder, 'thing.json'), '{"hash": "');
    await ensureStep(step, report);
    expect(runs).toHaveLength(2);
  });
});

describe('openFileHashes', () => {
  it('gives the SHA-256 of the content, and of every visible file of a folder in order', () => {
    const hashes = openFileHashes(join(folder, 'hashes.json'));
    writeFileSync(join(folder, 'b.ts'), 'abc');
    writeFileSync(join(folder, 'a.ts'), '');
    writeFileSync(join(folder, '.hidden'), 'x');
    // The test vector of FIPS 180-2 for "abc".
    expect(hashes.file(join(folder, 'b.ts'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(hashes.folder(folder)).toEqual([
      ['a.ts', sha256('')],
      ['b.ts', sha256('abc')],
    ]);
    expect(hashes.file(join(folder, 'none'))).toBeNull();
    expect(hashes.folder(join(folder, 'none'))).toEqual([]);
  });

  it('remembers the hash of a file until its size, times or inode differ', () => {
    const file = join(folder, 'a.ts');
    const cache = join(folder, 'hashes.json');
    writeFileSync(file, 'one');
    const before = statSync(file);
    const first = openFileHashes(cache, { restlessMs: -1 });
    expect(first.file(file)).toBe(sha256('one'));
    first.save();
    // A mark in the cache shows that it is asked.
    writeFileSync(cache, readFileSync(cache, 'utf8').replace(sha256('one'), 'from the cache'));
    expect(openFileHashes(cache).file(file)).toBe('from the cache');
    // Same length and modification time, another file.
    writeFileSync(join(folder, 'new'), 'two');
    utimesSync(join(folder, 'new'), before.atime, before.mtime);
    renameSync(join(folder, 'new'), file);
    expect(openFileHashes(cache).file(file)).toBe(sha256('two'));
  });

  it('does not remember a file that was written a moment ago', () => {
    const file = join(folder, 'a.ts');
    writeFileSync(file, 'one');
    const hashes = openFileHashes(join(folder, 'hashes.json'));
    hashes.file(file);
    hashes.save();
    expect(existsSync(join(folder, 'hashes.json'))).toBe(false);
  });
});
