/**
 * HTML as chat sites show their answers, back to the Markdown it was made from: `turndown`, with rules for what those
 * pages add. Code blocks lose their header and its copy button and keep their language; formulas come back from the
 * TeX that KaTeX keeps beside them; tables are written with pipes. Characters that Markdown reads as marks are not
 * escaped: whoever wrote the answer did not escape them either. Scripts, styles, buttons and drawings are left out.
 */
import TurndownService from 'turndown';

let service: TurndownService | undefined;

export function htmlToMarkdown(html: string): string {
  service ??= createService();
  return service.turndown(html);
}

/** Whether the whole text is a piece of a page: the tag of a block begins it, and a tag ends it. */
export const isHtml = (text: string): boolean =>
  /^\s*<(?:div|p|pre|[ou]l|h[1-6]|table|blockquote)(?:\s[^<>]*)?>/iu.test(text) && />\s*$/u.test(text);

/** The part of a page's nodes that the rules use; turndown reads HTML with a library of its own. */
interface PageNode {
  readonly nodeName: string;
  readonly className?: string;
  readonly textContent: string | null;
  readonly parentNode: PageNode | null;
  readonly nextSibling: PageNode | null;
  readonly children: ArrayLike<PageNode>;
  getAttribute(name: string): string | null;
  querySelector(selector: string): PageNode | null;
}

function createService(): TurndownService {
  const made = new TurndownService({ headingStyle: 'atx', codeBlockStyle: 'fenced', emDelimiter: '*', hr: '---' });
  made.escape = (text) => text;
  made.remove(['button', 'script', 'style', 'title']);
  const rule = (
    name: string,
    filter: TurndownService.Filter,
    replacement: (content: string, node: PageNode) => string,
  ): void => {
    made.addRule(name, { filter, replacement: (content, node) => replacement(content, node as unknown as PageNode) });
  };
  rule(
    'svg',
    (node) => node.nodeName.toLowerCase() === 'svg',
    () => '',
  );
  rule('code block', 'pre', (_, node) => codeBlock(node));
  rule(
    'formula',
    (node) => tex(node as unknown as PageNode) !== undefined,
    (_, node) => formula(node),
  );
  rule('list item', 'li', listItem);
  rule('table cell', ['th', 'td'], (content) => ` ${cell(content)} |`);
  rule('table row', 'tr', tableRow);
  rule('table section', ['thead', 'tbody', 'tfoot'], (content) => content);
  rule('table', 'table', (content) => `\n\n${content.trim()}\n\n`);
  return made;
}

function codeBlock(node: PageNode): string {
  const code = node.querySelector('code') ?? node;
  const text = (code.textContent ?? '').replace(/\n$/, '');
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `\n\n${fence}${codeLanguage(node, code)}\n${text}\n${fence}\n\n`;
}

/** From the class that highlighters set, else from the header above the code. */
function codeLanguage(node: PageNode, code: PageNode): string {
  const [, fromClass] = /\blanguage-([\w+#.-]+)/.exec(code.className ?? '') ?? [];
  if (fromClass) return fromClass;
  const header = node.querySelector('span');
  const isInCode = header !== null && code !== node && code.querySelector('span') === header;
  const name = header?.textContent?.trim() ?? '';
  return !isInCode && code !== node && /^[\w+#.-]{1,20}$/.test(name) ? name : '';
}

function tex(node: PageNode): string | undefined {
  const isFormula = node.nodeName === 'SPAN' && /\b(?:katex|math)\b/.test(node.className ?? '');
  return isFormula ? (node.querySelector('annotation')?.textContent?.trim() ?? undefined) : undefined;
}

function formula(node: PageNode): string {
  const isDisplay = /\b(?:math-display|katex-display)\b/.test(node.className ?? '');
  return isDisplay ? `\n\n$$\n${tex(node)}\n$$\n\n` : `$${tex(node)}$`;
}

/** One space after the mark, and none on empty lines. */
function listItem(content: string, node: PageNode): string {
  const list = node.parentNode;
  const first = Number(list?.getAttribute('start') ?? 1);
  const place = Array.from(list?.children ?? []).indexOf(node);
  const mark = list?.nodeName === 'OL' ? `${first + place}. ` : '- ';
  const isLoose = /\n\s*$/.test(content);
  const text = content.trim().replace(/\n(?!\n|$)/g, `\n${' '.repeat(mark.length)}`);
  return `${mark}${text}${node.nextSibling ? (isLoose ? '\n\n' : '\n') : ''}`;
}

const cell = (content: string): string =>
  content
    .trim()
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|');

function tableRow(content: string, node: PageNode): string {
  let table = node.parentNode;
  while (table && table.nodeName !== 'TABLE') table = table.parentNode;
  // Markdown has no table without a heading: the first row is it.
  const isFirst = table?.querySelector('tr') === node;
  return `\n|${content}${isFirst ? `\n|${' --- |'.repeat(node.children.length)}` : ''}`;
}
