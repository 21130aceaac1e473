/** What the tests of downloading share: a hub with one model, a cache of its own, and a download that tells all it says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { UnderstudyError } from '../../src/base/errors.ts';
import { type DownloadOptions, type DownloadProgress, downloadModel } from '../../src/hub/hub.ts';
import { commit, type Fault, type HubServer, type HubServerOptions, model, startHubServer } from './hub-server.ts';

export const token = 'hf_secretsecretsecret0123456789';
/** Some pieces of a socket long, and no two places of it alike. */
export const weights = Buffer.from(Uint32Array.from({ length: 250_000 }, (_, i) => Math.imul(i, 2654435761)).buffer);
export const half = weights.byteLength / 2;
export const files = {
  'config.json': '{"model_type":"llama"}',
  'tokenizer.json': '{}',
  'model.safetensors': weights,
};

/** The cache and the hub of the test that runs. */
export const here = {
  cacheFolder: '',
  server: undefined as unknown as HubServer,
};

beforeEach(() => {
  here.cacheFolder = mkdtempSync(join(tmpdir(), 'hub-'));
});
afterEach(async () => {
  await here.server.close();
  rmSync(here.cacheFolder, { recursive: true });
});

export async function start(options: Partial<HubServerOptions> = {}): Promise<void> {
  here.server = await startHubServer({ files, ...options });
}

/** A fault of the `n`-th request for the content of the weights. */
export const onWeights =
  (fault: (n: number) => Fault | undefined): NonNullable<HubServerOptions['fault']> =>
  (path, n) =>
    path === '/cdn/model.safetensors' ? fault(n) : undefined;

export const folderOf = (sha = commit): string => join(here.cacheFolder, 'acme--tiny-chat', sha);
export const part = (): string => join(folderOf(), 'model.safetensors.part');

export interface Told {
  readonly waits: number[];
  readonly notices: string[];
  readonly progress: DownloadProgress[];
}

export const nothingTold = (): Told => ({ waits: [], notices: [], progress: [] });

export function download(options: Partial<DownloadOptions> = {}, told = nothingTold()): Promise<string> {
  const sleep = async (ms: number) => void told.waits.push(ms);
  return downloadModel({
    name: model,
    cacheFolder: here.cacheFolder,
    onNotice: (text) => told.notices.push(text),
    onProgress: (progress) => told.progress.push(progress),
    ...options,
    env: { HF_ENDPOINT: here.server.endpoint, ...options.env },
    retry: { sleep, ...options.retry },
  });
}

/** The error of a download; never one with the token or a signature in it. */
export async function failure(downloading: Promise<string>): Promise<UnderstudyError> {
  const error = await downloading.then(
    (folder) => expect.fail(`downloaded ${folder}`),
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(UnderstudyError);
  const { message, hint, stack, cause } = error as UnderstudyError;
  expect(`${message} ${hint} ${stack} ${String(cause)}`).not.toMatch(/secretsecret|Signature/);
  return error as UnderstudyError;
}

/** No second try. */
export const atOnce = { attempts: 1 };
