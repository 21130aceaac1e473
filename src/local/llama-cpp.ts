/**
 * llama.cpp through `node-llama-cpp`, which is no dependency: whoever has a GGUF teacher installs it, with the binaries of
 * one platform (85 MB; all of them are 725). Here is what of its interface is used, and how it is found and started.
 * Nothing is ever built or downloaded by it.
 */
import { loadavg } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../base/errors.ts';
import { findOptional } from '../base/optional-package.ts';
import { packagesFolder } from '../base/paths.ts';

export interface LlamaSampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  /** From 0 to 2³² − 2: the next one means a random seed. */
  readonly seed: number;
}

export interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  /** Ends where the model ends its turn; that token is not given. */
  evaluate(tokens: readonly number[], options: LlamaSampling): AsyncGenerator<number, void>;
}

export interface LlamaContext {
  /** Tokens a sequence may have: what was asked for, rounded up. */
  readonly contextSize: number;
  readonly batchSize: number;
  getSequence(): LlamaSequence;
}

export interface LlamaModel {
  readonly tokens: {
    readonly bos: number | null;
    readonly bosString: string | null;
    readonly eosString: string | null;
    readonly shouldPrependBosToken: boolean;
  };
  readonly trainContextSize: number;
  readonly fileInfo: { readonly metadata: { readonly tokenizer?: { readonly chat_template?: unknown } } };
  tokenize(text: string, specialTokens: boolean): readonly number[];
  detokenize(tokens: readonly number[], specialTokens: boolean): string;
  createContext(options: {
    readonly contextSize: number;
    readonly sequences: number;
    readonly threads: number;
    readonly batchSize: number;
  }): Promise<LlamaContext>;
  /** Its contexts too. */
  dispose(): Promise<void>;
}

export interface Llama {
  /** What computes: `cuda`, `metal`, `vulkan`, or the processor. */
  readonly gpu: string | false;
  /** Cores that are worth a thread. */
  readonly cpuMathCores: number;
  loadModel(options: { readonly modelPath: string; readonly loadSignal?: AbortSignal }): Promise<LlamaModel>;
}

interface NodeLlamaCpp {
  getLlama(options: {
    readonly gpu: 'auto';
    readonly build: 'never';
    readonly skipDownload: true;
    readonly maxThreads: number;
    readonly logLevel: string;
    readonly logger: (level: string, message: string) => void;
  }): Promise<Llama>;
}

/** The version that was tried; its binaries have the same. */
export const nodeLlamaCppVersion = '3.22.1';

/** Throws ConfigError where it is not installed. */
export function findNodeLlamaCpp(folders?: readonly string[]): string {
  return findOptional({ name: 'node-llama-cpp', purpose: 'a GGUF teacher', install: installHint() }, folders);
}

/** Without GPU, but for Apple's, whose binaries have it: whoever wants another adds the package that has it. */
const binaries: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
};

/** `--omit=optional`: the packages of all other platforms. In a folder of its own: the flag holds for all that is there. */
function installHint(): string {
  const platform = binaries[`${process.platform}-${process.arch}`];
  const packages = ['node-llama-cpp', ...(platform ? [`@node-llama-cpp/${platform}`] : [])];
  const versioned = packages.map((name) => `${name}@${nodeLlamaCppVersion}`).join(' ');
  return `install it: npm install --prefix ${JSON.stringify(packagesFolder)} --omit=optional --ignore-scripts ${versioned}`;
}

/**
 * The one of this process, for as long as it lives: what one disposes of is all's. A GPU is used where one is and its
 * binaries are installed. Throws ConfigError where none fit the machine.
 */
export function startLlama(): Promise<Llama> {
  started ??= start();
  return started;
}

let started: Promise<Llama> | undefined;
const said: string[] = [];

/** What llama.cpp has said of failures since it was last asked; its exceptions seldom say more than that there was one. */
export async function takeErrors(): Promise<string[]> {
  // They come from another thread.
  await setImmediate();
  return said.splice(0);
}

async function start(): Promise<Llama> {
  const { getLlama } = (await import(pathToFileURL(findNodeLlamaCpp()).href)) as NodeLlamaCpp;
  try {
    return await getLlama({
      gpu: 'auto',
      build: 'never',
      skipDownload: true,
      maxThreads: 0,
      logLevel: 'error',
      logger: (level, message) => (level === 'error' || level === 'fatal') && said.push(message.trim()),
    });
  } catch (error) {
    throw new ConfigError(`node-llama-cpp has no binaries that work on this machine: ${(error as Error).message}`, {
      hint: installHint(),
      cause: error,
    });
  }
}

/**
 * One core is left to Node, and as many as others use: threads wait for each other by spinning, so one that gets no core
 * holds up all. On two busy cores two threads gave 4 tokens a second, one gave 35.
 */
export const defaultThreads = (cores: number, load = loadavg()[0] as number): number =>
  Math.max(1, cores - Math.max(1, Math.round(load)));
