import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { countBars, learningRateChart, lossChart, lossSeries, pairedBars } from '../../src/report/charts.ts';
import { makeInput } from './fixture.ts';

const { log } = makeInput().training;
const parsed = (markup: string) => parseHTML(`<body>${markup}</body>`).document;

describe('charts', () => {
  it('are SVG with a name, drawn without DOM globals', () => {
    expect(Object.hasOwn(globalThis, 'document')).toBe(false);
    for (const { markup } of [lossChart(log), learningRateChart(log)]) {
      expect(markup).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(markup).toMatch(/^<svg [^>]*aria-label="[^"]+ over 120 steps"/);
      expect(markup).not.toMatch(/NaN|Infinity|undefined|<style/);
    }
    expect(lossChart(log)).toEqual(lossChart(log));
  });

  it('draw every step, and leave out a loss that is no number', () => {
    const points = (markup: string) =>
      parsed(markup)
        .querySelector('[aria-label="line"] path')!
        .getAttribute('d')!
        .match(/-?[\d.]+,-?[\d.]+/g)!.length;
    expect(points(lossChart(log).markup)).toBe(120);
    const broken = log.map((row, i) => (i === 7 ? { ...row, loss: Number.NaN } : row));
    expect(points(lossChart(broken).markup)).toBe(119);
  });

  it('thin out a long run to means of consecutive steps', () => {
    const long = Array.from({ length: 2500 }, (_, i) => ({ ...log[0]!, step: i + 1, loss: i % 2 === 0 ? 1 : 2 }));
    const { points, binSteps, windowPoints, windowSteps } = lossSeries(long);
    expect([points.length, binSteps, windowPoints, windowSteps]).toEqual([834, 3, 42, 126]);
    expect(points.slice(0, 2)).toEqual([
      { step: 3, loss: 4 / 3 },
      { step: 6, loss: 5 / 3 },
    ]);
    expect(points.at(-1)).toEqual({ step: 2500, loss: 2 });
    expect(lossChart(long).markup.length).toBeLessThan(40_000);
  });

  it('draw bars to scale with their intervals', () => {
    const bar = { group: 'g', value: 0.5, low: 0.25, high: 1 };
    const { markup } = pairedBars(
      'a name',
      ['g', 'empty'],
      [
        { ...bar, side: 'before' },
        { ...bar, side: 'after', value: 0.25 },
      ],
    );
    const document = parsed(markup);
    const heights = [...document.querySelectorAll('[aria-label="bar"] rect')].map((rect) =>
      Number(rect.getAttribute('height')),
    );
    expect(heights).toHaveLength(2);
    expect(heights[0]! / heights[1]!).toBeCloseTo(2, 2);
    const rule = document.querySelector('[aria-label="rule"] line')!;
    const length = Math.abs(Number(rule.getAttribute('y1')) - Number(rule.getAttribute('y2')));
    expect(length / heights[0]!).toBeCloseTo(1.5, 2);
    expect(markup).toContain('>empty<');
  });

  it('escape names out of data', () => {
    const { markup } = countBars('Rows by category', [['<script>alert(1.23456)</script>', 3]]);
    expect(markup).toContain('&lt;script&gt;alert(1.23456)&lt;/script&gt;');
    expect(parsed(markup).querySelector('script')).toBeNull();
  });
});
