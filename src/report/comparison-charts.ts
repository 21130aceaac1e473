/**
 * Charts that hold models against each other, laid out as the figures of Peng et al. 2023: bars of percent of a reference
 * model, pies of people's choices, bars by length of the reference. Published figures are drawn pale beside ours. As in
 * charts.ts, colors are CSS variables and legends are the page's business.
 */
import * as Plot from '@observablehq/plot';
import { draw, lossSeries, textWidth } from './charts.ts';
import { fixed } from './format.ts';
import { type Html, html, trusted } from './html.ts';
import type { TrainingLogRow } from './report-input.ts';
import { english, type Words } from './words.ts';

/** Colors there are; more series begin again. */
export const numSeries = 6;
export const seriesClass = (i: number): string => `series-${(i % numSeries) + 1}`;
const seriesColor = (i: number): string => `var(--${seriesClass(i)})`;

export interface PercentBar {
  readonly name: string;
  readonly percent: number;
  readonly low?: number | null;
  readonly high?: number | null;
  /** What stands behind the bar: `71.09 %  520 : 731.5`. */
  readonly label: string;
  readonly isPublished: boolean;
}

/** One horizontal bar a model, in the order given; the line stands at 100 %. */
export function percentBars(label: string, bars: readonly PercentBar[], line = 100): Html {
  const longest = Math.max(...bars.map(({ name }) => textWidth(name)), 0);
  const behind = Math.max(...bars.map((bar) => textWidth(bar.label)), 0);
  const spread = bars.filter(({ low, high }) => typeof low === 'number' && typeof high === 'number');
  const end = Math.max(line, ...bars.map(({ percent, high }) => Math.max(percent, high ?? 0)));
  const name = (bar: PercentBar) => bar.name;
  return draw(label, {
    height: 14 + 26 * bars.length,
    marginLeft: Math.min(200, 10 + 0.98 * longest),
    marginRight: Math.min(160, 8 + 0.92 * behind),
    marginTop: 6,
    marginBottom: 8,
    x: { axis: null, domain: [0, end] },
    y: { label: null, domain: bars.map(name), tickSize: 0, padding: 0.28 },
    marks: [
      Plot.barX(bars, {
        x: 'percent',
        y: name,
        fill: ({ isPublished }: PercentBar) => (isPublished ? 'var(--before)' : 'var(--after)'),
        fillOpacity: ({ isPublished }: PercentBar) => (isPublished ? 0.55 : 1),
      }),
      Plot.ruleY(spread, { y: name, x1: 'low', x2: 'high', stroke: 'currentColor', strokeWidth: 1.5 }),
      Plot.ruleX([line], { stroke: 'currentColor', strokeDasharray: '2 3', strokeOpacity: 0.6 }),
      Plot.ruleX([0], { stroke: 'currentColor' }),
      Plot.text(bars, { x: () => end, y: name, text: 'label', textAnchor: 'start', dx: 6 }),
    ],
  });
}

export interface GroupedBar {
  readonly group: string;
  /** Place of its series, from 0. */
  readonly series: number;
  readonly value: number;
  readonly low?: number | null;
  readonly high?: number | null;
  readonly isPublished?: boolean;
}

/** Bars of several series beside each other in each group. */
export function groupedBars(
  label: string,
  yLabel: string,
  groups: readonly string[],
  bars: readonly GroupedBar[],
): Html {
  const order = [...new Set(bars.map(({ series }) => series))].sort((a, b) => a - b);
  const spread = bars.filter(({ low, high }) => typeof low === 'number' && typeof high === 'number');
  return draw(label, {
    marginBottom: 46,
    fx: { axis: null, domain: [...groups], padding: 0.18 },
    x: { axis: null, domain: order, padding: 0.06 },
    y: { label: yLabel, grid: true, zero: true, nice: true, ticks: 5 },
    marks: [
      Plot.axisFx({ anchor: 'bottom', label: null, lineHeight: 1.3 }),
      Plot.barY(bars, {
        fx: 'group',
        x: 'series',
        y: 'value',
        fill: ({ series }: GroupedBar) => seriesColor(series),
        fillOpacity: ({ isPublished }: GroupedBar) => (isPublished ? 0.45 : 1),
      }),
      Plot.ruleX(spread, { fx: 'group', x: 'series', y1: 'low', y2: 'high', stroke: 'currentColor', strokeWidth: 1.5 }),
      Plot.ruleY([0], { stroke: 'currentColor' }),
    ],
  });
}

/** Running means of several runs' losses in one picture. */
export function lossCurves(runs: readonly (readonly TrainingLogRow[])[], words: Words = english): Html {
  return draw(words.say('Training loss by step'), {
    x: { label: words.say('step'), labelOffset: 36, ticks: 5, nice: true },
    y: { label: words.say('loss (nats per token)'), grid: true, nice: true, ticks: 6 },
    marks: runs.flatMap((log, i) => {
      const { points, windowPoints: k } = lossSeries(log);
      const channels = { x: 'step', y: 'loss', stroke: seriesColor(i), strokeWidth: 2 } as const;
      if (points.length === 1) return [Plot.dot(points, { x: 'step', y: 'loss', fill: seriesColor(i) })];
      return [Plot.lineY(points, k > 1 ? Plot.windowY({ k }, channels) : channels)];
    }),
  });
}

export interface Slice {
  /** A style class with a color: `win`, `tie`, `lose`. */
  readonly kind: string;
  readonly name: string;
  readonly count: number;
  readonly percent: number;
}

/** A pie that begins at twelve and goes round as a clock does; each slice has its percent in it or, if thin, beside it. */
export function pie(label: string, slices: readonly Slice[]): Html {
  const total = slices.reduce((sum, { count }) => sum + count, 0);
  const [center, radius] = [130, 100];
  let turned = 0;
  const drawn = slices.map(({ kind, name, count, percent }) => {
    const share = total === 0 ? 0 : count / total;
    const [from, to] = [turned, turned + share];
    turned = to;
    const middle = (from + to) / 2;
    const far = share < 0.12 ? radius + 20 : radius * 0.62;
    const [x, y] = place(middle, far, center);
    const written =
      share === 0
        ? ''
        : html`<text x="${x}" y="${y}" text-anchor="middle" dominant-baseline="central" class="${share < 0.12 ? 'outside' : 'inside'}">${fixed(percent, 1)} %</text>`;
    return html`<g class="slice ${kind}"><title>${name}: ${count}</title>${sector(from, to, center, radius)}${written}</g>`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="chart pie" role="img" aria-label="${label}" viewBox="-10 0 280 260" width="280" height="260">${drawn}</svg>`;
}

function sector(from: number, to: number, center: number, radius: number): Html {
  if (to - from <= 0) return trusted('');
  // An arc from a point to itself is none.
  if (to - from >= 1 - 1e-9) return html`<circle cx="${center}" cy="${center}" r="${radius}"/>`;
  const [x1, y1] = place(from, radius, center);
  const [x2, y2] = place(to, radius, center);
  const isLarge = to - from > 0.5 ? 1 : 0;
  return html`<path d="M${center} ${center}L${x1} ${y1}A${radius} ${radius} 0 ${isLarge} 1 ${x2} ${y2}Z"/>`;
}

function place(turn: number, radius: number, center: number): [number, number] {
  const angle = 2 * Math.PI * turn;
  const rounded = (value: number) => Math.round(100 * value) / 100;
  return [rounded(center + radius * Math.sin(angle)), rounded(center - radius * Math.cos(angle))];
}
