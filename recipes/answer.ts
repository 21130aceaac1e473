/**
 * A model answers a file of prompts. Rows are appended as they are done, so that a kill loses only what was being
 * decoded; at the end they are put in the order of the prompts. Run again with the same settings, rows that are there
 * are kept and the others answered: an answer does not depend on which others run beside it, but for rounding.
 */
import { existsSync, statSync } from 'node:fs';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog, parseJsonl, readJson, readText, toJsonl } from '../src/base/jsonl.ts';
import type { AnswerEvent, LocalAnswer, LocalModel, LocalRequest } from '../src/local/local-model.ts';

export interface AnswerFileOptions {
  readonly file: string;
  /** Prompts decoded together. */
  readonly batch: number;
  /** What else the answers depend on: a file made with other settings is not mixed with these. */
  readonly settings: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: { done: number; total: number; tokensPerSecond: number }) => void;
}

/** Prompts given to the model at once. At the end of each such group fewer rows than `batch` are decoded. */
const groupSize = 1024;

export async function answerFile(
  model: LocalModel,
  requests: readonly LocalRequest[],
  { file, batch, settings, signal, onProgress }: AnswerFileOptions,
): Promise<{ file: string; rows: number; kept: number; tokens: number }> {
  const known = openRows(file, sha256({ requests, settings }));
  const missing = requests.filter(({ key }) => !known.has(key));
  const log = new JsonlLog(file);
  const startedMs = performance.now();
  let done = requests.length - missing.length;
  let tokens = 0;
  try {
    for (let from = 0; from < missing.length; from += groupSize) {
      const group = missing.slice(from, from + groupSize);
      await answerGroup(
        model,
        group,
        { rows: batch, signal },
        ({ key, messages }, { text, finishReason, outputTokens }) => {
          log.append({ id: key, prompt: messages.at(-1)?.content, output: text, finishReason });
          done += 1;
          tokens += outputTokens;
          const tokensPerSecond = tokens / ((performance.now() - startedMs) / 1000);
          onProgress?.({ done, total: requests.length, tokensPerSecond });
        },
      );
    }
  } finally {
    log.close();
  }
  sortRows(
    file,
    requests.map(({ key }) => key),
  );
  return { file, rows: requests.length, kept: known.size, tokens };
}

/** Takes each answer as it comes. Where taking fails, the model stops at its next safe point; then the failure is thrown. */
export async function answerGroup(
  model: LocalModel,
  group: readonly LocalRequest[],
  { rows, signal }: { readonly rows: number; readonly signal: AbortSignal | undefined },
  take: (request: LocalRequest, answer: LocalAnswer) => void,
): Promise<void> {
  const halt = new AbortController();
  const stop = () => halt.abort();
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  let failure: unknown;
  const onEvent = (event: AnswerEvent) => {
    if (failure !== undefined || !('answer' in event)) return;
    try {
      take(group[event.row] as LocalRequest, event.answer);
    } catch (error) {
      failure = error;
      stop();
    }
  };
  try {
    await model.answer(group, { rows, signal: halt.signal, onEvent });
  } catch (error) {
    throw failure ?? error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (failure !== undefined) throw failure;
}

export const settingsFile = (file: string): string => `${file}.settings.json`;

/** Rows that `file` holds, by id. Their settings stand beside it, so that answers of two settings never mix. */
export function openRows(file: string, identity: string): Map<string, unknown> {
  const beside = settingsFile(file);
  if (!existsSync(file) || statSync(file).size === 0) {
    writeJsonAtomic(beside, { identity });
    return new Map();
  }
  const saved = existsSync(beside) ? (readJson(beside) as { identity?: string }).identity : undefined;
  if (saved !== identity) {
    throw new ConfigError(`${file} holds answers made with other prompts or settings`, {
      hint: 'choose another --out, or delete the file',
    });
  }
  const text = readText(file);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole !== text) writeFileAtomic(file, whole); // a kill tore the last line
  return rowsById(whole, file);
}

const rowsById = (text: string, file: string): Map<string, unknown> =>
  new Map(parseJsonl(text, file).map(({ value }) => [String((value as { id: unknown }).id), value]));

/** In the order of the prompts, whoever was done first. */
export function sortRows(file: string, ids: readonly string[]): void {
  const text = readText(file);
  const rows = rowsById(text, file);
  const sorted = toJsonl(ids.map((id) => rows.get(id)));
  if (sorted !== text) writeFileAtomic(file, sorted);
}
