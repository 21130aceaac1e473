import { afterEach, expect, it } from 'vitest';
import { ConfigError, WorkError } from '../../src/base/errors.ts';
import { connect } from '../../src/hub/connection.ts';
import { defaultRetry } from '../../src/hub/retry.ts';
import { findSnapshot, neededFiles } from '../../src/hub/snapshot.ts';
import { commit, type HubServer, type HubServerOptions, model, startHubServer } from './hub-server.ts';

let server: HubServer | undefined;
afterEach(() => server?.close());

async function find(options: Partial<HubServerOptions>, revision = 'main') {
  server = await startHubServer({ files: { 'config.json': 'hello\n', 'model.safetensors': 'weights' }, ...options });
  const asking = { signal: new AbortController().signal, retry: defaultRetry, onNotice: () => {} };
  return findSnapshot(connect({ HF_ENDPOINT: `${server.endpoint}/` }, asking), { name: model, revision });
}

it('gives the commit and each needed file with size and checksum, the smallest first', async () => {
  const files = { 'model.safetensors': 'weights', 'README.md': '# hi', 'config.json': 'hello\n' };
  expect(await find({ files })).toEqual({
    commit,
    files: [
      // `printf 'hello\n' | git hash-object --stdin`, and `printf weights | sha256sum`
      {
        name: 'config.json',
        size: 6,
        checksum: { kind: 'blob', hex: 'ce013625030ba8dba906f756967f9e9ca394464a' },
      },
      {
        name: 'model.safetensors',
        size: 7,
        checksum: { kind: 'sha256', hex: '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c' },
      },
    ],
  });
});

it.each(['refs/pr/1', 'v1.0+b=2'])('asks for revision %s as one part of the path', async (revision) => {
  expect(await find({ revisions: [revision] }, revision)).toMatchObject({ commit });
});

it.each([
  ['one file', ['model.safetensors'], ['model.safetensors']],
  [
    'shards with their index',
    ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json'],
    ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json'],
  ],
  [
    'no pickles beside safetensors',
    ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'model.safetensors'],
    ['model.safetensors'],
  ],
  [
    'pickles where there is nothing else',
    ['pytorch_model-00001-of-00001.bin', 'pytorch_model.bin.index.json', 'optimizer.bin', 'training_args.bin'],
    ['pytorch_model-00001-of-00001.bin', 'pytorch_model.bin.index.json'],
  ],
  ['an adapter', ['adapter_model.safetensors'], ['adapter_model.safetensors']],
  [
    "no second copy in Mistral's format",
    ['consolidated.safetensors', 'model-00001-of-00001.safetensors'],
    ['model-00001-of-00001.safetensors'],
  ],
  ['but where it is the only one', ['consolidated.safetensors'], ['consolidated.safetensors']],
  [
    'only the root folder, and only what a model needs',
    ['onnx/model.safetensors', 'original/config.json', 'README.md', 'model.gguf', 'x.safetensors.zip', 'vocab.txt'],
    [],
  ],
  [
    'tokenizers and templates',
    ['tokenizer.json', 'tokenizer.model', 'vocab.json', 'merges.txt', 'chat_template.jinja', 'added_tokens.json'],
    ['tokenizer.json', 'tokenizer.model', 'vocab.json', 'merges.txt', 'chat_template.jinja', 'added_tokens.json'],
  ],
])('%s', (_what, names, expected) => {
  expect(neededFiles(names)).toEqual(expected);
});

it.each([
  ['no config', { 'model.gguf': 'x', 'model.safetensors': 'x' }, /config\.json.*found model\.gguf, model\.safetensors/],
  ['no weights', { 'config.json': '{}' }, /expected weights/],
  ['nothing', {}, /found nothing/],
])('a repository with %s is no model folder', async (_what, files, message) => {
  const error = await find({ files: files as Record<string, string> }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toMatch(message);
});

it.each([
  [
    'no sizes',
    (answer: { siblings: Record<string, unknown>[] }) => {
      for (const sibling of answer.siblings) delete sibling['size'];
      return answer;
    },
    /config\.json: expected its size and checksum/,
  ],
  ['a commit that would be a path', (answer: object) => ({ ...answer, sha: '../../etc' }), /sha/],
  ['a page', () => '<html>', /expected object/],
])('an endpoint that answers with %s is no hub', async (_what, listing, message) => {
  const error = await find({ listing: listing as NonNullable<HubServerOptions['listing']> }).catch(
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(WorkError);
  expect((error as Error).message).toMatch(message);
  expect((error as WorkError).hint).toContain('HF_ENDPOINT');
});

it('a commit is that commit', async () => {
  const other = commit.replace('a', 'b');
  await expect(find({ listing: (answer) => ({ ...answer, sha: other }) }, commit)).rejects.toThrow(
    `asked for commit ${commit}, got ${other}`,
  );
});

it('a page of a proxy is no answer of a hub', async () => {
  const page = find({ fault: () => ({ kind: 'content', content: Buffer.from('<html>sign in</html>') }) });
  await expect(page).rejects.toThrow(/expected JSON/);
});
