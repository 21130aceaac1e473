import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { compareSets } from '../../src/data/statistics-compare.ts';
import { dataFigures } from '../../src/data/statistics-figures.ts';
import { SetTally } from '../../src/data/statistics-set.ts';
import { lengthBars } from '../../src/report/charts.ts';
import { figureBlocks } from '../../src/report/data-figures.ts';
import { statisticsPage } from '../../src/report/statistics-page.ts';
import { statisticsRows } from '../../src/report/statistics-table.ts';
import { type Cell, cellText } from '../../src/report/table.ts';

function tallied(texts: readonly (readonly [instruction: string, output: string])[]): SetTally {
  const set = new SetTally({ verbNouns: ['instructions'] });
  for (const [instruction, output] of texts) set.add({ instruction, output });
  return set;
}
const poems = tallied([
  ['Write a poem.', 'one two three'],
  ['Write a poem.', 'one'],
  ['Name a river.', ''],
]);
const maps = tallied([['Draw a map.', Array(80).fill('w').join(' ')]]);
const documentOf = (markup: string) => parseHTML(markup).document;

describe('the chart of lengths', () => {
  it('has a bar for each bin, as high as its count', () => {
    const bins = [
      { from: 0, to: 4, count: 6 },
      { from: 5, to: 9, count: 3 },
    ];
    const svg = documentOf(`<body>${lengthBars('Lengths', 'words', bins).markup}</body>`);
    const bars = [...svg.querySelectorAll('[aria-label="rect"] rect')];
    const heights = bars.map((bar) => Number(bar.getAttribute('height')));
    // Half a pixel of white on each side.
    expect((heights[0]! + 1) / (heights[1]! + 1)).toBeCloseTo(2, 1);
    expect(svg.querySelector('svg')?.getAttribute('aria-label')).toBe('Lengths');
  });
});

describe('what is drawn of a data set', () => {
  it('has the lengths, the pairs, and the counts beside', () => {
    const blocks = figureBlocks('poems', dataFigures([poems])[0]!);
    expect(blocks.map(({ kind }) => kind)).toEqual(['charts', 'text', 'table', 'folded']);
    const [charts, text, table] = blocks as unknown as [
      { charts: { title: string; caption: string }[] },
      { text: string },
      { table: { rows: Cell[][] } },
    ];
    expect(charts.charts.map(({ caption }) => caption)).toEqual([
      '3 answers.',
      'Root verb and direct noun object of 3 texts; 2 of 2 pairs drawn.',
    ]);
    expect(text.text).toBe(
      'Of 3 instructions in English, 3 of 3 (100.0 %) have a root verb and 3 of 3 (100.0 %) a noun object of it: ' +
        '2 different pairs of 2 verbs, 0 of them more than ten times.',
    );
    expect(table.table.rows.map((row) => row.map(cellText))).toEqual([
      ['write', '2', 'poem 2'],
      ['name', '1', 'river 1'],
    ]);
  });

  it('has the same bins for sets that are compared', () => {
    const [a, b] = dataFigures([poems, maps]);
    const bins = (figures: typeof a) => figures!.lengths[0]!.bins.map(({ from, to }) => [from, to]);
    expect(bins(a)).toEqual(bins(b));
    // 80 words in 25 bins: of 5 words each.
    expect(bins(a)[0]).toEqual([0, 4]);
  });

  it('says what it does not draw', () => {
    const long = tallied([...Array(99).fill(['Write a poem.', 'one two']), ['Write a poem.', 'w '.repeat(900)]]);
    const [charts] = figureBlocks('long', dataFigures([long])[0]!) as unknown as [{ charts: { caption: string }[] }];
    expect(charts.charts[0]?.caption).toBe('100 answers; 1 of 100 (1.0 %) of 25 words or more not drawn.');
  });

  it('is nothing where nothing was counted', () => {
    expect(figureBlocks('none', { lengths: [], verbNouns: { instructions: {} } })).toEqual([]);
  });
});

describe('the page of two sets', () => {
  const { a, b, pairs } = compareSets(poems, maps);
  const figures = dataFigures([poems, maps]);
  const name = 'p<script>"&';
  const page = statisticsPage({
    sets: [
      { name, statistics: a, figures: figures[0]! },
      { name: 'maps', statistics: b, figures: figures[1]! },
    ],
    pairs,
  });

  it('has both and the difference, and fetches nothing', () => {
    const document = documentOf(page);
    const rows = [...document.querySelectorAll('#numbers tbody tr')].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(rows.slice(0, 2)).toEqual([
      ['records', '3', '1', '−2'],
      ['records in English', '3', '1', '−2'],
    ]);
    expect(rows.find(([label]) => label === 'words of an output: mean')).toEqual([
      'words of an output: mean',
      '1.33',
      '80.00',
      '+78.67',
    ]);
    expect(document.querySelectorAll('svg')).toHaveLength(4);
    expect([...document.querySelectorAll('script, link, img')]).toEqual([]);
    expect(document.querySelector('#numbers thead th:nth-child(2)')?.textContent).toBe(name);
    expect(page).toContain('0 pairs in both sets, 2 in the first alone, 1 in the second alone.');
    expect(page).not.toMatch(/undefined|NaN|Infinity/);
  });

  it('draws the same pairs in the same order for both', () => {
    const charts = [...documentOf(page).querySelectorAll('#pairs svg')];
    const labels = charts.map((svg) =>
      [...svg.querySelectorAll('[aria-label="y-axis tick label"] text')].map((one) => one.textContent),
    );
    expect(labels[0]).toEqual(['write poem', 'draw map', 'name river']);
    expect(labels[1]).toEqual(labels[0]);
  });
});

it('the table leaves out what no set has, and a cell that one has not', () => {
  const chinese = new SetTally({ verbNouns: [] });
  chinese.add({ instruction: '写诗', output: '春天', language: 'zh' });
  const one = statisticsRows([poems.result()]);
  expect(one.map(([name]) => name).filter((name) => /Chinese|token/.test(name))).toEqual([]);
  const two = statisticsRows([poems.result(), chinese.result()]);
  expect(two.find(([name]) => name === 'characters of a Chinese output: mean')).toEqual([
    'characters of a Chinese output: mean',
    '',
    '2.00',
    '',
  ]);
  expect(two.find(([name]) => name === 'records in English')).toEqual(['records in English', '3', '0', '−3']);
});
