import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, describe, expect, it } from 'vitest';
import { tinyModel, understudy } from './program.ts';

const scratch = mkdtempSync(join(tmpdir(), 'understudy-preview-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const data = join(scratch, 'data.jsonl');
const words = ['red', 'blue', 'green'];
writeFileSync(
  data,
  words.map((word) => `${JSON.stringify({ instruction: `Say <${word}>.`, output: `It is ${word}.` })}\n`).join(''),
);
const out = join(scratch, 'page.html');
const preview = (...args: string[]) =>
  // Words alone: where libtorch would be, there is nothing.
  understudy(['data', 'preview', ...args], { env: { UNDERSTUDY_HOME: join(scratch, 'nowhere') } });

describe('data preview', () => {
  it('writes a page of what is trained, with no libtorch', async () => {
    const args = ['--model', tinyModel, '--data', data, '--template', 'chatml', '--rows', '2', '--out', out];
    const { code, stderr } = await preview(...args);
    expect(stderr).toMatch(/page\.html: 3 of 3 rows kept \(0 cut, 0 dropped\), \d+ tokens, \d+ of them trained/);
    expect(code).toBe(0);
    const { document } = parseHTML(readFileSync(out, 'utf8'));
    const articles = [...document.querySelectorAll('article')];
    expect(articles).toHaveLength(2);
    for (const [i, article] of articles.entries()) {
      const texts = [...article.querySelectorAll('.trained')].map(({ textContent }) => textContent);
      expect(texts.join('')).toMatch(new RegExp(`^It is ${words[i]}\\.<[^<>]+>$`));
      expect(article.querySelector('.tokens')?.textContent).toContain(`Say <${words[i]}>.`);
    }
  });

  it('counts by the limit it is given', async () => {
    const args = ['--model', tinyModel, '--data', data, '--template', 'chatml', '--max-tokens', '3', '--out', out];
    const { code, stderr } = await preview(...args);
    expect([code, stderr]).toEqual([0, expect.stringContaining('0 of 3 rows kept (0 cut, 3 dropped), 0 tokens')]);
    expect(readFileSync(out, 'utf8')).toContain('the limit is 3');
  });

  it('shows tokens that training would add, given with spaces or commas between', async () => {
    const template = join(scratch, 'turns.jinja');
    writeFileSync(
      template,
      `{% for message in messages %}{{ '<|turn|>' + message['role'] + ':' + message['content'] + '<|done|>' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|turn|>assistant:' }}{% endif %}`,
    );
    const args = ['--model', tinyModel, '--data', data, '--template', template, '--rows', '1', '--out', out];
    const without = await preview(...args);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('or add its tokens: --add-tokens')]);
    for (const given of [['<|turn|>', '<|done|>'], ['<|turn|>, <|done|>']]) {
      rmSync(out);
      const { code, stderr } = await preview(...args, '--add-tokens', ...given);
      expect([code, stderr]).toEqual([
        0,
        expect.stringContaining('added to the vocabulary: <|turn|> (259), <|done|> (260)'),
      ]);
      const { document } = parseHTML(readFileSync(out, 'utf8'));
      expect(document.querySelector('header')?.textContent).toContain('<|turn|> (259), <|done|> (260)');
      const spans = [...document.querySelectorAll('article .tokens .t')];
      const special = spans.filter(({ classList }) => classList.contains('special'));
      expect(special.map((span) => [span.textContent, span.getAttribute('title')])).toEqual([
        ['<|turn|>', '259'],
        ['<|done|>', '260'],
        ['<|turn|>', '259'],
        ['<|done|>', '260'],
      ]);
      const trained = spans.filter(({ classList }) => classList.contains('trained'));
      expect(trained.map(({ textContent }) => textContent).join('')).toBe('It is red.<|done|>');
    }
    const twice = await preview(...args, '--add-tokens', '<|turn|>,<|turn|>');
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('"<|turn|>" more than once')]);
  });

  it('refuses what training would refuse', async () => {
    const page = join(scratch, 'none.html');
    const noModel = await preview('--model', join(scratch, 'none'), '--data', data, '--out', page);
    expect([noModel.code, noModel.stderr]).toEqual([2, expect.stringContaining('no such model')]);
    const noTemplate = await preview('--model', tinyModel, '--data', data, '--template', 'chatlm', '--out', page);
    expect([noTemplate.code, noTemplate.stderr]).toEqual([2, expect.stringContaining('did you mean chatml?')]);
    const noData = await preview('--model', tinyModel, '--data', join(scratch, 'absent.json'), '--out', page);
    expect([noData.code, noData.stderr]).toEqual([2, expect.stringContaining('absent.json')]);
    const broken = join(scratch, 'broken.json');
    writeFileSync(broken, '[{"instruction":"a","output":7}]');
    const brokenRow = await preview('--model', tinyModel, '--data', broken, '--out', page);
    expect([brokenRow.code, brokenRow.stderr]).toEqual([2, expect.stringContaining('broken.json:0')]);
    expect(existsSync(page)).toBe(false);
  });
});
