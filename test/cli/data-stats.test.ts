import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { understudy } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'data-stats-'));
const a = join(folder, 'a.json.gz');
const b = join(folder, 'b.jsonl');
beforeAll(() => {
  const rows = [
    { instruction: 'Write a poem.', input: '', output: 'one two three' },
    { instruction: 'Sort the words.', input: 'b a', output: 'a b' },
    { instruction: 'Write a poem.', input: '', output: '' },
  ];
  writeFileSync(a, gzipSync(JSON.stringify(rows)));
  const messages = [
    { role: 'user', content: '写一首诗。' },
    { role: 'assistant', content: '春天来了。' },
  ];
  writeFileSync(b, `${JSON.stringify({ messages })}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('data stats', () => {
  it('prints one JSON document', async () => {
    const { code, stdout } = await understudy(['data', 'stats', a, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      file: a,
      records: 3,
      withInput: 1,
      emptyOutputs: 1,
      uniqueOutputs: 3,
      outputWords: { mean: 1.67, median: 2, p95: 3, max: 3 },
      verbNouns: { instructions: { en: { pairs: [{ verb: 'write', noun: 'poem', count: 2 }, {}] } } },
    });
  });

  it('compares two, as JSON, as a table and as a page', async () => {
    const json = await understudy(['data', 'stats', a, b, '--json', '--verb-nouns', 'none']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      files: [a, b],
      a: { records: 3, verbNouns: {} },
      b: { records: 1, languages: { zh: 1 }, outputCharacters: { mean: 5 } },
      difference: { records: -2, languages: { en: -3, zh: 1 } },
    });
    const out = join(folder, 'compared.html');
    const table = await understudy(['data', 'stats', a, b, '--verb-nouns', 'both', '--out', out]);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^records +3 +1 +−2$/m);
    expect(readFileSync(out, 'utf8')).toMatch(/^<!doctype html>[\s\S]*b\.jsonl[\s\S]*<\/html>\n$/);
  });

  it('names rows of no known form, and ends with 2', async () => {
    const file = join(folder, 'plain.jsonl');
    writeFileSync(file, '{"text": "plain"}\n{"instruction": "x", "output": "y"}\n');
    const { code, stderr, stdout } = await understudy(['data', 'stats', file]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`${file}:1: expected an instruction, or a row of a known form`);
  });
});
