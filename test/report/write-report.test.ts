import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, describe, expect, it } from 'vitest';
import { type EvaluationSummary, summarize } from '../../src/evaluate/summary.ts';
import { headlineFigures, headlineRows } from '../../src/report/headline.ts';
import type { ReportInput } from '../../src/report/report-input.ts';
import { reportFiles, writeReport } from '../../src/report/write-report.ts';
import { makeInput, makeNewInput } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'report-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Written {
  readonly page: string;
  readonly markdown: string;
  readonly json: string;
}

function written(input: ReportInput): Written {
  writeReport(folder, input);
  const read = (name: keyof typeof reportFiles) => readFileSync(join(folder, reportFiles[name]), 'utf8');
  return { page: read('page'), markdown: read('markdown'), json: read('json') };
}

const documentOf = ({ page }: Written) => parseHTML(page).document;
const textOf = (report: Written) => documentOf(report).querySelector('body')!.textContent.replace(/\s+/g, ' ');

const script = `</textarea></style><script src="https://evil.example/x.js"></script><img src=x onerror="alert('1')">`;
const hostile = `${script} " ' \`\`\`\` | **bold** [link](https://evil.example) url(https://evil.example)`;

const hostileFigures: NonNullable<ReportInput['data'][number]['figures']> = {
  lengths: [],
  verbNouns: {
    answers: {
      en: {
        texts: 3,
        withVerb: 3,
        withPair: 3,
        uniqueVerbs: 1,
        uniquePairs: 1,
        frequentPairs: 0,
        top: [{ verb: hostile, count: 3, nouns: [{ noun: hostile, count: 3 }] }],
        pairs: [{ verb: hostile, noun: hostile, count: 3 }],
      },
    },
  },
};

function hostileInput(): ReportInput {
  const input = makeInput({ english: 14, chinese: 4 });
  const rows = input.evaluation.rows.map((row) => ({
    ...row,
    id: `${row.id} ${hostile}`,
    category: `${row.category}" onclick="${script}`,
    language: row.language === 'zh' ? '"><script>' : 'en',
    prompt: hostile,
    reference: hostile,
    before: { text: hostile, finishReason: hostile },
    after: { text: `\`\`\`\n${hostile}\n\`\`\``, finishReason: 'stop' },
  }));
  return {
    ...input,
    title: hostile,
    finishedAt: hostile,
    provenance: [hostile],
    versions: { [hostile]: hostile },
    config: { [hostile]: hostile },
    data: input.data.map((set) => ({
      ...set,
      name: hostile,
      teacher: hostile,
      byLanguage: { [hostile]: 3 },
      byCategory: { [hostile]: 3 },
      rejected: { [hostile]: 1 },
      figures: hostileFigures,
    })),
    evaluation: { rows, summary: summarize(rows) },
    costs: input.costs.map((cost) => ({ ...cost, stage: hostile })),
  };
}

/** What a browser could run, follow or fetch. */
function expectInert(report: Written): void {
  const document = documentOf(report);
  expect([...document.querySelectorAll('script, link, img, iframe, object, embed, base, form, use, image')]).toEqual(
    [],
  );
  for (const element of document.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      expect(name, `<${element.localName} ${name}>`).not.toMatch(/^on|^src|^xlink|^action|^style$/);
      if (name === 'href') expect(value).toMatch(/^#[a-z]+$/);
      if (/^fill$|^stroke$|^filter$|^mask$|^clip-path$/.test(name)) expect(value).not.toContain('url(');
    }
  }
  const styles = [...document.querySelectorAll('style')].map(({ textContent }) => textContent);
  expect(styles).toHaveLength(1);
  expect(styles[0]).not.toMatch(/url\(|@import|@font-face|https?:/);
}

describe('the page', () => {
  it('is one file that fetches nothing, under a policy that would not let it', () => {
    const report = written(makeInput());
    expectInert(report);
    expect(report.page).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:">`,
    );
    expect(documentOf(report).querySelector('meta[http-equiv]')!.getAttribute('content')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    );
    expect(report.page).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    expect(report.page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//);
  });

  it('shows hostile text from every field and runs none of it', () => {
    const report = written(hostileInput());
    expectInert(report);
    expect(report.page).not.toContain('<script');
    const answers = [...documentOf(report).querySelectorAll('.answers .before .words')];
    expect(answers).toHaveLength(18);
    for (const { textContent } of answers) expect(textContent).toBe(hostile);
    expect(documentOf(report).querySelector('h1')!.textContent).toBe(hostile);
  });

  it('leads every link to a place in itself', () => {
    const document = documentOf(written(makeInput()));
    const links = [...document.querySelectorAll('a')].map((link) => link.getAttribute('href')!);
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) expect(document.querySelector(`[id="${link.slice(1)}"]`), link).not.toBeNull();
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has every sentence on who taught whom before any figure, and every question once', () => {
    const input = makeInput();
    const report = written(input);
    for (const sentence of input.provenance) {
      expect(report.page.indexOf(sentence)).toBeGreaterThan(0);
      expect(report.page.indexOf(sentence)).toBeLessThan(report.page.indexOf('<main>'));
    }
    const samples = [...documentOf(report).querySelectorAll('.sample')];
    expect(samples).toHaveLength(84);
    expect(samples.filter((sample) => sample.closest('details') === null)).toHaveLength(12);
  });

  it('carries the same headline figures as Markdown', () => {
    const input = makeInput();
    const report = written(input);
    const text = textOf(report);
    for (const row of headlineRows(input.evaluation.summary)) {
      const [n, before, after, difference, range] = headlineFigures(row);
      expect(text).toContain(`${row.denominators}${before}${after} ${difference}${range}${row.verdict}`);
      expect(report.markdown).toContain(`| ${n} | ${before} | ${after} | ${difference} | ${range} | ${row.verdict} |`);
    }
    expect(text).toContain('With a tiny teacher the log-probability judge is the one that means something');
    expect(text).toContain('57 of 553 (10.3 %)');
    expect(text).toContain('$0.1540');
  });
});

