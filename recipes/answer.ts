/**
 * A model answers a file of prompts. Rows are appended as they are done, batch by batch in the order of the prompts;
 * run again with the same settings, rows that are there are kept and their batches are the same as before.
 */
import { existsSync, statSync } from 'node:fs';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { JsonlLog, parseJsonl, readJson, readText } from '../src/base/jsonl.ts';
import type { LocalModel, LocalRequest } from '../src/local/local-model.ts';

export interface AnswerOptions {
  readonly file: string;
  /** Prompts decoded together. */
  readonly batch: number;
  /** What else the answers depend on: a file made with other settings is not mixed with these. */
  readonly settings: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: { done: number; total: number; tokensPerSecond: number }) => void;
}

export async function answerFile(
  model: LocalModel,
  requests: readonly LocalRequest[],
  { file, batch, settings, signal, onProgress }: AnswerOptions,
): Promise<{ file: string; rows: number; kept: number; tokens: number }> {
  const known = openAnswers(file, sha256({ requests, settings, batch }));
  const log = new JsonlLog(file);
  const startedMs = performance.now();
  let tokens = 0;
  try {
    for (let from = 0; from < requests.length; from += batch) {
      const group = requests.slice(from, from + batch);
      if (group.every(({ key }) => known.has(key))) continue;
      const answers = await model.answer(group, { signal });
      for (const [i, { key, messages }] of group.entries()) {
        const { text, finishReason, outputTokens } = answers[i] as (typeof answers)[number];
        tokens += outputTokens;
        if (!known.has(key)) log.append({ id: key, prompt: messages.at(-1)?.content, output: text, finishReason });
      }
      const tokensPerSecond = tokens / ((performance.now() - startedMs) / 1000);
      onProgress?.({ done: from + group.length, total: requests.length, tokensPerSecond });
    }
  } finally {
    log.close();
  }
  return { file, rows: requests.length, kept: known.size, tokens };
}

/** Ids that `file` holds. Its settings stand beside it, so that answers of two settings never mix. */
function openAnswers(file: string, identity: string): ReadonlySet<string> {
  const beside = `${file}.settings.json`;
  if (!existsSync(file) || statSync(file).size === 0) {
    writeJsonAtomic(beside, { identity });
    return new Set();
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
  return new Set(parseJsonl(whole, file).map(({ value }) => String((value as { id: unknown }).id)));
}
