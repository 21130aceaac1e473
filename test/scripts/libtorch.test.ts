import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { script } from './script.ts';

const { torchFromEnvironment, wantedBuild, requireSpace } = (await import(script('setup/libtorch.mjs'))) as {
  torchFromEnvironment(env: Record<string, string>): string | undefined;
  wantedBuild(env: Record<string, string>): string;
  requireSpace(folder: string, build: 'cpu' | 'cuda', freeBytes: number): void;
};
const { pythonEnvironment } = (await import(script('setup/python.mjs'))) as {
  pythonEnvironment(env: Record<string, string>): Record<string, string>;
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'torch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('torchFromEnvironment', () => {
  const library = process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so';

  it('takes a folder with the library and the headers', () => {
    mkdirSync(join(folder, 'lib'));
    mkdirSync(join(folder, 'include'));
    writeFileSync(join(folder, 'lib', library), '');
    expect(torchFromEnvironment({ UNDERSTUDY_TORCH: `${folder}/` })).toBe(folder);
  });

  it('says what is missing, and exits 2', () => {
    const take = () => torchFromEnvironment({ UNDERSTUDY_TORCH: folder });
    expect(take).toThrow(`UNDERSTUDY_TORCH=${folder} has no lib/${library}`);
    mkdirSync(join(folder, 'lib'));
    writeFileSync(join(folder, 'lib', library), '');
    expect(take).toThrow('has no include');
    expect(take).toThrow(expect.objectContaining({ exitCode: 2 }));
  });

  it('takes an empty setting for none', () => {
    expect(torchFromEnvironment({ UNDERSTUDY_TORCH: '' })).toBeUndefined();
    expect(torchFromEnvironment({})).toBeUndefined();
  });
});

describe('requireSpace', () => {
  it('wants 3 GB and says how much there is', () => {
    expect(() => requireSpace('/state', 'cpu', 3e9)).not.toThrow();
    expect(() => requireSpace('/state', 'cpu', 2.94e9)).toThrow('needs 3 GB, 2.9 GB are free in /state');
  });

  it('wants more for CUDA, and says how to do without', () => {
    expect(() => requireSpace('/state', 'cuda', 7.9e9)).toThrow(/needs 8 GB, .*UNDERSTUDY_CUDA to 0/);
  });
});

describe.skipIf(process.platform !== 'linux')('wantedBuild', () => {
  const nvidiaSmi = (lines: string) =>
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });

  it('is CUDA where nvidia-smi names a GPU, unless the user does without', () => {
    nvidiaSmi('[ "$1" = -L ] && echo "GPU 0: NVIDIA H200 (UUID: GPU-1)"');
    expect(wantedBuild({ PATH: folder })).toBe('cuda');
    expect(wantedBuild({ PATH: folder, UNDERSTUDY_CUDA: '0' })).toBe('cpu');
  });

  it('is the CPU where nvidia-smi is absent, fails, or finds nothing', () => {
    expect(wantedBuild({ PATH: folder })).toBe('cpu');
    nvidiaSmi('echo "NVIDIA-SMI has failed"; exit 9');
    expect(wantedBuild({ PATH: folder })).toBe('cpu');
    nvidiaSmi('echo "No devices found"');
    expect(wantedBuild({ PATH: folder })).toBe('cpu');
  });
});

describe('pythonEnvironment', () => {
  it('keeps where packages come from, drops where they would go', () => {
    const env = { PIP_INDEX_URL: 'https://mine', PIP_TARGET: '/x', PYTHONPATH: '/y', PIP_USER: '1', PATH: '/bin' };
    expect(pythonEnvironment(env)).toEqual({ PIP_INDEX_URL: 'https://mine', PATH: '/bin', PIP_USER: '0' });
  });
});
