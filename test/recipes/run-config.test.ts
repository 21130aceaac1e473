import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { runSchema } from '../../recipes/run-config.ts';
import { assetsFolder } from '../../src/base/paths.ts';

it('takes the example of init, and what stands there as comments too', () => {
  const example = readFileSync(join(assetsFolder, 'understudy.example.yaml'), 'utf8').replaceAll(
    '{{assets}}',
    assetsFolder,
  );
  expect(runSchema.safeParse(parse(example)).error).toBeUndefined();

  const settings = /^( *)# (?=(?: *- | *[a-zA-Z]+:(?: |$)))(?!yaml-language-server|provider:)/gm;
  const whole = parse(example.replaceAll(settings, '$1')) as Record<string, unknown>;
  expect(Object.keys(whole)).toEqual(expect.arrayContaining(['device', 'translate']));
  expect(runSchema.safeParse(whole).error).toBeUndefined();
  expect(whole).toMatchObject({ answer: { teacher: { batch: true } }, sft: { lora: { rank: 16 } } });
});
