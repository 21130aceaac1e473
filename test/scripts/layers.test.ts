import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { script } from './script.ts';

const { findImports } = (await import(script('imports.mjs'))) as {
  findImports(source: string): { specifier: string; line: number; typeOnly: boolean }[];
};
const { checkLayers } = (await import(script('check-layers.mjs'))) as { checkLayers(root: string): string[] };
const { layerOf, layersMarkdown } = (await import(script('layers.mjs'))) as {
  layerOf(path: string): string | undefined;
  layersMarkdown(): string;
};

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'layers-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

describe('findImports', () => {
  it('finds every form, with its line', () => {
    const source = [
      "import './a.ts';",
      "import b, { type B } from './b.ts';",
      'import {',
      '  c,',
      '} from "./c.ts";',
      "import * as d from './d.ts'",
      "import type { E } from './e.ts';",
      "import { type F, type G } from './f.ts';",
      "export * from './g.ts';",
      "export type { H } from './h.ts';",
      "export { i } from './i.ts';",
      "const j = await import('./j.ts');",
      "type K = typeof import('./k.ts');",
    ].join('\n');
    expect(findImports(source)).toEqual([
      { specifier: './a.ts', line: 1, typeOnly: false },
      { specifier: './b.ts', line: 2, typeOnly: false },
      { specifier: './c.ts', line: 3, typeOnly: false },
      { specifier: './d.ts', line: 6, typeOnly: false },
      { specifier: './e.ts', line: 7, typeOnly: true },
      { specifier: './f.ts', line: 8, typeOnly: true },
      { specifier: './g.ts', line: 9, typeOnly: false },
      { specifier: './h.ts', line: 10, typeOnly: true },
      { specifier: './i.ts', line: 11, typeOnly: false },
      { specifier: './j.ts', line: 12, typeOnly: false },
      { specifier: './k.ts', line: 13, typeOnly: true },
    ]);
  });

  it('is not fooled by comments, strings, templates and regular expressions', () => {
    const source = [
      "// import './no.ts'",
      "/* import './no.ts';\n import './no.ts' */",
      'const text = "import \'./no.ts\'";',
      'const many = `',
      "import './no.ts';",
      `\${text + \`\${await import('./inside.ts')}\`} import './no.ts'\`;`,
      'const quote = /[\'"`/]/.exec(text);',
      'const half = (1 + 2) / 3;',
      'const address = "https://x/";',
      'export const from = "./no.ts";',
      "import './yes.ts';",
    ].join('\n');
    expect(findImports(source).map(({ specifier }) => specifier)).toEqual(['./inside.ts', './yes.ts']);
    expect(findImports(source).at(-1)?.line).toBe(12);
  });
});

describe('checkLayers', () => {
  it('is content with arrows of the table', () => {
    plant({
      'src/base/a.ts': '',
      'src/data/b.ts': "import { a } from '../base/a.ts';\nimport './c.ts';\nimport { z } from 'zod';",
      'src/data/c.ts': '',
      'recipes/sft.ts': "import '../src/data/b.ts';",
      'cli/main.ts': "const sft = () => import('../recipes/sft.ts');",
      'studio/server/app.ts': "import '../protocol.ts';\nimport '../../src/base/a.ts';",
      'studio/web/main.tsx': "import type { P } from '../protocol.ts';",
      'studio/protocol.ts': '',
      'test/anything.ts': "import '../src/torch/none.ts';",
    });
    expect(checkLayers(root)).toEqual([]);
  });

  it('names a wrong arrow with file and line, and what would be right', () => {
    plant({
      'src/text/a.ts': '\n\nimport { b } from "../data/b.ts";\n',
      'src/data/b.ts': "import type { C } from '../evaluate/c.ts';",
      'src/evaluate/c.ts': '',
      'src/base/d.ts': "export * from '../../assets/prices.json';",
    });
    expect(checkLayers(root)).toEqual([
      'src/base/d.ts:1: base may not import what is in no layer (assets/prices.json); it may import nothing',
      'src/data/b.ts:1: (types only) data may not import evaluate (src/evaluate/c.ts); it may import base, text',
      'src/text/a.ts:3: text may not import data (src/data/b.ts); it may import base',
    ]);
  });

  it('shows how the words half reaches the addon in two steps', () => {
    plant({
      'src/run/a.ts': "\nimport { b } from '../base/b.ts';",
      'src/base/b.ts': "export const b = () => import('../native/addon.ts');",
      'src/native/addon.ts': '',
    });
    const problems = checkLayers(root);
    expect(problems).toContain(
      'src/run/a.ts: the words half reaches native: src/run/a.ts:2: → src/base/b.ts, src/base/b.ts:1: → src/native/addon.ts',
    );
    expect(problems).toHaveLength(2);
  });

  it('wants every file in a layer', () => {
    plant({ 'src/odd/a.ts': '', 'src/base/b.ts': "import '../odd/a.ts';" });
    expect(checkLayers(root)).toEqual([
      'src/odd/a.ts: in no layer; put it into one, or give its folder one in scripts/layers.mjs',
      'src/base/b.ts:1: base may not import what is in no layer (src/odd/a.ts); it may import nothing',
    ]);
  });
});

describe('the table', () => {
  it('knows the layer of a path', () => {
    expect(layerOf('src/base/rng.ts')).toBe('base');
    expect(layerOf('src/base.ts')).toBeUndefined();
    expect(layerOf('recipes/index.ts')).toBe('recipes');
    expect(layerOf('studio/protocol.ts')).toBe('studio/protocol');
    expect(layerOf('studio/server/app.ts')).toBe('studio/server');
    expect(layerOf('test/base/rng.test.ts')).toBeUndefined();
  });

  it('prints as Markdown', () => {
    const lines = layersMarkdown().split('\n');
    expect(lines.slice(0, 2)).toEqual(['| folder | may import |', '|---|---|']);
    expect(lines).toContain('| run, text, teacher, hub, native | base |');
    expect(lines).toContain('| cli | src recipes studio/server |');
  });
});
