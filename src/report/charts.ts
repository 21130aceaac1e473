/**
 * The report's charts as SVG text, drawn by Observable Plot on a linkedom document: no browser and no DOM globals.
 * Colors are CSS variables and currentColor, so that one picture serves light, dark and paper; legends are the page's
 * business. Sizes fit half a page: a phone shows a chart in full width with letters of 9 pixels.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { mean } from '../base/intervals.ts';
import { type Html, trusted } from './html.ts';
import type { TrainingLogRow } from './report-input.ts';
import { english, type Words } from './words.ts';

export interface Bar {
  readonly group: string;
  readonly side: 'before' | 'after';
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const size = { width: 440, height: 260, marginTop: 30, marginBottom: 40 };
const colorOf = { before: 'var(--before)', after: 'var(--after)' } as const;

export function draw(label: string, options: Plot.PlotOptions): Html {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const svg = Plot.plot({ ...size, ...options, document, className: 'chart', ariaLabel: label }) as unknown as SvgLike;
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  // The page's style sheet says how a chart looks; Plot's own copy in each picture would only repeat it.
  svg.querySelector('style')?.remove();
  return trusted(shortNumbers(svg.outerHTML));
}

/** The little of the DOM that is used here: this package is compiled without the browser's types. */
interface SvgLike {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
  querySelector(selector: string): { remove(): void } | null;
}

/** 155.99999999999997 → 156 inside tags: half the size, and the same bytes on every machine. Texts are not touched. */
function shortNumbers(svg: string): string {
  return svg.replace(/<[^>]*>/g, (tag) =>
    tag.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(Math.round(Number(number) * 100) / 100)),
  );
}

const finite = (rows: readonly TrainingLogRow[], value: (row: TrainingLogRow) => number): TrainingLogRow[] =>
  rows.filter((row) => Number.isFinite(value(row)));

/** Points a line has at most: more are not to be told apart in a picture, and make a long run's page heavy. */
const maxPoints = 1000;

/**
 * The points of the thin line, each the mean of `binSteps` steps (1 in all but long runs), and the steps in the running
 * mean of the thick one: a twentieth of the run.
 */
export function lossSeries(log: readonly TrainingLogRow[]) {
  const rows = finite(log, ({ loss }) => loss);
  const binSteps = Math.max(1, Math.ceil(rows.length / maxPoints));
  const points = Array.from({ length: Math.ceil(rows.length / binSteps) }, (_, i) => {
    const bin = rows.slice(i * binSteps, (i + 1) * binSteps);
    return { step: bin.at(-1)!.step, loss: mean(bin.map(({ loss }) => loss)) };
  });
  const windowPoints = Math.max(1, Math.round(points.length / 20));
  return { points, binSteps, windowPoints, windowSteps: windowPoints * binSteps };
}

export function lossChart(log: readonly TrainingLogRow[], words: Words = english): Html {
  const { points, windowPoints: k } = lossSeries(log);
  const channels = { x: 'step', y: 'loss' };
  return draw(words.say('Training loss over {steps}', { steps: words.plural(log.length, 'step') }), {
    x: { label: words.say('step'), labelOffset: 36, ticks: 5, nice: true },
    y: { label: words.say('loss (nats per token)'), grid: true, nice: true, ticks: 6 },
    marks: [
      Plot.lineY(points, { ...channels, stroke: 'var(--after)', strokeWidth: 1, strokeOpacity: k > 1 ? 0.35 : 1 }),
      ...(k > 1
        ? [Plot.lineY(points, Plot.windowY({ k }, { ...channels, stroke: 'var(--after)', strokeWidth: 2 }))]
        : []),
      // A line through a single point is invisible.
      ...(points.length === 1 ? [Plot.dot(points, { ...channels, fill: 'var(--after)' })] : []),
    ],
  });
}

