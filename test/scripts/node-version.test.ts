import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { script } from './script.ts';

const { nodeVersionProblem } = (await import(script('setup/node-version.mjs'))) as {
  nodeVersionProblem(version: string): string | undefined;
};

describe('nodeVersionProblem', () => {
  it.each(['18.20.8', '19.9.0', '20.0.0', '20.18.3', '8.0.0'])('refuses %s with a remedy', (version) => {
    const sentence = nodeVersionProblem(version);
    expect(sentence).toContain(`this is Node ${version}`);
    expect(sentence).toContain('20.19');
    expect(sentence).toContain('https://nodejs.org');
    expect(sentence).toContain('nvm');
    expect(sentence).not.toContain('\n');
  });

  it.each(['20.19.0', '20.20.2', '21.0.0', '22.12.0', '100.0.0'])('takes %s', (version) => {
    expect(nodeVersionProblem(version)).toBeUndefined();
  });

  it('agrees with package.json', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(manifest.engines.node).toBe('>=20.19');
  });
});
