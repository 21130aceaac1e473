import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../recipes/report.ts';
import { readSource, withJudge } from '../../recipes/report-sources.ts';
import { sha256 } from '../../src/base/hash.ts';
import { toJsonl } from '../../src/base/jsonl.ts';
import type { FigureRecord } from '../../src/report/figures.ts';
import type { PeopleInput, Source } from '../../src/report/report-input.ts';
import { automaticSource, judgeSource, peopleSource, rougeSource } from './evaluations-fixture.ts';
import { makeInput } from './fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'report-sources-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (...names: string[]) => join(scratch, ...names);

function write(path: string, content: unknown): void {
  mkdirSync(join(path, '..'), { recursive: true });
  const text =
    typeof content === 'string'
      ? content
      : path.endsWith('.jsonl')
        ? toJsonl(content as unknown[])
        : JSON.stringify(content);
  writeFileSync(path, text);
}

function writeRun(name: string, seed: number): void {
  const { title, finishedAt, provenance, versions, config, data, training, evaluation, costs } = makeInput({
    english: 8,
    chinese: 3,
  });
  const stages = { data: 'data-1', sft: 'sft-1', evaluate: 'evaluate-1' };
  const { log, documents, cut, dropped, ...sft } = training;
  write(at(name, 'run.json'), {
    config: { ...(config as object), name: title, about: provenance, seed },
    versions,
    finishedAt,
    stages,
    costs,
  });
  write(at(name, 'data-1', 'statistics.json'), data);
  write(at(name, 'data-1', 'train-data.jsonl'), [
    {
      id: 'd1',
      language: 'en',
      category: 'code',
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Ho' },
      ],
      provenance: { teacher: 't' },
    },
    {
      messages: [
        { role: 'system', content: 'S' },
        { role: 'user', content: 'U' },
        { role: 'assistant', content: 'A' },
      ],
    },
  ]);
  write(at(name, 'sft-1', 'sft.json'), {
    ...sft,
    receipt: { kept: documents, cut: Array(cut).fill({}), dropped: Array(dropped).fill({}) },
  });
  write(at(name, 'sft-1', 'train.jsonl'), log);
  write(at(name, 'evaluate-1', 'rows.jsonl'), evaluation.rows);
}

function inputOf<Kind extends Source['kind']>(source: Source, kind: Kind): Extract<Source, { kind: Kind }>['input'] {
  expect(source.kind).toBe(kind);
  return source.input as never;
}

const judge = inputOf(judgeSource('reference'), 'judge');
const people = inputOf(peopleSource(), 'people');
const read = (path: string, reader?: (folder: string) => Omit<PeopleInput, 'knownSet'>) =>
  readSource(path, 'named', { out: at('out'), people: reader });

beforeAll(() => {
  writeRun('run-a', 1);
  writeRun('run-b', 7);
  const questions = [...judge.turns!].map(([key, { prompt }]) => ({
    question_id: Number(key.split(' ')[0]),
    category: 'generic',
    text: prompt,
  }));
  write(at('files', 'questions.jsonl'), questions);
  const answers = judge.results.settings.models.map((model) => {
    const file = at('files', `${model}.jsonl`);
    write(
      file,
      [...judge.turns!].map(([key, turn]) => ({ question_id: Number(key.split(' ')[0]), text: turn.answers[model]! })),
    );
    return { model, file, sha256: sha256(readFileSync(file)), missing: [] };
  });
  const questionFile = at('files', 'questions.jsonl');
  const files = { questions: { file: questionFile, sha256: sha256(readFileSync(questionFile)) }, answers };
  write(at('judged', 'summary.json'), { ...judge.results, files });
  write(at('judged', 'rows.jsonl'), judge.rows);
  const { summary, rows } = inputOf(automaticSource(), 'automatic');
  write(at('automatic', 'summary.json'), summary);
  for (const name of ['loss', 'exact', 'choice'] as const) write(at('automatic', `${name}.jsonl`), rows[name]);
  write(at('compared', 'summary.json'), makeInput({ english: 8, chinese: 3 }).evaluation.summary);
  write(at('compared', 'rows.jsonl'), makeInput({ english: 8, chinese: 3 }).evaluation.rows);
  write(at('answers.json'), inputOf(rougeSource('answers'), 'rouge').result);
  write(at('study', 'study.sqlite'), '');
});

