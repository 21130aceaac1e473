import { describe, expect, test } from 'vitest';
import { htmlToMarkdown, isHtml } from '../../src/data/html-to-markdown.ts';

describe('htmlToMarkdown', () => {
  test.each<[string, string, string]>([
    [
      'text and marks, nothing escaped',
      '<div class="markdown prose dark"><p>Use <code>snake_case</code>, <strong>not</strong> <em>camel</em>: a_b * 2 &lt; 3 &amp; 4.</p><p>1. no list</p></div>',
      'Use `snake_case`, **not** *camel*: a_b * 2 < 3 & 4.\n\n1. no list',
    ],
    ['headings and rules', '<h2>Two</h2><hr><h4>Four</h4>', '## Two\n\n---\n\n#### Four'],
    [
      'a code block with a header and a copy button',
      '<pre><div class="bg-black rounded-md"><div class="flex items-center"><span>python</span><button class="ml-auto"><svg><path d="M1"></path></svg>Copy code</button></div><div class="p-4"><code class="!whitespace-pre hljs language-python"><span class="hljs-keyword">def</span> f(x):\n\n    <span class="hljs-keyword">return</span> x &lt; 1\n</code></div></div></pre>',
      '```python\ndef f(x):\n\n    return x < 1\n```',
    ],
    [
      'the language of the header, where no class says it',
      '<pre><div><div><span>bash</span><button>Copy code</button></div><code class="hljs">ls <span>-l</span></code></div></pre>',
      '```bash\nls -l\n```',
    ],
    ['no language', '<pre><code>a <span>b</span></code></pre><pre>bare</pre>', '```\na b\n```\n\n```\nbare\n```'],
    ['backticks in code', '<pre><code>```\nx\n```</code></pre>', '````\n```\nx\n```\n````'],
    [
      'lists in lists, tight and loose, from any number',
      '<ol start="3">\n<li>three</li>\n<li>four<ul><li>a</li><li>b</li></ul></li>\n</ol><ul><li><p>one</p></li><li><p>two</p><pre><code>x\n\ny</code></pre></li></ul>',
      '3. three\n4. four\n   - a\n   - b\n\n- one\n\n- two\n\n  ```\n  x\n\n  y\n  ```',
    ],
    [
      'tables',
      '<table><thead><tr><th>A</th><th>乙</th></tr></thead><tbody><tr><td>1|2</td><td>x<br>y</td></tr><tr><td></td><td><code>z</code></td></tr></tbody></table>',
      '| A | 乙 |\n| --- | --- |\n| 1\\|2 | x y |\n|  | `z` |',
    ],
    [
      'formulas out of their TeX',
      '<p>Here <span class="math math-inline"><span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow><annotation encoding="application/x-tex">x^2</annotation></semantics></math></span><span class="katex-html">x2</span></span></span> is</p><span class="math math-display"><span class="katex-display"><math><semantics><annotation encoding="application/x-tex">\\frac{a}{b}</annotation></semantics></math></span></span>',
      'Here $x^2$ is\n\n$$\n\\frac{a}{b}\n$$',
    ],
    [
      'links, pictures, quotes',
      '<p><a href="https://a.b/c">here</a> <img src="p.png" alt="a picture"></p><blockquote><p>引用</p></blockquote>',
      '[here](https://a.b/c) ![a picture](p.png)\n\n> 引用',
    ],
    ['what is no text', '<p>a<script>alert(1)</script><style>p{}</style><button>Copy</button>b</p>', 'ab'],
  ])('%s', (_, html, markdown) => {
    expect(htmlToMarkdown(html)).toBe(markdown);
  });
});

test.each<[string, boolean]>([
  ['<p>Yes.</p>', true],
  [' \n<div class="markdown"><p>Yes.</p></div>\n', true],
  ['<ol start="2"><li>x</li></ol>', true],
  ['Yes.', false],
  ['<p>Yes.</p> and no', false],
  ['Use <p>this</p>', false],
  ['<script>x</script>', false],
  ['<!DOCTYPE html><html></html>', false],
  ['<picture></picture>', false],
  ['<p is what you write>', true],
])('%j is HTML: %s', (text, expected) => {
  expect(isHtml(text)).toBe(expected);
});
