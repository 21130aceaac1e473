import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, expect, it } from 'vitest';
import type { Report } from '../../src/report/report-input.ts';
import { chinese } from '../../src/report/words.ts';
import { writeReport } from '../../src/report/write-report.ts';
import {
  automaticSource,
  judgeSource,
  peopleSource,
  rewardSource,
  rlSource,
  rougeSource,
} from './evaluations-fixture.ts';
import { makeInput } from './fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'report-chinese-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const input = makeInput();
const policy = rlSource();
const said = policy.kind === 'rl' ? policy.input.answers.map(({ text }) => text) : [];

const report: Report = {
  title: '运行与评测',
  sources: [
    { kind: 'run', name: 'run-a', files: {}, input },
    { kind: 'run', name: 'run-b', files: {}, input: makeInput({ english: 30 }) },
    judgeSource('reference', 'vicuna-80'),
    judgeSource('single'),
    judgeSource('pair'),
    peopleSource('user-oriented-252'),
    automaticSource(),
    rougeSource('student-answers'),
    policy,
    rewardSource(),
  ],
};

/** What models and people wrote, and what a run says of itself: text out of data is never translated. */
const ofData = [
  ...said,
  ...input.provenance,
  ...input.evaluation.rows.flatMap(({ prompt, reference, before, after }) => [
    prompt,
    reference,
    before.text,
    after.text,
  ]),
].map((text) => text.replace(/\s+/g, ' ').trim());

/** Three English words in a row are a sentence of ours that nobody translated. */
const english = /(?:^|[^\w.-])[A-Za-z]+(?: [a-z]{2,}){2,}/;

it('has no English sentence but those out of data', () => {
  const page = readFileSync(writeReport(scratch, report, chinese), 'utf8');
  const { document } = parseHTML(page);
  for (const one of document.querySelectorAll('script, style, details.json, pre')) one.remove();
  const left: string[] = [];
  const look = (node: { nodeType: number; textContent: string | null; childNodes: Iterable<unknown> }): void => {
    if (node.nodeType === 3) {
      const text = (node.textContent ?? '').replace(/\s+/g, ' ').trim();
      if (english.test(text) && !ofData.some((given) => given.includes(text))) left.push(text);
    }
    for (const child of node.childNodes) look(child as never);
  };
  look(document.body as never);
  // A notebook is cited by its own name.
  expect(left.filter((text) => !text.includes('main_plots.ipynb'))).toEqual([]);
});

it('says in Chinese what its rows say of themselves', () => {
  const page = readFileSync(join(scratch, 'index.html'), 'utf8');
  const scripts = page.matchAll(/<script type="application\/json" id="(row-[^"]+|rows-[^"]+)">([\s\S]*?)<\/script>/g);
  const found = [...scripts].flatMap(([, id, json]) => {
    const value = JSON.parse(json!) as { title?: string; labels?: object; facets?: { label: string }[] }[];
    if (id === 'row-words') return Object.values(value).map(String);
    if (id === 'row-sets')
      return value.flatMap(({ title, labels, facets }) => [
        title!,
        ...Object.values(labels ?? {}).map(String),
        ...facets!.map(({ label }) => label),
      ]);
    return (value as unknown as { values: [string, string][] }[]).flatMap(({ values }) => values.map(([name]) => name));
  });
  expect(found.length).toBeGreaterThan(100);
  const none = [...new Set(found)].filter((text) => text !== '' && !/\p{Script=Han}/u.test(text));
  // Names of measures and of a reward's source, and numbers.
  expect(none.filter((text) => !/^(ROUGE-[12L]|words|\d+)$/.test(text))).toEqual([]);
});
