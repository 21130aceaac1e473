import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, WorkError } from '../../src/base/errors.ts';
import {
  atOnce,
  download,
  failure,
  files,
  folderOf,
  here,
  nothingTold,
  onWeights,
  start,
  token,
  weights,
} from './download.ts';
import { commit, model } from './hub-server.ts';

describe('a whole download', () => {
  it('brings the files that a model needs, under the commit, and tells how far it is', async () => {
    await start({ files: { ...files, 'README.md': '# hi', 'pytorch_model.bin': 'pickle', 'onnx/config.json': '{}' } });
    const told = nothingTold();
    const folder = await download({}, told);
    expect(folder).toBe(folderOf());
    expect(
      readdirSync(folder)
        .filter((name) => !name.startsWith('.'))
        .sort(),
    ).toEqual(Object.keys(files).sort());
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe(files['config.json']);
    const totalBytes = weights.byteLength + 24;
    expect(told.progress[0]).toEqual({ doneBytes: 0, totalBytes, file: 'tokenizer.json' });
    expect(told.progress.at(-1)).toEqual({ doneBytes: totalBytes, totalBytes, file: 'model.safetensors' });
    const done = told.progress.map((one) => one.doneBytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(told.notices).toEqual([]);
    expect(here.server.requests.filter(({ path }) => /README|pytorch|onnx/.test(path))).toEqual([]);
  });

  it('is found again: a branch is looked up, files are not asked for', async () => {
    await start();
    const folder = await download();
    const asked = here.server.requests.length;
    expect(await download()).toBe(folder);
    expect(here.server.requests.slice(asked).map(({ path }) => path)).toEqual([`/api/models/${model}/revision/main`]);
  });

  it('what was deleted from it is fetched again, and nothing else', async () => {
    await start();
    await download();
    rmSync(join(folderOf(), 'model.safetensors'));
    await download();
    expect(
      ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => here.server.served(name).length),
    ).toEqual([1, 1, 2]);
  });

  it('an empty file needs no request and is there', async () => {
    await start({ files: { ...files, 'merges.txt': '' } });
    expect(readFileSync(join(await download(), 'merges.txt'), 'utf8')).toBe('');
  });
});

