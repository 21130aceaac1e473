import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addFilesAtomic,
  removeLeftovers,
  removeLeftoversOf,
  temporaryName,
  writeFileAtomic,
  writeFolderAtomic,
  writeJsonAtomic,
} from '../../src/base/atomic.ts';
import { place } from '../../src/base/owner.ts';

/**
 * `crash`: the process dies at the rename with this number, from 1: it and every later call that changes a file throws
 * and does nothing. `fail`: only that rename fails.
 */
const plan = vi.hoisted(() => ({ renames: 0, crash: 0, fail: 0, isDead: false }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const alive = <A extends unknown[], R>(call: (...values: A) => R) => {
    return (...values: A): R => {
      if (plan.isDead) throw new Error('dead');
      return call(...values);
    };
  };
  const renameSync = (from: string, to: string): void => {
    plan.renames += 1;
    if (plan.renames === plan.crash) plan.isDead = true;
    if (plan.isDead) throw new Error('dead');
    if (plan.renames === plan.fail) throw new Error('EIO');
    fs.renameSync(from, to);
  };
  return { ...fs, renameSync, rmSync: alive(fs.rmSync), mkdirSync: alive(fs.mkdirSync) };
});

let folder: string;
beforeEach(() => {
  Object.assign(plan, { renames: 0, crash: 0, fail: 0, isDead: false });
  folder = mkdtempSync(join(tmpdir(), 'atomic-'));
});
afterEach(() => {
  plan.isDead = false;
  rmSync(folder, { recursive: true });
});

const names = () => readdirSync(folder).sort();
const fillWith = (content: string) => (temporary: string) => {
  mkdirSync(join(temporary, 'sub'));
  writeFileSync(join(temporary, 'sub', 'file'), content);
};
const contentOf = (target: string) => readFileSync(join(target, 'sub', 'file'), 'utf8');

/** Does `work` up to a crash at the rename with this number, then what the next process does: it clears up. */
async function crashAt(rename: number, work: () => Promise<void> | void): Promise<void> {
  Object.assign(plan, { renames: 0, crash: rename, isDead: false });
  await expect((async () => work())()).rejects.toThrow('dead');
  Object.assign(plan, { crash: 0, isDead: false });
}

describe('writeFileAtomic', () => {
  it('writes text and bytes, makes folders, replaces, and leaves nothing beside', () => {
    const target = join(folder, 'a', 'b.txt');
    writeFileAtomic(target, 'one 中');
    writeFileAtomic(target, new Uint8Array([0x32]));
    expect(readFileSync(target, 'utf8')).toBe('2');
    expect(readdirSync(join(folder, 'a'))).toEqual(['b.txt']);
    writeJsonAtomic(target, { a: 1 });
    expect(readFileSync(target, 'utf8')).toBe('{\n  "a": 1\n}\n');
  });

  it('sets the mode it is given', () => {
    writeFileAtomic(join(folder, 'secret'), 'x', 0o600);
    expect(statSync(join(folder, 'secret')).mode & 0o777).toBe(0o600);
  });

  it('leaves the old file and no leftover where the write fails', () => {
    const target = join(folder, 'f');
    writeFileAtomic(target, 'old');
    plan.fail = 2;
    expect(() => writeFileAtomic(target, 'new')).toThrow('EIO');
    expect(readFileSync(target, 'utf8')).toBe('old');
    expect(names()).toEqual(['f']);
  });

  it('leaves the old file where it crashes, and a leftover that is cleared away', async () => {
    const target = join(folder, 'f');
    writeFileAtomic(target, 'old');
    await crashAt(1, () => writeFileAtomic(target, 'new'));
    expect(names()).toHaveLength(2);
    removeLeftovers(folder);
    expect(names()).toEqual(['f']);
    expect(readFileSync(target, 'utf8')).toBe('old');
  });
});

