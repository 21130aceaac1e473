import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import {
  type AliasTable,
  layOver,
  mappedText,
  resolveAliases,
  suggestibleNames,
  unset,
} from '../../src/run/aliases.ts';

const table: AliasTable = [
  { to: 'epochs', from: ['num_train_epochs', 'num_epochs'] },
  { to: 'learningRate', from: ['lr'] },
  { to: 'maxTokens', from: [] },
  { to: 'dtype', from: ['bf16'], convert: (value) => (value === true ? 'bfloat16' : undefined) },
  {
    to: 'lora',
    from: ['finetuning_type'],
    convert(value, name) {
      if (value === 'lora') return {};
      if (value === 'full') return unset;
      throw new ConfigError(`${name}: neither lora nor full`, { hint: 'say which' });
    },
  },
  { to: 'lora.rank', from: ['lora_r'] },
  { to: 'lora.targets', from: ['target_modules'], convert: (value) => String(value).split(',') },
  {
    refuse: ['batch_rows', 'accumulation'],
    why: (given) =>
      Object.values(given).every((value) => value === 0)
        ? undefined
        : { message: `${Object.keys(given).join(' and ')}: not so`, hint: `set ${Object.values(given).join(' × ')}` },
  },
];
const resolved = (raw: Record<string, unknown>) => resolveAliases(raw, table);
const config = (raw: Record<string, unknown>) => resolved(raw).config;
const failure = (raw: Record<string, unknown>, prefix?: string): ConfigError => {
  try {
    resolveAliases(raw, table, prefix);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected a ConfigError');
};

describe('resolveAliases', () => {
  it('takes names of others for ours, in the three spellings, and tells which', () => {
    for (const name of ['num_train_epochs', 'num-train-epochs', 'numTrainEpochs', 'num_epochs'])
      expect(resolved({ [name]: 3, seed: 1 })).toEqual({
        config: { epochs: 3, seed: 1 },
        mapped: [{ from: name, to: 'epochs' }],
      });
  });

  it('takes our own names in the three spellings, and says nothing of them as they are', () => {
    for (const name of ['learning_rate', 'learning-rate', 'learningRate'])
      expect(config({ [name]: 1 })).toEqual({ learningRate: 1 });
    expect(resolved({ learningRate: 1, lora: { rank: 2 } }).mapped).toEqual([]);
  });

  it('takes no other spelling: case and separators mark the words', () => {
    expect(config({ learningrate: 1, max_tokenss: 2 })).toEqual({ learningrate: 1, max_tokenss: 2 });
  });

  it('leads into a section from the top, from within, and under dotted names', () => {
    const rank = { lora: { rank: 8 } };
    for (const raw of [{ lora_r: 8 }, { loraR: 8 }, { lora_rank: 8 }, { 'lora.rank': 8 }])
      expect(config(raw)).toEqual(rank);
    for (const raw of [{ r: 8 }, { rank: 8 }, { lora_r: 8 }, { lora_rank: 8 }])
      expect(config({ lora: raw })).toEqual(rank);
    expect(resolved({ lora: { r: 8, target_modules: 'q,v' } })).toEqual({
      config: { lora: { rank: 8, targets: ['q', 'v'] } },
      mapped: [
        { from: 'lora.r', to: 'lora.rank' },
        { from: 'lora.target_modules', to: 'lora.targets' },
      ],
    });
  });

  it('joins a section with its settings at the top, keeps it where it is empty, and keeps unknown members', () => {
    expect(config({ lora_rank: 8, lora: { targets: ['q'] }, finetuning_type: 'lora' })).toEqual({
      lora: { rank: 8, targets: ['q'] },
    });
    expect(config({ lora: {} })).toEqual({ lora: {} });
    expect(config({ finetuning_type: 'lora' })).toEqual({ lora: {} });
    // `epochs` means something at the top, not here: the schema shall see it where it stands.
    expect(config({ lora: { epochs: 3, bias: 1 } })).toEqual({ lora: { epochs: 3, bias: 1 } });
  });

  it('converts values under names of others only; what says nothing is not there', () => {
    expect(config({ bf16: true })).toEqual({ dtype: 'bfloat16' });
    expect(resolved({ bf16: false, lr: null, epochs: undefined })).toEqual({ config: {}, mapped: [] });
    expect(config({ lora: { targets: 'q,v' } })).toEqual({ lora: { targets: 'q,v' } });
    expect(config({ learningRate: null })).toEqual({ learningRate: null });
  });

  it('refuses two names of one setting that differ, and takes them where they agree', () => {
    expect(failure({ epochs: 3, num_train_epochs: 5 })).toMatchObject({
      message: 'epochs: 3 and num_train_epochs: 5 are both epochs, and differ',
      hint: 'keep one of them',
    });
    expect(failure({ num_epochs: 3, num_train_epochs: 5 }).message).toMatch('num_epochs: 3 and num_train_epochs: 5');
    expect(failure({ lora_r: 8, lora: { rank: 4 } }).message).toMatch('lora_r: 8 and lora.rank: 4');
    expect(config({ epochs: 3, num_train_epochs: 3 })).toEqual({ epochs: 3 });
    // Agreeing is about what is meant: the words differ.
    expect(config({ dtype: 'bfloat16', bf16: true })).toEqual({ dtype: 'bfloat16' });
  });

  it('refuses settings of a section that is said to be left out', () => {
    expect(config({ finetuning_type: 'full', epochs: 1 })).toEqual({ epochs: 1 });
    const contradiction = 'finetuning_type: "full" and lora_rank: 8 contradict each other';
    expect(failure({ finetuning_type: 'full', lora_rank: 8 }).message).toBe(contradiction);
    expect(failure({ lora_rank: 8, finetuning_type: 'full' }).message).toMatch('contradict');
    expect(failure({ lora: {}, finetuning_type: 'full' }).message).toMatch('are both lora, and differ');
  });

  it('refuses by one message for all names of a refusal, from their values', () => {
    expect(failure({ batch_rows: 4, accumulation: 8 })).toMatchObject({
      message: 'batch_rows and accumulation: not so',
      hint: 'set 4 × 8',
    });
    expect(failure({ batchRows: 4 }).message).toBe('batchRows: not so');
    expect(config({ batch_rows: 0 })).toEqual({});
  });

  it('names everything that is wrong at once, with the prefix, each hint once', () => {
    const { message, hint } = failure(
      { batch_rows: 4, finetuning_type: 'qlora', epochs: 1, num_epochs: 2 },
      'a.yaml: ',
    );
    expect(message.split('\n')).toEqual([
      'a.yaml: finetuning_type: neither lora nor full',
      'a.yaml: batch_rows: not so',
      'a.yaml: epochs: 1 and num_epochs: 2 are both epochs, and differ',
    ]);
    expect(hint).toBe('say which; set 4; keep one of them');
  });

  it('lets a name that reaches for a prototype be a name', () => {
    const { config: odd } = resolved(JSON.parse('{"__proto__": {"epochs": 3}, "constructor": 1}'));
    expect(Object.getPrototypeOf(odd)).toBe(Object.prototype);
    expect(Object.keys(odd).sort()).toEqual(['__proto__', 'constructor']);
    expect((odd as { epochs?: unknown }).epochs).toBeUndefined();
  });
});

describe('layOver', () => {
  it('takes away what is undefined above, in sections too', () => {
    expect(Object.keys(layOver({ a: 1, b: 2 }, { b: undefined, c: undefined }))).toEqual(['a']);
    expect(layOver({ l: { r: 1, s: 2 } }, { l: { r: undefined } })).toStrictEqual({ l: { s: 2 } });
    expect(layOver({}, { l: { r: undefined } })).toStrictEqual({ l: {} });
  });

  it('puts the upper before the lower, member by member in sections, lists whole', () => {
    expect(layOver({ a: 1, l: { r: 1, s: 2 }, d: [1, 2] }, { l: { r: 3 }, d: [4] })).toEqual({
      a: 1,
      l: { r: 3, s: 2 },
      d: [4],
    });
  });
});

describe('suggestibleNames', () => {
  it('calls our settings ours in any spelling, others by both names, and leaves out what is not known here', () => {
    const names = suggestibleNames(table, ['epochs', 'learningRate', 'lora']);
    expect(Object.fromEntries(names)).toEqual({
      epochs: 'epochs',
      learningRate: 'learningRate',
      lora: 'lora',
      num_train_epochs: 'num_train_epochs (epochs here)',
      num_epochs: 'num_epochs (epochs here)',
      learning_rate: 'learningRate',
      lr: 'lr (learningRate here)',
      finetuning_type: 'finetuning_type (lora here)',
      lora_rank: 'lora.rank',
      lora_r: 'lora_r (lora.rank here)',
      lora_targets: 'lora.targets',
      target_modules: 'target_modules (lora.targets here)',
    });
  });
});

describe('mappedText', () => {
  it('is one line', () => {
    expect(mappedText(resolved({ lora_rank: 8, lr: 1 }).mapped)).toBe('lora_rank → lora.rank, lr → learningRate');
  });
});
