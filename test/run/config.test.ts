import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError, DataError } from '../../src/base/errors.ts';
import { type AliasTable, type Mapped, unset } from '../../src/run/aliases.ts';
import { type ParseOptions, parseConfig, readSettings } from '../../src/run/config.ts';

const sft = z.strictObject({
  epochs: z.number().int().default(3),
  learningRate: z.number().positive().default(1),
  lora: z.strictObject({ rank: z.number().int().default(8), alpha: z.number().default(16) }).optional(),
});
const run = z.strictObject({ name: z.string(), sft, evaluate: z.strictObject({ maxTokens: z.number() }).optional() });
const table: AliasTable = [
  { to: 'epochs', from: ['num_train_epochs'] },
  { to: 'learningRate', from: ['lr'] },
  { to: 'lora', from: ['finetuning_type'], convert: () => unset },
  { to: 'lora.rank', from: ['lora_r'] },
  { to: 'keepCheckpoints', from: ['save_total_limit'] },
];
const aliases = { sft: table };
const failure = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('expected a ConfigError');
};
const parsed = (value: unknown, options: ParseOptions = { aliases }) => parseConfig(run, value, 'a.yaml', options);
const wrong = (value: unknown, options?: ParseOptions) => failure(() => parsed(value, options)).split('\n');

describe('parseConfig', () => {
  it('takes aliases in the section that has a table, and tells of them once, by their full names', () => {
    const told: (readonly Mapped[])[] = [];
    const onMapped = (mapped: readonly Mapped[]) => told.push(mapped);
    const value = { name: 'n', sft: { num_train_epochs: 5, lora_r: 4 } };
    expect(parsed(value, { aliases, onMapped }).sft).toEqual({
      epochs: 5,
      learningRate: 1,
      lora: { rank: 4, alpha: 16 },
    });
    expect(told).toEqual([
      [
        { from: 'sft.num_train_epochs', to: 'sft.epochs' },
        { from: 'sft.lora_r', to: 'sft.lora.rank' },
      ],
    ]);
    parsed({ name: 'n', sft: {} }, { aliases, onMapped });
    expect(told).toHaveLength(1);
  });

  it('takes spellings of the schema’s own names that no table has, and only where there is a table', () => {
    expect(parseConfig(sft, { learning_rate: 2 }, 'x', { aliases: { '': [] } })).toEqual({
      epochs: 3,
      learningRate: 2,
    });
    expect(wrong({ name: 'n', sft: {}, evaluate: { max_tokens: 1 } })).toContain(
      'a.yaml: unknown key evaluate.max_tokens; did you mean maxTokens?',
    );
    expect(failure(() => parseConfig(sft, { learning_rate: 2 }, 'x'))).toMatch('unknown key learning_rate');
  });

  it('lays overrides over the value, whatever name either uses, and does not tell of theirs', () => {
    const told: (readonly Mapped[])[] = [];
    const options = { aliases: { '': table }, onMapped: (mapped: readonly Mapped[]) => told.push(mapped) };
    const overrides = { epochs: 7, loraR: 2, lr: undefined };
    expect(parseConfig(sft, { num_train_epochs: 5, lora: { alpha: 1 } }, 'x', { ...options, overrides })).toEqual({
      epochs: 7,
      learningRate: 1,
      lora: { rank: 2, alpha: 1 },
    });
    expect(told).toEqual([[{ from: 'num_train_epochs', to: 'epochs' }]]);
  });

  it('leaves out what is said to be left out: in the value, and by an override of it', () => {
    const left = { epochs: 3, learningRate: 1 };
    const options = { aliases: { '': table } };
    expect(parseConfig(sft, { finetuning_type: 'full' }, 'x', options)).toStrictEqual(left);
    const overrides = { finetuningType: 'full' };
    expect(parseConfig(sft, { lora_r: 4 }, 'x', { ...options, overrides })).toStrictEqual(left);
    // Also where the schema has no such setting.
    const plain = z.strictObject({ sft: sft.omit({ lora: true }) });
    expect(parseConfig(plain, { sft: { finetuning_type: 'full' } }, 'x', { aliases })).toStrictEqual({ sft: left });
  });

  it('names a wrong value by our name and by the one it was given under', () => {
    expect(wrong({ name: 'n', sft: { lora_r: 'many', lr: -1 } })).toEqual([
      expect.stringMatching(/^a\.yaml: sft\.learningRate \(given as sft\.lr\): /),
      expect.stringMatching(/^a\.yaml: sft\.lora\.rank \(given as sft\.lora_r\): /),
    ]);
  });

  it('suggests for an unknown key, aliases among the known, ours first', () => {
    const unknown = (key: string) => wrong({ name: 'n', sft: { [key]: 1 } })[0];
    expect(unknown('learning_rat')).toBe('a.yaml: unknown key sft.learning_rat; did you mean learningRate?');
    expect(unknown('num_train_epoch')).toBe(
      'a.yaml: unknown key sft.num_train_epoch; did you mean num_train_epochs (epochs here)?',
    );
    expect(unknown('quarterback_of_the_year')).toMatch('known: epochs, learningRate, lora');
    expect(wrong({ nmae: 'n', name: 'n', sft: {} })).toEqual(['a.yaml: unknown key nmae; did you mean name?']);
  });

  it('says of a known name whose setting is not there that it is not there', () => {
    expect(wrong({ name: 'n', sft: { save_total_limit: 2 } })).toEqual([
      'a.yaml: sft.save_total_limit: there is no setting sft.keepCheckpoints here',
    ]);
  });

  it('says where names contradict each other', () => {
    expect(wrong({ name: 'n', sft: { epochs: 1, num_train_epochs: 2 } })).toEqual([
      'a.yaml: sft.epochs: 1 and num_train_epochs: 2 are both epochs, and differ',
    ]);
  });

  it('leaves what is no section to the schema', () => {
    expect(wrong({ name: 'n', sft: 7 })).toEqual([expect.stringMatching(/^a\.yaml: sft: /)]);
    expect(wrong('text')).toEqual([expect.stringMatching(/^a\.yaml: the whole: /)]);
  });
});

describe('readSettings', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'understudy-settings-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const file = (text: string): string => {
    writeFileSync(join(scratch, 'a.yaml'), text);
    return join(scratch, 'a.yaml');
  };

  it('reads YAML as it stands, and names the line of what is none', () => {
    expect(readSettings(file('lr: 2e-5\nbf16: true\n'))).toEqual({ lr: 2e-5, bf16: true });
    expect(() => readSettings(file('a: 1\nb: ['))).toThrow(DataError);
    expect(() => readSettings(file('a: 1\nb: ['))).toThrow(/a\.yaml:2: /);
    for (const text of ['', '- a', 'a']) expect(() => readSettings(file(text))).toThrow('expected settings');
  });
});