describe('writeFolderAtomic', () => {
  it('makes a folder, and replaces it whole', async () => {
    const target = join(folder, 'deep', 'model');
    await writeFolderAtomic(target, fillWith('old'));
    writeFileSync(join(target, 'extra'), '');
    await writeFolderAtomic(target, fillWith('new'));
    expect(contentOf(target)).toBe('new');
    expect(readdirSync(target)).toEqual(['sub']);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['model']);
  });

  it('leaves the old one and nothing else where filling fails', async () => {
    const target = join(folder, 'model');
    await writeFolderAtomic(target, fillWith('old'));
    const work = writeFolderAtomic(target, async (temporary) => {
      writeFileSync(join(temporary, 'half'), '');
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(names()).toEqual(['model']);
    expect(contentOf(target)).toBe('old');
  });

  it('puts the old one back where the new one cannot take its place', async () => {
    const target = join(folder, 'model');
    await writeFolderAtomic(target, fillWith('old'));
    Object.assign(plan, { renames: 0, fail: 2 });
    await expect(writeFolderAtomic(target, fillWith('new'))).rejects.toThrow('EIO');
    expect(contentOf(target)).toBe('old');
    expect(names()).toEqual(['model']);
  });

  // Renames of a replacement: 1 the old one aside, 2 the new one into place.
  it.each([1, 2])('has the old one after a crash at rename %i and clearing up', async (rename) => {
    const target = join(folder, 'model');
    await writeFolderAtomic(target, fillWith('old'));
    await crashAt(rename, () => writeFolderAtomic(target, fillWith('new')));
    removeLeftovers(folder);
    expect(names()).toEqual(['model']);
    expect(contentOf(target)).toBe('old');
  });

  it('has the new one where it crashed before the old one was deleted', async () => {
    const target = join(folder, 'model');
    await writeFolderAtomic(target, fillWith('new'));
    const aside = temporaryName(target, 'old');
    mkdirSync(aside);
    fillWith('old')(aside);
    removeLeftovers(folder);
    expect(names()).toEqual(['model']);
    expect(contentOf(target)).toBe('new');
  });

  it('leaves nothing after a crash while it was filled for the first time', async () => {
    const target = join(folder, 'model');
    await crashAt(1, () => writeFolderAtomic(target, fillWith('new')));
    expect(existsSync(target)).toBe(false);
    removeLeftovers(folder);
    expect(names()).toEqual([]);
  });
});

describe('addFilesAtomic', () => {
  it('adds files to a folder that holds others, the last one last, and nothing where filling fails', async () => {
    writeFileSync(join(folder, 'log'), 'kept');
    const failing = addFilesAtomic(folder, 'config', (temporary) => {
      writeFileSync(join(temporary, 'weights'), 'half');
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    expect(readdirSync(folder)).toEqual(['log']);
    await addFilesAtomic(folder, 'config', (temporary) => {
      for (const name of ['config', 'weights', 'log']) writeFileSync(join(temporary, name), `new ${name}`);
    });
    expect(readdirSync(folder).sort()).toEqual(['config', 'log', 'weights']);
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('new log');
  });
});

describe('removeLeftovers', () => {
  it('touches nothing but what atomic writes leave', () => {
    const mine = ['.env', '.gitignore', 'model.tmp-1-abcdef01', '.notes.tmp-draft', '.a.old-version', 'data'];
    for (const name of mine) writeFileSync(join(folder, name), '');
    writeFileSync(temporaryName(join(folder, 'data')), '');
    removeLeftovers(folder);
    expect(names()).toEqual([...mine].sort());
    expect(() => removeLeftovers(join(folder, 'none'))).not.toThrow();
  });

  it('knows a name that no other write uses', () => {
    const target = join(folder, 'f');
    const made = new Set(Array.from({ length: 100 }, () => basename(temporaryName(target))));
    expect(made.size).toBe(100);
    for (const name of made) expect(name).toMatch(/^\.f\.tmp-\d+-[0-9a-f]{8}-[0-9a-f]{8}$/);
  });
});

describe('removeLeftoversOf', () => {
  /** No process has this number: Linux allows 2 ** 22, macOS fewer. */
  const dead = 999_999_999;
  /** What a write to `target` that was killed left. */
  const leave = (target: string, { pid = dead, where = place, mark = 'tmp' } = {}): string => {
    const name = `.${target}.${mark}-${pid}-${where}-0123abcd`;
    writeFileSync(join(folder, name), mark);
    return name;
  };

  it('deletes what ended processes left of one target, temporary names of it too, and nothing else', () => {
    const name = leave('rows.jsonl');
    leave(name);
    const kept = [
      leave('rows.jsonl', { pid: process.pid }),
      leave('rows.jsonl', { pid: process.ppid }),
      leave('rows.jsonl', { where: '00000000' }),
      leave('rows.jsonl.rejects.jsonl'),
      leave('a.rows.jsonl'),
    ];
    writeFileSync(join(folder, 'rows.jsonl'), '');
    writeFileSync(join(folder, `.rows.jsonl.tmp-${dead}-0123abcd`), '');
    removeLeftoversOf(join(folder, 'rows.jsonl'));
    expect(names()).toEqual([...kept, `.rows.jsonl.tmp-${dead}-0123abcd`, 'rows.jsonl'].sort());
    expect(() => removeLeftoversOf(join(folder, 'none', 'rows.jsonl'))).not.toThrow();
  });

  it('puts a replaced folder back whose successor never came, but not while that may yet come', () => {
    const aside = leave('model', { mark: 'old', pid: process.ppid });
    removeLeftoversOf(join(folder, 'model'));
    expect(names()).toEqual([aside]);
    leave('model', { mark: 'old' });
    removeLeftoversOf(join(folder, 'model'));
    expect(names()).toEqual([aside, 'model']);
    expect(readFileSync(join(folder, 'model'), 'utf8')).toBe('old');
  });

  it('is what each write begins with', async () => {
    leave('a');
    writeFileAtomic(join(folder, 'a'), '');
    expect(names()).toEqual(['a']);
    leave('model');
    await writeFolderAtomic(join(folder, 'model'), () => {
      expect(names().filter((name) => name.includes(`-${dead}-`))).toEqual([]);
    });
    leave('files');
    await addFilesAtomic(folder, 'config', (temporary) => {
      expect(names().filter((name) => name.includes(`-${dead}-`))).toEqual([]);
      writeFileSync(join(temporary, 'config'), '');
    });
    expect(names()).toEqual(['a', 'config', 'model']);
  });
});
