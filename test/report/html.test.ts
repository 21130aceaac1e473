import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { escapeHtml, type Html, type HtmlValue, html, trusted } from '../../src/report/html.ts';

describe('html', () => {
  it('escapes text, and attribute values in either kind of quotes', () => {
    const hostile = `"><script>alert('1')</script>&amp;`;
    const { markup } = html`<p title="${hostile}" lang='${hostile}'>${hostile}</p>`;
    const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;';
    expect(markup).toBe(`<p title="${escaped}" lang='${escaped}'>${escaped}</p>`);
    const paragraph = parseHTML(`<body>${markup}</body>`).document.querySelector('p')!;
    expect(paragraph.textContent).toBe(hostile);
    expect(paragraph.getAttribute('title')).toBe(hostile);
    expect(paragraph.getAttribute('onload')).toBeNull();
  });

  it('leaves alone what it made, also in lists, and escapes the text beside it', () => {
    const items = ['a<b', html`<b>${'c&d'}</b>`];
    expect(html`<p>${items}${1.5}${trusted('<svg/>')}</p>`.markup).toBe('<p>a&lt;b<b>c&amp;d</b>1.5<svg/></p>');
  });

  it('takes no object out of data for its own', () => {
    const forged = JSON.parse('{"markup":"<script>","made by html":true}') as HtmlValue;
    expect(() => html`<p>${forged}</p>`).toThrow('expected text');
    const lookalike = { [Symbol('made by html')]: true, markup: '<script>' } as unknown as Html;
    expect(() => html`<p>${lookalike}</p>`).toThrow('expected text');
  });

  it('refuses an attribute value without quotes, but not an equals sign in text', () => {
    expect(() => html`<p class=${'x onload=alert(1)'}>`).toThrow('needs quotes');
    expect(html`<p>n = ${3}</p>`.markup).toBe('<p>n = 3</p>');
  });

  it('shows characters that HTML forbids as replacements', () => {
    expect(escapeHtml('a\u0000b\u001bc\td\ne\u007f')).toBe('a\uFFFDb\uFFFDc\td\ne\uFFFD');
  });
});
