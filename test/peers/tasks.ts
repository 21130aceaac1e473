/** A small job in two languages, done by the program, and what the ledger says of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RecordedCall } from '../../src/teacher/recorded-call.ts';
import { understudy } from '../cli/program.ts';

const tasks = [
  { instruction: 'Name three primary colours.', input: '' },
  { instruction: 'Rewrite the sentence in the past tense.', input: 'She walks to school every day.' },
  { instruction: '用一句话解释什么是光合作用。', input: '' },
  { instruction: '把下面的句子翻译成英文。', input: '今天天气很好。' },
];

export function writeTasks(folder: string): string {
  const file = join(folder, 'tasks.json');
  writeFileSync(file, JSON.stringify(tasks));
  return file;
}

export const rowsOf = (...path: string[]) =>
  readFileSync(join(...path), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

export async function json(...args: string[]) {
  const { code, stdout, stderr } = await understudy([...args, '--json']);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
  return JSON.parse(stdout);
}

/**
 * Answers the tasks twice: rows in both languages come back, the ledger holds the calls behind them, whole and sound, and
 * the second time nothing is asked. Returns the calls.
 */
export async function answersTwice(folder: string, teacher: readonly string[]): Promise<RecordedCall[]> {
  const out = join(folder, 'answered');
  const args = ['generate', 'answers', '--data', writeTasks(folder), ...teacher, '--max-tokens', '32', '--cut', 'keep'];
  const made = await json(...args, '--out', out);
  expect(made).toMatchObject({ rows: 4, rejected: {} });
  const rows = rowsOf(out, 'data.jsonl');
  expect(rows.map(({ language }) => language)).toEqual(['en', 'en', 'zh', 'zh']);

  const exported = join(folder, 'calls.jsonl');
  const first = await json('ledger', 'stats', out);
  expect((await understudy(['ledger', 'export', out, '--out', exported])).code).toBe(0);
  const calls: RecordedCall[] = rowsOf(exported);
  for (const { messages, provenance } of rows) {
    const call = calls.find(({ key }) => key === provenance.calls[0]);
    expect(call?.answer.text.trim()).toBe(messages[1].content);
    expect(messages[1].content).not.toBe('');
    expect(call?.answer.finishReason).toBe(provenance.cut ? 'length' : 'stop');
  }
  for (const { answer, costUsd } of calls) {
    expect(answer.usage?.inputTokens).toBeGreaterThan(5);
    expect(answer.usage?.outputTokens).toBeGreaterThan(0);
    expect(costUsd).toBe(0);
  }
  // Short ones end by themselves, the others at the limit: both must have been seen.
  expect(new Set(calls.map(({ answer }) => answer.finishReason))).toEqual(new Set(['stop', 'length']));

  expect(await json(...args, '--out', out)).toEqual(made);
  expect(rowsOf(out, 'data.jsonl')).toEqual(rows);
  expect(await json('ledger', 'stats', out)).toEqual(first);
  const verified = await understudy(['ledger', 'verify', out]);
  expect([verified.code, verified.stderr]).toEqual([0, expect.stringContaining('4 rows, all sound')]);
  return calls;
}
