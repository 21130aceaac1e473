import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { previewTokens } from '../../recipes/preview.ts';
import type { Message } from '../../src/base/message.ts';
import { encodeDocuments } from '../../src/data/pack.ts';
import type { Conversation } from '../../src/data/records.ts';
import { type PreviewInput, previewPage } from '../../src/report/preview.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { byteTokenizer } from '../text/byte-tokenizer.ts';

const tokenizer = byteTokenizer();
const template = loadChatTemplate('', tokenizer, 'chatml');
const turns = (...contents: string[]): Message[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
const conversation = (id: string, ...contents: string[]): Conversation => ({
  id,
  messages: turns(...contents),
  provenance: { source: 'imported' },
});

function inputOf(conversations: readonly Conversation[], maxTokens = 1000): PreviewInput {
  const { documents, receipt } = encodeDocuments(conversations, tokenizer, template, maxTokens);
  const rows = documents.map((document) => ({ id: document.id, tokens: previewTokens(document, tokenizer) }));
  return { files: ['data.json'], model: 'tiny', template: template.name, maxTokens, receipt, rows };
}
type Page = ReturnType<typeof parseHTML>['document'];
const pageOf = (...conversations: Conversation[]) => parseHTML(previewPage(inputOf(conversations))).document;
const tokensOf = (page: Page) => [...page.querySelectorAll('article .tokens .t')];
/** Runs of tokens that are marked alike, with their text. */
const runsOf = (spans: ReturnType<typeof tokensOf>): [isTrained: boolean, text: string][] => {
  const runs: [boolean, string][] = [];
  for (const span of spans) {
    const isTrained = span.classList.contains('trained');
    const last = runs.at(-1);
    if (last && last[0] === isTrained) last[1] += span.textContent;
    else runs.push([isTrained, span.textContent ?? '']);
  }
  return runs;
};

describe('previewPage', () => {
  it('marks exactly the answers and the tokens that end them', () => {
    const document = pageOf(conversation('a', 'Hi?', 'Hello.\nYou', 'More', 'No'));
    expect(runsOf(tokensOf(document))).toEqual([
      [false, '<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n'],
      [true, 'Hello.\nYou<|im_end|>'],
      [false, '\n<|im_start|>user\nMore<|im_end|>\n<|im_start|>assistant\n'],
      [true, 'No<|im_end|>'],
      [false, '\n'],
    ]);
  });

  it('has one element a token, with its id; special tokens and line ends stand out', () => {
    const document = pageOf(conversation('a', 'Hi', 'O\tk'));
    const spans = tokensOf(document);
    const { ids } = encodeDocuments([conversation('a', 'Hi', 'O\tk')], tokenizer, template, 99).documents[0]!;
    expect(spans.map((span) => Number(span.getAttribute('title')))).toEqual(ids);
    const special = spans.filter((span) => span.classList.contains('special'));
    expect(special.map(({ textContent }) => textContent)).toEqual(
      ['start', 'end', 'start', 'end'].map((which) => `<|im_${which}|>`),
    );
    const lines = document.querySelectorAll('article i.line');
    expect([...lines].map(({ textContent }) => textContent)).toEqual(['\n', '\n', '\n', '\n']);
    expect(document.querySelector('article i.tab')?.textContent).toBe('\t');
  });

  it('gives a character of several tokens to the last of them, and never across the edge of an answer', () => {
    // Three bytes each: 你 is E4 BD A0. U+FFFD itself looks like an unfinished one.
    const spans = tokensOf(pageOf(conversation('a', '你', '你\uFFFD')));
    const texts = spans.map((span) => [span.textContent, span.classList.contains('part')]);
    const at = texts.findIndex(([text]) => text === '你');
    expect(texts.slice(at - 2, at + 1)).toEqual([
      ['', true],
      ['', true],
      ['你', false],
    ]);
    expect(runsOf(spans).filter(([isTrained]) => isTrained)).toEqual([[true, '你\uFFFD<|im_end|>']]);
    expect(spans.filter((span) => span.classList.contains('special')).map(({ textContent }) => textContent)).toEqual(
      ['start', 'end', 'start', 'end'].map((which) => `<|im_${which}|>`),
    );
  });

  it('shows hostile text as text: no element, no attribute, no request comes of it', () => {
    const hostile = `</span></style><script>alert(1)</script><img src=x onerror="alert(2)">"'&amp;`;
    const input = inputOf([conversation(`id${hostile}`, hostile, hostile)]);
    const document = parseHTML(previewPage({ ...input, files: [hostile], model: hostile, template: hostile })).document;
    expect(document.querySelectorAll('script, img, link, iframe, object, [src], [onerror], a[href]')).toHaveLength(0);
    expect(document.querySelectorAll('style')).toHaveLength(1);
    expect(runsOf(tokensOf(document))[1]).toEqual([true, `${hostile}<|im_end|>`]);
    expect(document.querySelector('article h3')?.textContent).toMatch(`id${hostile} · `);
  });

  it('lets a browser load nothing, and has both sets of colours', () => {
    const page = previewPage(inputOf([conversation('a', 'b', 'c')]));
    expect(page).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;">`,
    );
    expect(page).not.toMatch(/url\(|@import|https?:/);
    expect(page).toMatch(/color-scheme: light dark/);
    expect(page.match(/--trained: #/g)).toHaveLength(3); // light, dark, paper
  });

  it('counts all rows, and says which were cut or dropped and why', () => {
    const input = inputOf(
      [
        conversation('whole', 'Hi', 'Ho'),
        conversation('long', 'x'.repeat(60), 'y'),
        conversation('turns', 'Hi', 'Ho', 'z'.repeat(60), 'Hu'),
        conversation('empty', 'Hi', ''),
      ],
      50,
    );
    const document = parseHTML(previewPage({ ...input, rows: input.rows.slice(0, 1) })).document;
    const cells = [...document.querySelectorAll('tbody tr')].map((row) => row.textContent?.trim().replace(/\s+/g, ' '));
    // `S user \n Hi E \n` is 10 tokens, `S assistant \n` 11, an answer of two letters with `E` 3, `\n` 1: twice 25, and 23
    // where the answer is empty and its end alone is trained.
    expect(cells).toEqual([
      'Rows4',
      'Kept3 of 4 (75.0 %)',
      'Cut1 of 4 (25.0 %)',
      'Dropped1 of 4 (25.0 %)',
      'Tokens73',
      'Trained tokens7 of 73 (9.6 %)',
      'Tokens of a mean row24.3',
    ]);
    const text = [...document.querySelectorAll('details li')].map(({ textContent }) => textContent);
    expect(text).toEqual([
      expect.stringMatching(/^row 1: long: \d+ tokens, the limit is 50$/),
      expect.stringMatching(/^row 2: turns: cut from \d+ to 25 tokens/),
    ]);
    expect(document.querySelectorAll('article')).toHaveLength(1);
    expect(document.querySelector('#rows p')?.textContent).toMatch(/^The first 1 of 3 rows\./);
  });

  it('says so where nothing is left', () => {
    const document = parseHTML(previewPage(inputOf([conversation('a', 'b', 'c')], 2))).document;
    expect(document.querySelector('#rows p')?.textContent).toMatch(/^No row is left to show\./);
  });
});