describe('revisions', () => {
  it('a branch that moves is another folder; a commit needs no network once it is here', async () => {
    await start();
    await download();
    await here.server.close();
    const next = commit.replace('a1', 'ff');
    await start({ commit: next, files: { ...files, 'config.json': '{"model_type":"gemma"}' } });
    expect(basename(await download())).toBe(next);
    expect(readFileSync(join(folderOf(), 'config.json'), 'utf8')).toBe(files['config.json']);
    const asked = here.server.requests.length;
    expect(await download({ revision: commit.toUpperCase() })).toBe(folderOf());
    expect(here.server.requests.length).toBe(asked);
  });

  it('a half-done commit does not count as here', async () => {
    await start({ fault: onWeights((n) => (n === 0 ? { kind: 'status', status: 418 } : undefined)) });
    expect((await failure(download({ revision: commit }))).message).toContain('418');
    expect(existsSync(join(folderOf(), 'config.json'))).toBe(true);
    expect((await failure(download({ revision: commit, env: { HF_HUB_OFFLINE: '1' } }))).code).toBe('config');
    await download({ revision: commit });
    expect(statSync(join(folderOf(), 'model.safetensors')).size).toBe(weights.byteLength);
  });

  it('offline, a revision is the commit that it last was', async () => {
    await start({ revisions: ['main', 'v1/rc'] });
    const folder = await download({ revision: 'v1/rc' });
    const asked = here.server.requests.length;
    const env = { HF_HUB_OFFLINE: 'true' };
    expect(await download({ revision: 'v1/rc', env })).toBe(folder);
    expect(await download({ revision: commit, env })).toBe(folder);
    const error = await failure(download({ env }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(`${error.message} ${error.hint}`).toMatch(/tiny-chat@main is not in .*HF_HUB_OFFLINE is set/);
    expect(here.server.requests.length).toBe(asked);
  });
});

describe('the token', () => {
  const env = { HF_TOKEN: token };

  it('goes to the endpoint, also after its own redirects, and to no other host', async () => {
    await start({ token });
    await download({ env });
    const own = here.server.requests.filter(({ host }) => host === new URL(here.server.endpoint).host);
    const other = here.server.requests.filter(({ host }) => host === here.server.cdnHost);
    expect(own.length + other.length).toBe(here.server.requests.length);
    expect(own.some(({ path }) => path.startsWith('/api/resolve-cache/'))).toBe(true);
    expect(new Set(own.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]));
    expect(other.map(({ path }) => path).sort()).toEqual(['/cdn/model.safetensors', '/cdn/tokenizer.json']);
    expect(new Set(other.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });

  it('gated: without one, the licence and HF_TOKEN are named', async () => {
    await start({ token });
    const error = await failure(download());
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/^acme\/tiny-chat: .* answered 401 \(restricted: log in first\); it is gated/);
    expect(error.hint).toMatch(/accept the licence there and set HF_TOKEN/);
    expect(error.hint).toContain(`${here.server.endpoint}/${model}`);
  });

  it('a wrong one is not shown, though the server repeats it', async () => {
    await start({ token: 'another' });
    const error = await failure(download({ env }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/answered 403 \(restricted: Bearer \[redacted\]\); the token in HF_TOKEN is wrong/);
  });

  it('what cannot be a token is refused unseen', async () => {
    await start();
    const error = await failure(download({ env: { HF_TOKEN: `${token}\nX-Other: 1` } }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(here.server.requests).toEqual([]);
  });

  it('a signed address that ran out is asked for anew', async () => {
    await start({ fault: onWeights((n) => (n === 0 ? { kind: 'status', status: 403 } : undefined)) });
    const told = nothingTold();
    await download({ env }, told);
    expect(told.notices).toEqual([`${here.server.cdnHost} answered 403: trying again in 1 s`]);
    expect(
      here.server.requests.filter(({ path }) => path.endsWith(`/resolve/${commit}/model.safetensors`)),
    ).toHaveLength(2);
  });
});

describe('not there', () => {
  it.each([
    ['a revision', { revision: 'v9' }, /^no revision v9 of acme\/tiny-chat: .* answered 404/],
    ['a model, to strangers', { name: 'acme/none' }, /^acme\/none: .* answered 401 .*does not exist/],
    ['a model', { name: 'acme/none', env: { HF_TOKEN: token } }, /^no model acme\/none@main: .* answered 404/],
    ['a name', { name: '../etc' }, /^expected org\/name and a revision, got \.\.\/etc@main/],
  ])('%s', async (_what, options, message) => {
    await start();
    const error = await failure(download(options));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
    expect(readdirSync(here.cacheFolder)).toEqual([]);
  });

  it('an endpoint: it is named, after some patience', async () => {
    await start();
    await here.server.close();
    const told = nothingTold();
    const error = await failure(download({}, told));
    expect(error).toBeInstanceOf(WorkError);
    expect(error.message).toBe(
      `cannot reach ${here.server.endpoint}: connect ECONNREFUSED ${new URL(here.server.endpoint).host}`,
    );
    expect(error.hint).toMatch(/HF_ENDPOINT.*HF_HUB_OFFLINE=1$/);
    expect(told.waits).toEqual([500, 1000, 2000, 4000, 8000]);
    const proxy = await failure(download({ env: { HTTPS_PROXY: 'http://proxy:3128' }, retry: atOnce }));
    expect(proxy.hint).toContain('NODE_USE_ENV_PROXY=1');
  });

  it.each(['huggingface.co', 'ftp://host', 'https://me:secretsecret@host', 'https://host?x=1'])(
    '%s is no endpoint',
    async (HF_ENDPOINT) => {
      expect((await failure(download({ env: { HF_ENDPOINT } }))).message).toMatch(/^HF_ENDPOINT: expected/);
    },
  );

  it('room on the disk: said before a file is asked for', async () => {
    const size = 2 ** 50;
    await start({
      listing: ({ sha, siblings }) => ({
        sha,
        siblings: siblings.map((one) => (one['lfs'] ? { ...one, lfs: { ...(one['lfs'] as object), size } } : one)),
      }),
    });
    const error = await failure(download());
    expect(error).toBeInstanceOf(WorkError);
    // Two files in LFS, of 2^50 bytes each.
    expect(error.message).toMatch(/^acme\/tiny-chat needs 2251799\.81 GB more, \d+\.\d\d GB are free where /);
    expect(here.server.requests).toHaveLength(1);
  });
});

it('two at once: one downloads, the other waits and finds it', async () => {
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  await start({ fault: onWeights(() => ({ kind: 'hold', until })) });
  const notices: string[] = [];
  const onNotice = (text: string) => {
    notices.push(text);
    release();
  };
  const folders = await Promise.all([download({ onNotice }), download({ onNotice })]);
  expect(folders).toEqual([folderOf(), folderOf()]);
  expect(notices).toEqual([`process ${process.pid} is downloading ${model}`]);
  expect(here.server.served('model.safetensors')).toHaveLength(1);
});
