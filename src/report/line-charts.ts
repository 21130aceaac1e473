/** One line over steps, or one figure against another: what a policy or a reward model did while it learned. */
import * as Plot from '@observablehq/plot';
import { draw } from './charts.ts';
import type { Html } from './html.ts';

export interface LinePoint {
  readonly x: number;
  readonly y: number;
}

/** Points a line has at most: each is the mean of as many neighbours as are needed for that. */
const maxPoints = 500;

export interface LineOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  /** Whether the axis begins at 0. */
  readonly zero?: boolean;
  /** In the order of the points rather than of their x, with a dot for each: a path. */
  readonly isPath?: boolean;
}

export function lineChart(
  label: string,
  all: readonly LinePoint[],
  { xLabel, yLabel, zero = false, isPath = false }: LineOptions,
): Html {
  const points = thinned(all.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
  const channels = { x: 'x', y: 'y' };
  return draw(label, {
    marginLeft: 54,
    x: { label: xLabel, labelOffset: 36, ticks: 5, nice: true },
    y: { label: yLabel, grid: true, nice: true, zero, ticks: 5 },
    marks: [
      isPath
        ? Plot.line(points, { ...channels, stroke: 'var(--after)', strokeWidth: 1, strokeOpacity: 0.5 })
        : Plot.lineY(points, { ...channels, stroke: 'var(--after)', strokeWidth: 2 }),
      ...(isPath || points.length === 1 ? [Plot.dot(points, { ...channels, fill: 'var(--after)', r: 2.5 })] : []),
    ],
  });
}

function thinned(points: readonly LinePoint[]): LinePoint[] {
  const size = Math.max(1, Math.ceil(points.length / maxPoints));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const bin = points.slice(i * size, (i + 1) * size);
    return { x: size === 1 ? bin[0]!.x : mean(bin.map(({ x }) => x)), y: mean(bin.map(({ y }) => y)) };
  });
}
