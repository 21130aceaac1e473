import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { script } from './script.ts';

const { checkSignatures } = (await import(script('check-signatures.mjs'))) as {
  checkSignatures(root: string): string[];
};

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'signatures-'));
  mkdirSync(join(root, 'native'));
  mkdirSync(join(root, 'src', 'native'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const cpp = `// Copies. ts: shape(tensor: number): number[]
Value shape() {}
// ts: grad(outputs: readonly number[], keep: boolean): (number | null)[]
Value grad() {}
void registerAll() {
  exports.Set("shape", Function::New(env, shape));
  exports.Set("grad", Function::New(env, grad));
  result.Set("plain", 1);
}
`;
const ts = `/** Everything: other(x: number): void; is not a member. */
export interface Addon {
  /** In words. */
  shape(tensor: number): number[];
  grad(
    outputs: readonly number[],
    keep: boolean,
  ): (number | null)[];
}
export interface Other {
  method(): void;
}
`;

function check(native: string, mirror: string) {
  writeFileSync(join(root, 'native', 'addon.cpp'), native);
  writeFileSync(join(root, 'src', 'native', 'addon.ts'), mirror);
  return checkSignatures(root);
}

describe('checkSignatures', () => {
  it('is content where both halves say the same, whatever the line breaks', () => {
    expect(check(cpp, ts)).toEqual([]);
  });

  it('shows both spellings where they differ', () => {
    expect(check(cpp, ts.replace('keep: boolean', 'keep: number'))).toEqual([
      'native/addon.cpp:3: grad(outputs: readonly number[], keep: boolean): (number | null)[]\n' +
        '  differs from src/native/addon.ts:5: grad(outputs: readonly number[], keep: number): (number | null)[]',
    ]);
  });

  it('finds what one side lacks', () => {
    expect(check(cpp, ts.replace('  shape(tensor: number): number[];\n', ''))).toEqual([
      'native/addon.cpp:1: shape is missing in src/native/addon.ts: shape(tensor: number): number[]',
    ]);
    expect(check(cpp, ts.replace('  grad(', '  extra(): void;\n  grad('))).toEqual([
      'src/native/addon.ts:5: extra has no `ts:` comment in native/*.cpp',
    ]);
  });

  it('wants a comment above what is registered, and a registration below a comment', () => {
    expect(check(cpp.replace('Copies. ts: ', ''), ts.replace('  shape(tensor: number): number[];\n', ''))).toEqual([
      'native/addon.cpp:6: shape is registered, but no comment `ts: shape(…): …` stands above it',
    ]);
    expect(check(cpp.replace(/.*Set\("grad".*\n/, ''), ts)).toEqual([
      'native/addon.cpp:3: grad has a ts: comment, but nothing registers it',
    ]);
  });

  it('fails where there is no C++ at all', () => {
    expect(checkSignatures(root)).toEqual([
      'native/: no .cpp file, so there is nothing to hold src/native/addon.ts against',
    ]);
  });
});