export function learningRateChart(log: readonly TrainingLogRow[], words: Words = english): Html {
  const all = finite(log, ({ learningRate }) => learningRate);
  const every = Math.max(1, Math.ceil(all.length / maxPoints));
  const rows = all.filter((_, i) => i % every === 0 || i === all.length - 1);
  return draw(words.say('Learning rate over {steps}', { steps: words.plural(log.length, 'step') }), {
    marginLeft: 54,
    x: { label: words.say('step'), labelOffset: 36, ticks: 5, nice: true },
    y: { label: words.say('learning rate'), grid: true, zero: true, ticks: 5, tickFormat: scientific },
    marks: [
      Plot.lineY(rows, { x: 'step', y: 'learningRate', stroke: 'currentColor', strokeWidth: 1.5 }),
      ...(rows.length === 1 ? [Plot.dot(rows, { x: 'step', y: 'learningRate', fill: 'currentColor' })] : []),
    ],
  });
}

/** 0.0002 → 2e-4. */
const scientific = (value: number): string =>
  value === 0 ? '0' : String(Number(value.toPrecision(3)).toExponential());

/** Pairs of bars, before beside after, each with its 95 % interval; `groups` names all pairs in order. */
export function pairedBars(
  label: string,
  groups: readonly string[],
  bars: readonly Bar[],
  yLabel = 'mean, 95 % interval',
): Html {
  return draw(label, {
    marginBottom: 46,
    fx: { axis: null, domain: [...groups], padding: groups.length > 1 ? 0.2 : 0 },
    x: { axis: null, domain: ['before', 'after'], padding: groups.length > 1 ? 0.06 : 0.4 },
    y: { label: yLabel, grid: true, zero: true, nice: true, ticks: 5 },
    marks: [
      Plot.axisFx({ anchor: 'bottom', label: null, lineHeight: 1.3 }),
      Plot.barY(bars, { fx: 'group', x: 'side', y: 'value', fill: ({ side }: Bar) => colorOf[side] }),
      Plot.ruleX(bars, { fx: 'group', x: 'side', y1: 'low', y2: 'high', stroke: 'currentColor', strokeWidth: 1.5 }),
      Plot.ruleY([0], { stroke: 'currentColor' }),
    ],
  });
}

/** One horizontal bar a name with its count at the end, in the order given. */
export function countBars(label: string, counts: readonly (readonly [string, number])[]): Html {
  const names = counts.map(([name]) => name);
  const longest = Math.max(...names.map(textWidth), 0);
  const total = (entry: readonly [string, number]) => entry[1];
  return draw(label, {
    height: 14 + 24 * counts.length,
    marginLeft: Math.min(200, 14 + longest),
    marginRight: 44,
    marginTop: 6,
    marginBottom: 8,
    x: { axis: null, zero: true },
    y: { label: null, domain: names, tickSize: 0, padding: 0.3 },
    marks: [
      Plot.barX(counts, { x: total, y: ([name]: readonly [string, number]) => name, fill: 'var(--after)' }),
      Plot.text(counts, {
        x: total,
        y: ([name]: readonly [string, number]) => name,
        text: (entry: readonly [string, number]) => entry[1].toLocaleString('en-US'),
        textAnchor: 'start',
        dx: 5,
      }),
      Plot.ruleX([0], { stroke: 'currentColor' }),
    ],
  });
}

/** A histogram: one bar for each bin of lengths, `to` included. */
export function lengthBars(
  label: string,
  xLabel: string,
  bins: readonly { readonly from: number; readonly to: number; readonly count: number }[],
  yLabel = 'answers',
): Html {
  return draw(label, {
    marginLeft: 54,
    x: { label: xLabel, labelOffset: 36, ticks: 6 },
    y: { label: yLabel, grid: true, zero: true, nice: true, ticks: 5 },
    marks: [
      Plot.rectY(bins, {
        x1: 'from',
        x2: ({ to }: { readonly to: number }) => to + 1,
        y: 'count',
        inset: 0.5,
        fill: 'var(--after)',
      }),
      Plot.ruleY([0], { stroke: 'currentColor' }),
    ],
  });
}

/** About the width of a tick label in pixels at 12: wide scripts take a full square. */
export const textWidth = (text: string): number =>
  Array.from(text).reduce((sum, character) => sum + (character.charCodeAt(0) > 0x2e80 ? 12 : 6.8), 0);