describe('report.json', () => {
  it('holds all figures and rows unrounded, and the headline', () => {
    const input = makeInput();
    const json = JSON.parse(written(input).json) as Record<string, unknown>;
    const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    const { evaluation, training, costs, data, config } = json;
    expect({ evaluation, training, costs, data, config }).toEqual(
      throughJson({
        evaluation: input.evaluation,
        training: input.training,
        costs: input.costs,
        data: input.data,
        config: input.config,
      }),
    );
    expect(json['headline']).toEqual(throughJson(headlineRows(input.evaluation.summary)));
    expect(json['format']).toBe('understudy-report/1');
  });

  it('names numbers that JSON does not know, and leaves out what was not measured', () => {
    const input = makeInput({ english: 1, chinese: 0, judged: false, steps: 2 });
    const log = input.training.log.map((row) => ({ ...row, gradNorm: Number.POSITIVE_INFINITY, loss: Number.NaN }));
    const report = written({ ...input, training: { ...input.training, log } });
    const json = JSON.parse(report.json) as ReportInput;
    expect(json.training.log[0]).toMatchObject({ gradNorm: 'Infinity', loss: 'NaN' });
    expect(Object.keys(json.evaluation.rows[0]!)).not.toContain('teacherBefore');
    expect(textOf(report)).toContain('2 steps without a finite loss not drawn');
  });

  it('loses credentials in the configuration, in all three files', () => {
    const config = { teacher: { apiKey: 'abcdef123456', nested: ['sk-abcdefghijklmnop'], model: 'm' } };
    const report = written({ ...makeInput({ english: 1, chinese: 0 }), config });
    for (const text of Object.values(report)) expect(text).not.toMatch(/abcdef123456|abcdefghijklmnop/);
    expect((JSON.parse(report.json) as { config: unknown }).config).toEqual({
      teacher: { apiKey: '[redacted]', nested: ['sk-[redacted]'], model: 'm' },
    });
  });
});

describe('report.md', () => {
  it('lets no HTML and no table mark of the data through', () => {
    const { markdown } = written(hostileInput());
    const outside = markdown.replace(/^(`{3,})[^`\n]*\n[\s\S]*?\n\1$/gm, '');
    expect(outside).not.toMatch(/<script|<img|https?:\/\//);
    const widths = outside
      .split('\n\n')
      .filter((block) => block.startsWith('|'))
      .map((block) => new Set(block.split('\n').map((line) => line.replaceAll('\\|', '').split('|').length)));
    expect(widths.length).toBeGreaterThan(5);
    for (const width of widths) expect(width.size).toBe(1);
    // Answers are there as they are, in fences longer than their own.
    expect(markdown).toContain(`\`\`\`\`\`\n${hostile}\n\`\`\`\`\``);
  });
});

describe('parts without data', () => {
  it('are named as missing, not left out or made up', () => {
    const text = textOf(written(makeInput({ english: 6, chinese: 0, judged: false })));
    expect(text).toContain('No Chinese questions were in this evaluation.');
    expect(text).toContain('No scores: no teacher was asked to score the answers.');
    expect(text).toContain('No log-probabilities of the teacher');
    expect(text).toContain('No teacher was called in this run.');
    expect(text).not.toContain('With a tiny teacher');
    expect(text).not.toMatch(/undefined|NaN|null/);
  });

  it('do not stop a report of nothing', () => {
    const summary: EvaluationSummary = { questions: 0, heldOutLoss: undefined, languages: {} };
    const input = makeInput({ english: 0, chinese: 0, judged: false, steps: 0 });
    const report = written({ ...input, provenance: [], versions: {}, data: [], evaluation: { summary, rows: [] } });
    const text = textOf(report);
    expect(text).toContain('No questions were evaluated');
    expect(text).toContain('The training log is empty');
    expect(text).toContain('No statistics of the data were given.');
    expect(text).toContain('Who taught this model was not recorded.');
    expect(text).not.toMatch(/undefined|NaN|Infinity/);
    expectInert(report);
  });

  it('work from a summary that went through JSON', () => {
    const input = makeInput({ judged: false, chinese: 3, english: 8 });
    const summary = JSON.parse(JSON.stringify(input.evaluation.summary)) as EvaluationSummary;
    expect(written({ ...input, evaluation: { ...input.evaluation, summary } }).page).toBe(written(input).page);
  });
});

describe('writeReport', () => {
  it('gives the same bytes for the same input', () => {
    const options = { english: 9, chinese: 4 };
    expect(written(makeNewInput(options))).toEqual(written(makeNewInput(options)));
  });

  it('leaves other files alone, and the older report where the new one cannot be made', () => {
    const older = written(makeInput({ english: 6, chinese: 0 }));
    writeFileSync(join(folder, 'report', 'notes.txt'), 'mine');
    const { evaluation, ...input } = makeInput();
    const broken = { ...input, evaluation: { ...evaluation, rows: [{}] } } as unknown as ReportInput;
    expect(() => writeReport(folder, broken)).toThrow(TypeError);
    expect(readFileSync(join(folder, reportFiles.page), 'utf8')).toBe(older.page);
    expect(readdirSync(join(folder, 'report')).sort()).toEqual(['index.html', 'notes.txt', 'report.json', 'report.md']);
  });
});
