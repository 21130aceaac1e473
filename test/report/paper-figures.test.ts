import { describe, expect, it } from 'vitest';
import { judgeFolderPart } from '../../src/report/judge-parts.ts';
import { knownSetOf, publishedRouge, publishedScores, publishedVotes } from '../../src/report/paper-figures.ts';
import type { Part } from '../../src/report/part.ts';
import { peoplePart } from '../../src/report/people-parts.ts';
import type { RougeInput } from '../../src/report/report-input.ts';
import { rougeFilesPart } from '../../src/report/rouge-parts.ts';
import { english } from '../../src/report/words.ts';
import { judgeSource, peopleSource } from './evaluations-fixture.ts';

const ratio = (reference: string, model: string) => {
  const { score, reference: of } = publishedScores
    .find((one) => one.reference === reference)!
    .rows.find((row) => row.model === model)!;
  return ((100 * score) / of).toFixed(2);
};

describe('the paper’s figures', () => {
  it('give the ratios and shares that it prints', () => {
    expect([ratio('ChatGPT', 'LLaMA-GPT4 (7B)'), ratio('ChatGPT', 'Alpaca (13B)')]).toEqual(['91.37', '83.04']);
    expect([ratio('GPT-4', 'LLaMA-GPT4 (7B)'), ratio('GPT-4', 'Vicuna (13B)')]).toEqual(['83.41', '89.45']);
    const shares = publishedVotes.map(({ win, tie, lose }) =>
      [win, tie, lose].map((votes) => ((100 * votes) / (win + tie + lose)).toFixed(2)),
    );
    expect(shares[0]).toEqual(['54.12', '26.14', '19.74']);
    expect(shares[3]).toEqual(['42.78', '13.11', '44.11']);
    for (const { values, all } of publishedRouge.models) {
      const mean = values.reduce((sum, value, i) => sum + value * publishedRouge.n[i]!, 0) / 9000;
      expect(mean).toBeCloseTo(all, 3);
    }
  });

  const all = (part: Part) => JSON.stringify(part.blocks);

  it('stand beside ours only where the questions are the same', () => {
    const judged = (known?: 'vicuna-80') => {
      const source = judgeSource('reference', known);
      return all(
        judgeFolderPart('judge-1', 'j', source.kind === 'judge' ? source.input : (undefined as never), english),
      );
    };
    expect(judged('vicuna-80')).toContain('Vicuna’s 80');
    expect(judged('vicuna-80')).toContain('"91.37 %"');
    expect(judged()).not.toMatch(/Vicuna|Alpaca/);
    const people = (known?: 'user-oriented-252') => {
      const source = peopleSource(known);
      return all(peoplePart('people-1', 'p', source.kind === 'people' ? source.input : (undefined as never), english));
    };
    expect(people('user-oriented-252')).toContain('LLaMA-GPT4 wins');
    expect(people()).not.toContain('LLaMA');
    expect(knownSetOf(['What is this?'])).toBeUndefined();
  });

  it('stand beside ROUGE where as many references fall into each bucket', () => {
    const mean = (n: number) => ({
      ...{ n, rouge1: 0.3, rouge2: 0.1, rougeL: 0.25 },
      intervals: { rouge1: null, rouge2: null, rougeL: { low: 0.2, high: 0.3 } },
    });
    const input = (first: number): RougeInput => ({
      rows: undefined,
      result: {
        all: mean(9000),
        buckets: publishedRouge.buckets.map((bucket, i) => ({
          bucket,
          ...mean(i === 0 ? first : publishedRouge.n[i]!),
        })),
        cjk: {
          n: 0,
          rouge1: null,
          rouge2: null,
          rougeL: null,
          intervals: { rouge1: null, rouge2: null, rougeL: null },
        },
      },
    });
    const part = (first: number) =>
      all(rougeFilesPart([{ id: 'rouge-1', name: 'ours', input: input(first) }], english));
    expect(part(5089)).toContain('LLaMA-GPT4, paper');
    expect(part(5089)).toContain('"0.4119"');
    expect(part(5088)).not.toContain('paper');
  });
});
