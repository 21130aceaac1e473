import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, describe, expect, it } from 'vitest';
import { type EvaluationSummary, summarize } from '../../src/evaluate/summary.ts';
import { headlineFigures, headlineRows } from '../../src/report/headline.ts';
import type { ReportInput } from '../../src/report/report-input.ts';
import { reportFiles, reportOfRun, writeReport } from '../../src/report/write-report.ts';
import { makeInput, makeNewInput } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'report-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Written = Readonly<Record<keyof typeof reportFiles, string>>;

function written(input: ReportInput): Written {
  writeReport(folder, reportOfRun(input));
  const read = (name: keyof typeof reportFiles) => readFileSync(join(folder, reportFiles[name]), 'utf8');
  return { page: read('page'), markdown: read('markdown'), json: read('json'), csv: read('csv') };
}

const documentOf = ({ page }: Written) => parseHTML(page).document;
/** What is read without opening rows. */
const textOf = (report: Written) =>
  ['header', 'main', 'footer']
    .map((name) => documentOf(report).querySelector(name)!.textContent)
    .join(' ')
    .replace(/\s+/g, ' ');

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

const hashOf = (content: string) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;

/** What a browser could run, follow or fetch: the one script that the policy names by its hash, and nothing of the data's. */
function expectInert(report: Written): void {
  const document = documentOf(report);
  expect([...document.querySelectorAll('link, img, iframe, object, embed, base, form, use, image')]).toEqual([]);
  const scripts = [...document.querySelectorAll('script')];
  for (const { attributes } of scripts) expect([...attributes].map(({ name }) => name).join()).toMatch(/^(|type,id)$/);
  const run = scripts.filter((script) => script.getAttribute('type') !== 'application/json');
  expect(run).toHaveLength(1);
  const policy = document.querySelector('meta[http-equiv]')!.getAttribute('content')!;
  const between = (tag: string) => report.page.split(`<${tag}>`).at(-1)!.split(`</${tag}>`)[0]!;
  expect(policy).toBe(
    `default-src 'none'; script-src ${hashOf(between('script'))}; style-src ${hashOf(between('style'))}; ` +
      "img-src data:; base-uri 'none'; form-action 'none'",
  );
  for (const element of document.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      expect(name, `<${element.localName} ${name}>`).not.toMatch(/^on|^src|^xlink|^action|^style$/);
      if (name === 'href') expect(value).toMatch(/^#[a-z]+$|^#rows=[\w-]+(&[\w-]+=[\w%.!~*()-]*)*$/);
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
    expect(report.page).toMatch(/^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
    expect(report.page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//);
  });

  it('shows hostile text from every field and runs none of it', () => {
    const report = written(hostileInput());
    expectInert(report);
    expect(report.page).not.toContain('<script src');
    expect(report.page).not.toMatch(/<\/textarea><\/style>/);
    const answers = [...documentOf(report).querySelectorAll('.answers .before .words')];
    expect(answers).toHaveLength(12);
    for (const { textContent } of answers) expect(textContent).toBe(hostile);
    expect(documentOf(report).querySelector('h1')!.textContent).toBe(hostile);
  });

  it('leads every link to a place in itself', () => {
    const document = documentOf(written(makeInput()));
    const links = [...document.querySelectorAll('a')].map((link) => link.getAttribute('href')!);
    expect(links.length).toBeGreaterThan(10);
    const sets = (JSON.parse(document.getElementById('row-sets')!.textContent!) as { id: string }[]).map(
      ({ id }) => id,
    );
    for (const link of links) {
      const set = /^#rows=([\w-]+)/.exec(link)?.[1];
      if (set === undefined) expect(document.querySelector(`[id="${link.slice(1)}"]`), link).not.toBeNull();
      else expect(sets, link).toContain(set);
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has every sentence on who taught whom before any figure, and every question among the rows', () => {
    const input = makeInput();
    const report = written(input);
    for (const sentence of input.provenance) {
      expect(report.page.indexOf(sentence)).toBeGreaterThan(0);
      expect(report.page.indexOf(sentence)).toBeLessThan(report.page.indexOf('<main>'));
    }
    const samples = [...documentOf(report).querySelectorAll('.sample')];
    expect(samples).toHaveLength(12);
    const rows = JSON.parse(documentOf(report).getElementById('rows-run-1-questions')!.textContent!) as {
      id: string;
    }[];
    expect(rows.map(({ id }) => id)).toEqual(input.evaluation.rows.map(({ id }) => id));
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

const inputOf = ({ json }: Written) => (JSON.parse(json) as { sources: ReportInput[] }).sources[0]!;

describe('report.json', () => {
  it('holds all figures and rows unrounded, and the headline', () => {
    const input = makeInput();
    const { format, sources } = JSON.parse(written(input).json) as {
      format: string;
      sources: Record<string, unknown>[];
    };
    const json = sources[0]!;
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
    expect(format).toBe('understudy-report/2');
  });

  it('names numbers that JSON does not know, and leaves out what was not measured', () => {
    const input = makeInput({ english: 1, chinese: 0, judged: false, steps: 2 });
    const log = input.training.log.map((row) => ({ ...row, gradNorm: Number.POSITIVE_INFINITY, loss: Number.NaN }));
    const report = written({ ...input, training: { ...input.training, log } });
    const json = inputOf(report);
    expect(json.training.log[0]).toMatchObject({ gradNorm: 'Infinity', loss: 'NaN' });
    expect(Object.keys(json.evaluation.rows[0]!)).not.toContain('teacherBefore');
    expect(textOf(report)).toContain('2 steps without a finite loss not drawn');
  });

  it('loses credentials in the configuration, in all files', () => {
    const config = { teacher: { apiKey: 'abcdef123456', nested: ['sk-abcdefghijklmnop'], model: 'm' } };
    const report = written({ ...makeInput({ english: 1, chinese: 0 }), config });
    for (const text of Object.values(report)) expect(text).not.toMatch(/abcdef123456|abcdefghijklmnop/);
    expect(inputOf(report).config).toEqual({
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
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const { evaluation, ...input } = makeInput();
    const broken = { ...input, evaluation: { ...evaluation, rows: [{}] } } as unknown as ReportInput;
    expect(() => writeReport(folder, reportOfRun(broken))).toThrow(TypeError);
    expect(readFileSync(join(folder, reportFiles.page), 'utf8')).toBe(older.page);
    expect(readdirSync(folder).sort()).toEqual(['figures.csv', 'index.html', 'notes.txt', 'report.json', 'report.md']);
  });
});
