/**
 * What a revision of a model is: its commit, and those of its files that are needed, each with its size and checksum.
 * Source: the hub's `GET /api/models/{org}/{name}/revision/{revision}?blobs=true`, as huggingface_hub 2.4 reads it.
 * Only the root folder is looked at; where weights are there as safetensors, no pickles are taken.
 */
import { z } from 'zod';
import { ConfigError, WorkError } from '../base/errors.ts';
import { type Connection, get, reasonOf, refusal, type Wanted } from './connection.ts';
import { isCommit } from './names.ts';
import { PassingError, withRetries } from './retry.ts';

/** `sha256`: of the content, for files kept in git LFS. `blob`: git's own SHA-1, for all others. */
export interface Checksum {
  readonly kind: 'sha256' | 'blob';
  readonly hex: string;
}

export interface HubFile {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly checksum: Checksum;
}

export interface Snapshot {
  readonly commit: string;
  /** Those needed, the smallest first: what is wrong shows before gigabytes are fetched. */
  readonly files: readonly HubFile[];
}

const size = z.number().int().nonnegative();
const sha1 = z.string().regex(/^[0-9a-f]{40}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const siblingSchema = z.object({
  rfilename: z.string(),
  size: size.optional(),
  blobId: sha1.optional(),
  lfs: z.object({ sha256, size }).nullish(),
});
const answerSchema = z.object({
  sha: sha1,
  siblings: z.array(siblingSchema),
});

const companions = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'adapter_config.json',
]);
const safetensors = /^[^/\\]+\.safetensors(\.index\.json)?$/;
const pickles = /^pytorch_model[^/\\]*\.bin(\.index\.json)?$/;
/** Mistral's own format, beside the same weights under the usual names. */
const secondCopy = /^consolidated[^/\\]*\.safetensors/;

/** Of a repository's files those that a model or an adapter is made of. */
export function neededFiles(names: readonly string[]): string[] {
  const tensors = names.filter((name) => safetensors.test(name));
  const usual = tensors.filter((name) => !secondCopy.test(name));
  const hasSafetensors = tensors.some((name) => name.endsWith('.safetensors'));
  const hasUsual = usual.some((name) => /^model.*\.safetensors$/.test(name));
  const weights = hasSafetensors ? (hasUsual ? usual : tensors) : names.filter((name) => pickles.test(name));
  return [...names.filter((name) => companions.has(name)), ...weights];
}

/** Throws ConfigError for what the hub does not have, does not give, or what is no model. */
export async function findSnapshot(connection: Connection, wanted: Wanted): Promise<Snapshot> {
  const { name, revision } = wanted;
  const address = `${connection.endpoint}/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = answerSchema.safeParse(await withRetries(connection, () => getJson(connection, address, wanted)));
  if (!answer.success) throw notTheProtocol(connection, z.prettifyError(answer.error));
  const { sha: commit, siblings } = answer.data;
  if (isCommit(revision) && commit !== revision)
    throw notTheProtocol(connection, `asked for commit ${revision}, got ${commit}`);
  const names = siblings.map((sibling) => sibling.rfilename);
  const needed = new Set(neededFiles(names));
  checkModel(wanted, names, needed);
  const files = siblings.filter((one) => needed.has(one.rfilename)).map((one) => describe(connection, one));
  return { commit, files: files.sort((a, b) => a.size - b.size) };
}

async function getJson(connection: Connection, address: string, wanted: Wanted): Promise<unknown> {
  const response = await get(connection, address);
  if (!response.ok) throw await refusal(connection, response, wanted);
  const text = await response.text().catch((error: unknown) => {
    throw new PassingError(`${connection.endpoint} broke off its answer: ${reasonOf(error)}`, {});
  });
  try {
    return JSON.parse(text);
  } catch {
    throw notTheProtocol(connection, 'expected JSON');
  }
}

function describe(connection: Connection, sibling: z.infer<typeof siblingSchema>): HubFile {
  const { rfilename: name, blobId, lfs } = sibling;
  if (lfs) return { name, size: lfs.size, checksum: { kind: 'sha256', hex: lfs.sha256 } };
  if (sibling.size === undefined || blobId === undefined)
    throw notTheProtocol(connection, `${name}: expected its size and checksum`);
  return { name, size: sibling.size, checksum: { kind: 'blob', hex: blobId } };
}

function checkModel({ name, revision }: Wanted, names: readonly string[], needed: ReadonlySet<string>): void {
  const hasConfig = needed.has('config.json') || needed.has('adapter_config.json');
  const hasWeights = [...needed].some((one) => /\.(safetensors|bin)$/.test(one));
  if (hasConfig && hasWeights) return;
  const missing = hasConfig ? 'weights as safetensors or pytorch_model.bin' : 'config.json or adapter_config.json';
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? `, and ${names.length - 8} more` : '');
  throw new ConfigError(`${name}@${revision} is no model folder: expected ${missing}, found ${shown || 'nothing'}`, {
    hint: 'name a repository in the layout of transformers, with its files at the top',
  });
}

const notTheProtocol = ({ endpoint }: Connection, problem: string): WorkError =>
  new WorkError(`${endpoint} does not answer as a Hugging Face hub does: ${problem}`, {
    hint: 'see that HF_ENDPOINT names a hub or a whole mirror of one',
  });