describe('readSource', () => {
  it('knows a run, with its rows and what it was trained on', () => {
    const source = read(at('run-a'));
    const input = inputOf(source, 'run');
    expect(input.evaluation.rows).toHaveLength(11);
    expect(input.dataRows).toEqual([
      { id: 'd1', language: 'en', category: 'code', teacher: 't', prompt: 'Hi', answer: 'Ho' },
      {
        id: '2',
        language: 'unknown',
        category: 'unknown',
        teacher: 'unknown',
        prompt: '[system] S\n\n[user] U',
        answer: 'A',
      },
    ]);
    expect(source.files['questions']).toBe(join('..', 'run-a', 'evaluate-1', 'rows.jsonl'));
  });

  it('knows a judge’s results, with the answers as long as their files are the same', () => {
    const input = inputOf(read(at('judged')), 'judge');
    expect(input.turns).toEqual(judge.turns);
    expect(input.rows).toEqual(judge.rows);
    const file = at('files', 'tutor.jsonl');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, `${before}\n`);
    expect(inputOf(read(at('judged')), 'judge').turns).toBeUndefined();
    writeFileSync(file, before);
  });

  it('knows automatic results, comparisons, ROUGE as it was printed, and studies', () => {
    expect(inputOf(read(at('automatic')), 'automatic').rows.exact).toHaveLength(24);
    expect(inputOf(read(at('compared')), 'comparison').rows).toHaveLength(11);
    expect(inputOf(read(at('answers.json')), 'rouge').result.all.n).toBe(40);
    const { knownSet: _, ...study } = people;
    expect(
      inputOf(
        read(at('study'), () => study),
        'people',
      ).votes,
    ).toBe(people.votes);
  });

  it('says what it knows where it knows nothing', () => {
    expect(() => read(scratch)).toThrow('holds no finished run, and no results of an evaluation');
    expect(() => read(at('nowhere'))).toThrow('no such file or folder');
    expect(() => read(at('automatic', 'summary.json'))).toThrow('holds no results of `evaluate rouge --json`');
  });
});

describe('withJudge', () => {
  const item = (modelA: string, modelB: string, question = '1'): PeopleInput['items'][number] => ({
    ...people.items[0]!,
    ...{ id: 'item', modelA, modelB, question: { id: question, language: 'en', text: '' } },
  });
  const study = (own: PeopleInput['items'][number]): Source => ({
    ...peopleSource(),
    kind: 'people',
    input: { ...people, items: [own], votes: [{ ...people.votes[0]!, item: 'item', choice: 'lose' }] },
  });
  const agreement = (own: PeopleInput['items'][number]) => {
    const [, second] = withJudge([read(at('judged')), study(own)], [at('judged'), at('study')]);
    return inputOf(second!, 'people').results.judge;
  };

  it('holds people against the judge where it compared the same models', () => {
    expect(agreement(item('student', 'ChatGPT'))).toMatchObject([
      { criterion: 'helpful', items: 1, withoutVerdict: 0 },
    ]);
    const [, second] = withJudge([read(at('judged')), study(item('student', 'ChatGPT'))], [at('judged'), at('study')]);
    expect([...inputOf(second!, 'people').verdicts!.keys()]).toEqual(['item']);
    // Never against each other, and a question that was not judged.
    expect(agreement(item('student', 'tutor'))).toBeUndefined();
    expect(agreement(item('student', 'ChatGPT', 'q-99'))).toBeUndefined();
  });
});

describe('a report of several', () => {
  it('has all on one page, in both languages, with every figure as data', () => {
    const out = at('out');
    const reader = () => ({ ...people, votes: people.votes });
    const paths = ['run-a', 'run-b', 'judged', 'automatic', 'compared', 'answers.json', 'study'].map((name) =>
      at(name),
    );
    expect(run(paths, { out, people: reader })).toBe(join(out, 'index.html'));
    const english = readFileSync(join(out, 'index.html'), 'utf8');
    for (const words of [
      'Runs against each other',
      'Judge: judged',
      'Automatic: automatic',
      'People: study',
      'run-b',
      'Settings that differ',
    ]) {
      expect(english).toContain(words);
    }
    const { figures } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as { figures: FigureRecord[] };
    expect(readFileSync(join(out, 'figures.csv'), 'utf8').split('\r\n')).toHaveLength(figures.length + 2);
    expect(figures.find(({ part, column }) => part === 'judge-3' && column === 'student : ChatGPT')!.file).toBe(
      '../judged/rows.jsonl',
    );
    run(paths, { out, people: reader, language: 'zh' });
    const chinese = readFileSync(join(out, 'index.html'), 'utf8');
    expect(chinese).toMatch(/^<!doctype html>\n<html lang="zh-Hans">/);
    for (const words of ['运行之间的对比', '评判模型：judged', '人工评审：study']) expect(chinese).toContain(words);
    // The judge's verdicts on the study's own items would stand here; this judge saw other models.
    expect(english).not.toContain('People’s majority against the judge');
  });

  it('refuses what would be no report', () => {
    expect(() => run([at('run-a'), at('run-b')])).toThrow('expected --out');
    expect(() => run([at('run-a'), `${at('run-a')}/`], { out: at('x') })).toThrow('each folder once');
    expect(() => run([])).toThrow('got none');
  });

  it('goes into the folder of the one it is about', () => {
    expect(run(at('run-a'))).toBe(at('run-a', 'report', 'index.html'));
  });
});
