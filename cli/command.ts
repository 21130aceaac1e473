/** What every command shares: its definition, Ctrl-C, the engine with its set-up. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Engine, EngineOptions } from '../recipes/engine.ts';
import { ConfigError } from '../src/base/errors.ts';
import { embeddedModelFolder, packageRoot } from '../src/base/paths.ts';
import { isHubName, parseHubName } from '../src/hub/names.ts';
import { progressBar, say } from './terminal.ts';

export { Command };

/** A command with an example under its options. */
export const command = (name: string, description: string, examples: readonly string[]): Command =>
  new Command(name)
    .description(description)
    .addHelpText('after', `\nExample:\n${examples.map((example) => `  $ ./understudy ${example}`).join('\n')}`);

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError(`expected a whole number, got "${text}"`);
  return value;
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('expected a whole number from 1, got "0"');
  return value;
}

export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError(`expected a number, got "${text}"`);
  return value;
}

export const deviceOption = (): Option =>
  new Option('--device <name>', 'compute on cpu, cuda or cuda:N (default: auto, a GPU where libtorch has one)');

/**
 * A folder, `builtin` for the embedded model, or org/name on the Hugging Face hub. Only the name is looked at: set-up makes
 * the embedded one, `fetchModel` fetches the others.
 */
export function modelFolder(name: string): string {
  if (name === 'builtin') return embeddedModelFolder;
  if (isHubName(name)) return name;
  if (existsSync(join(name, 'config.json')) || existsSync(join(name, 'adapter_config.json'))) return name;
  const problem = existsSync(name) ? 'is not a model folder: config.json is missing' : 'does not exist';
  throw new ConfigError(`no such model: ${name} ${problem}`, {
    hint: 'give a Hugging Face model folder, org/name on the hub, or `builtin` for the embedded SmolLM2-135M-Instruct',
  });
}

/** The folder of a model: one on the hub is downloaded, unless it is there already. */
export async function fetchModel(model: string, signal: AbortSignal): Promise<string> {
  const hub = isHubName(model) ? parseHubName(model) : undefined;
  if (!hub) return model;
  const { downloadModel } = await import('../src/hub/hub.ts');
  const bar = progressBar(`downloading ${hub.name}`);
  const folder = await downloadModel({
    ...hub,
    signal,
    onProgress: ({ doneBytes, totalBytes, file }) => bar.update(doneBytes, totalBytes, file),
    onNotice: (text) => bar.note(text),
  });
  bar.finish(folder);
  return folder;
}

/** Does what of the set-up is missing for libtorch and the embedded model; nothing is loaded. */
export async function ensureNative(): Promise<void> {
  const setup = (await import(pathToFileURL(join(packageRoot, 'scripts', 'setup.mjs')).href)) as {
    ensureSetup(options: { needs: 'words' | 'native' }): Promise<void>;
  };
  await setup.ensureSetup({ needs: 'native' });
}

export async function openEngine({ threads, device }: EngineOptions = {}): Promise<Engine> {
  await ensureNative();
  const { startEngine } = await import('../recipes/engine.ts');
  return startEngine({ threads, device });
}

/**
 * Runs `body` with a signal that Ctrl-C or SIGTERM aborts: what runs comes to a safe stop. A second Ctrl-C ends the
 * program at once; what was stored stays stored.
 */
export async function interruptible<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    say('stopping at the next safe point; press Ctrl-C again to stop at once');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await body(controller.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** `interruptible` with an engine that is stopped at the end, whatever the end is. */
export const withEngine = <T>(
  options: EngineOptions,
  body: (engine: Engine, signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  interruptible(async (signal) => {
    const engine = await openEngine(options);
    try {
      return await body(engine, signal);
    } finally {
      engine.stop();
    }
  });
