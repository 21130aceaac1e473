import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';
import { readSentencePieceModel } from '../../src/text/sentencepiece-model.ts';
import { type Field, message, modelOf, special, varint } from './sentencepiece-writer.ts';

const read = (bytes: Uint8Array) => readSentencePieceModel(bytes, 'tokenizer.model');
const failure = (bytes: Uint8Array): DataError => {
  try {
    read(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error('expected a DataError');
};

describe('readSentencePieceModel', () => {
  it('reads pieces and settings, and takes defaults for what is not there', () => {
    const model = read(modelOf([...special, ['▁a', -1.5], ['<sep>', 0, 4], ['\uFEFF', -2, 5], ['<0x41>', 0, 6]]));
    expect(model.pieces).toEqual([
      { text: '<unk>', score: 0, type: 'unknown' },
      { text: '<s>', score: 0, type: 'control' },
      { text: '</s>', score: 0, type: 'control' },
      { text: '▁a', score: -1.5, type: 'normal' },
      { text: '<sep>', score: 0, type: 'user-defined' },
      { text: '\uFEFF', score: -2, type: 'unused' },
      { text: '<0x41>', score: 0, type: 'byte' },
    ]);
    const { pieces: _, ...settings } = model;
    expect(settings).toEqual({
      algorithm: 'bpe',
      byteFallback: false,
      bosPiece: '<s>',
      eosPiece: '</s>',
      padPiece: '<pad>',
      treatWhitespaceAsSuffix: false,
      addDummyPrefix: true,
      removeExtraWhitespaces: false,
      escapeWhitespaces: true,
      charsmap: new Uint8Array(),
    });
    const bare = message([1, message([1, '<unk>'], [3, 2])], [2, message()], [3, message()]);
    expect(read(bare)).toMatchObject({ algorithm: 'unigram', removeExtraWhitespaces: true });
  });

  it('skips fields that it does not know, of every kind', () => {
    const unknown: Field[] = [
      [200, 1],
      [201, 'text'],
      [202, { float: 1 }],
    ];
    const eightBytes = Buffer.concat([varint(203 * 8 + 1), Buffer.alloc(8)]);
    const pieces = special.map(
      ([text, , type]): Field => [1, message(...unknown, [1, text], [3, type!], [41, -1], ...unknown)],
    );
    const bytes = message(...unknown, ...pieces, [2, message(...unknown, [3, 2], [43, -1])], [3, message(...unknown)]);
    expect(read(Buffer.concat([eightBytes, bytes, eightBytes])).pieces.map(({ text }) => text)).toEqual([
      '<unk>',
      '<s>',
      '</s>',
    ]);
  });

  it('says so wherever a file is cut off', () => {
    const whole = modelOf([...special, ['▁a', -1]], { trainer: [[46, '<s>']] });
    expect(() => read(whole)).not.toThrow();
    for (let length = 0; length < whole.length; length++) {
      // Between two fields too, where what is left is a message by itself.
      const error = failure(whole.subarray(0, length));
      expect(error.message, `${length}`).toMatch(/tokenizer\.model: .*the file is cut off or is something else/);
      expect(error.hint).toContain('fetch it again');
    }
  });

  it('takes no random bytes for a model', () => {
    for (let seed = 1; seed < 200; seed++) {
      const bytes = Uint8Array.from({ length: 64 }, (_, i) => (seed * 31 * (i + 7) * (i + seed)) % 251);
      expect(failure(bytes).hint).toBeDefined();
    }
  });

  it('names what is wrong with a piece or a setting', () => {
    const withPiece = (...fields: Field[]) =>
      message([1, message([1, '<unk>'], [3, 2])], [1, message(...fields)], [2, message()], [3, message()]);
    expect(failure(withPiece([1, Buffer.from([0xff])])).message).toBe(
      'tokenizer.model: pieces[1]: piece: expected UTF-8',
    );
    expect(failure(withPiece([2, { float: 1 }])).message).toContain('pieces[1]: expected a piece of text');
    expect(failure(withPiece([1, 'a'], [2, { float: Number.NaN }])).message).toContain('expected a finite score');
    expect(failure(withPiece([1, 'a'], [2, 'ab'])).message).toContain('score: expected a number of four bytes');
    expect(failure(withPiece([1, 'a'], [3, 7])).message).toContain('unknown type of piece: 7');
    expect(failure(withPiece([1, 3])).message).toContain('piece: expected bytes');
    expect(failure(withPiece([1, 'a'], [3, 'a'])).message).toContain('type: expected a number');
    expect(failure(withPiece([1, '<unk>'])).message).toContain('the piece "<unk>" is there twice');
    expect(failure(withPiece([1, 'b'], [3, 2])).message).toContain('expected one piece for the unknown, found 2');
    expect(failure(modelOf(special, { trainer: [[3, 9]] })).message).toContain('trainer_spec: unknown model_type: 9');
    expect(failure(modelOf(special, { trainer: [[35, true]] })).message).toContain('each of the 256 bytes, found 0');
  });

  it('names the files that are often in its place', () => {
    expect(failure(Buffer.from('IQ== 0\nIg== 1\n')).message).toContain("found tiktoken's list of tokens");
    expect(failure(Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0')).message).toContain(
      'Git LFS',
    );
    const json = join(packageRoot, 'test/golden/sentencepiece/ids.json');
    expect(failure(readFileSync(json)).message).toContain('tokenizer.model: the model: ');
    expect(failure(Buffer.concat([varint(8), Buffer.alloc(11, 0xff)])).message).toContain('more than ten bytes');
    expect(failure(Buffer.from([3])).message).toContain('field number 0');
    expect(failure(Buffer.from([11])).message).toContain('wire type 3');
  });
});
