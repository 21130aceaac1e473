/**
 * Reads SentencePiece's tokenizer.model, a protobuf message, into pieces and the settings that decide how text becomes
 * pieces. Fields that are not needed here are skipped, whatever they are; every length is checked against what is left.
 * Does not train, encode, or know of tokenizer.json (sentencepiece.ts).
 *
 * Source: protobuf's wire format (Google, "Encoding"); field numbers and defaults of sentencepiece_model.proto.
 */
import { DataError } from '../base/errors.ts';

export type PieceType = 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte';

export interface Piece {
  readonly text: string;
  /** BPE: the higher, the earlier it is merged. Unigram: its log-probability. */
  readonly score: number;
  readonly type: PieceType;
}

export interface SentencePieceModel {
  /** In order of id; texts are unique, exactly one is of type `unknown`. */
  readonly pieces: readonly Piece[];
  readonly algorithm: 'unigram' | 'bpe' | 'word' | 'char';
  /** What no piece covers becomes its bytes, each a piece of type `byte`. */
  readonly byteFallback: boolean;
  readonly bosPiece: string;
  readonly eosPiece: string;
  readonly padPiece: string;
  readonly treatWhitespaceAsSuffix: boolean;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
  /** Character rewriting, compiled (charsmap.ts); empty where there is none. */
  readonly charsmap: Uint8Array;
}

const hint =
  "a SentencePiece tokenizer.model is a protobuf file that comes with a model's weights: fetch it again, or take the model's tokenizer.json";

/** Throws DataError, naming `file`, where the bytes are cut off or are no SentencePiece model. */
export function readSentencePieceModel(bytes: Uint8Array, file: string): SentencePieceModel {
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  if (/^[A-Za-z0-9+/]+={0,2} \d+\n/.test(head))
    throw new DataError(
      file,
      { message: "expected a SentencePiece model, found tiktoken's list of tokens (Llama 3)" },
      { hint: "take the model's tokenizer.json" },
    );
  if (head.startsWith('version https://git-lfs'))
    throw new DataError(
      file,
      { message: 'expected a SentencePiece model, found a Git LFS pointer to one' },
      { hint: 'fetch the file itself: git lfs pull' },
    );
  const message = new Message(bytes, file, 'the model');
  const pieces: Piece[] = [];
  let trainer: Trainer | undefined;
  let normalizer: Normalizer | undefined;
  for (const field of message.fields()) {
    if (field.number === 1) pieces.push(readPiece(field.message(`pieces[${pieces.length}]`)));
    else if (field.number === 2) trainer = readTrainer(field.message('trainer_spec'));
    else if (field.number === 3) normalizer = readNormalizer(field.message('normalizer_spec'));
  }
  // They stand behind the pieces: a file cut off between two fields is a message too.
  if (!trainer || !normalizer)
    return message.fail(`the file is cut off or is something else: no ${trainer ? 'normalizer' : 'trainer'}_spec`);
  checkPieces(message, pieces, trainer.byteFallback);
  return { pieces, ...trainer, ...normalizer };
}

function checkPieces(message: Message, pieces: readonly Piece[], byteFallback: boolean): void {
  const count = (type: PieceType): number => pieces.filter((piece) => piece.type === type).length;
  if (count('unknown') !== 1)
    message.fail(`expected one piece for the unknown, found ${count('unknown')} among ${pieces.length} pieces`);
  if (byteFallback && count('byte') !== 256)
    message.fail(`expected a piece for each of the 256 bytes, found ${count('byte')}`);
  const seen = new Set<string>();
  for (const { text } of pieces) {
    if (seen.has(text)) message.fail(`the piece ${JSON.stringify(text)} is there twice`);
    seen.add(text);
  }
}

const pieceTypes: ReadonlyMap<number, PieceType> = new Map([
  [1, 'normal'],
  [2, 'unknown'],
  [3, 'control'],
  [4, 'user-defined'],
  [5, 'unused'],
  [6, 'byte'],
]);

function readPiece(message: Message): Piece {
  let text = '';
  let score = 0;
  let type: PieceType = 'normal';
  for (const field of message.fields()) {
    if (field.number === 1) text = field.text('piece');
    else if (field.number === 2) score = field.float('score');
    else if (field.number === 3) {
      const number = field.integer('type');
      type = pieceTypes.get(number) ?? message.fail(`unknown type of piece: ${number}`);
    }
  }
  if (text === '') message.fail('expected a piece of text, got none');
  if (!Number.isFinite(score)) message.fail(`expected a finite score, got ${score}`);
  return { text, score, type };
}

const algorithms: ReadonlyMap<number, SentencePieceModel['algorithm']> = new Map([
  [1, 'unigram'],
  [2, 'bpe'],
  [3, 'word'],
  [4, 'char'],
]);

interface Trainer {
  algorithm: SentencePieceModel['algorithm'];
  byteFallback: boolean;
  bosPiece: string;
  eosPiece: string;
  padPiece: string;
  treatWhitespaceAsSuffix: boolean;
}
const trainerDefaults: Trainer = {
  algorithm: 'unigram',
  byteFallback: false,
  bosPiece: '<s>',
  eosPiece: '</s>',
  padPiece: '<pad>',
  treatWhitespaceAsSuffix: false,
};

function readTrainer(message: Message): Trainer {
  const trainer = { ...trainerDefaults };
  for (const field of message.fields()) {
    if (field.number === 3) {
      const number = field.integer('model_type');
      trainer.algorithm = algorithms.get(number) ?? message.fail(`unknown model_type: ${number}`);
    } else if (field.number === 24) trainer.treatWhitespaceAsSuffix = field.boolean('treat_whitespace_as_suffix');
    else if (field.number === 35) trainer.byteFallback = field.boolean('byte_fallback');
    else if (field.number === 46) trainer.bosPiece = field.text('bos_piece');
    else if (field.number === 47) trainer.eosPiece = field.text('eos_piece');
    else if (field.number === 48) trainer.padPiece = field.text('pad_piece');
  }
  return trainer;
}

interface Normalizer {
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  escapeWhitespaces: boolean;
  charsmap: Uint8Array;
}
const normalizerDefaults: Normalizer = {
  addDummyPrefix: true,
  removeExtraWhitespaces: true,
  escapeWhitespaces: true,
  charsmap: new Uint8Array(),
};

function readNormalizer(message: Message): Normalizer {
  const normalizer = { ...normalizerDefaults };
  for (const field of message.fields()) {
    if (field.number === 2) normalizer.charsmap = field.bytes('precompiled_charsmap');
    else if (field.number === 3) normalizer.addDummyPrefix = field.boolean('add_dummy_prefix');
    else if (field.number === 4) normalizer.removeExtraWhitespaces = field.boolean('remove_extra_whitespaces');
    else if (field.number === 5) normalizer.escapeWhitespaces = field.boolean('escape_whitespaces');
  }
  return normalizer;
}

// —— protobuf ——

/** U+FEFF is a character like any other: some vocabularies have it as a piece. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One protobuf message: the bytes it has, and what it is called in messages. */
class Message {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #name: string;
  #at = 0;

  constructor(bytes: Uint8Array, file: string, name: string) {
    this.#bytes = bytes;
    this.#file = file;
    this.#name = name;
  }

  fail(message: string): never {
    throw new DataError(this.#file, { path: this.#name, message }, { hint });
  }

  *fields(): Generator<Field> {
    while (this.#at < this.#bytes.length) {
      const tag = this.#varint();
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (number < 1 || number >= 2 ** 29) this.fail(`expected a SentencePiece model, found a field number ${number}`);
      yield new Field(this, number, this.#value(wireType));
    }
  }

  nested(bytes: Uint8Array, name: string): Message {
    return new Message(bytes, this.#file, name);
  }

  #value(wireType: number): number | Uint8Array {
    if (wireType === 0) return this.#varint();
    if (wireType === 1) return this.#take(8);
    if (wireType === 2) return this.#take(this.#varint());
    if (wireType === 5) return this.#take(4);
    return this.fail(`expected a SentencePiece model, found wire type ${wireType}`);
  }

  #take(count: number): Uint8Array {
    const left = this.#bytes.length - this.#at;
    if (count > left) this.fail(`the file is cut off or is something else: needs ${count} bytes, ${left} are left`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Exact to 2⁵³; no field that is read here is larger. */
  #varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = this.#take(1)[0] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return this.fail('expected a SentencePiece model, found a number of more than ten bytes');
  }
}

class Field {
  readonly number: number;
  readonly #within: Message;
  readonly #value: number | Uint8Array;

  constructor(within: Message, number: number, value: number | Uint8Array) {
    this.#within = within;
    this.number = number;
    this.#value = value;
  }

  integer(name: string): number {
    if (typeof this.#value === 'number') return this.#value;
    return this.#within.fail(`${name}: expected a number`);
  }

  boolean(name: string): boolean {
    return this.integer(name) !== 0;
  }

  bytes(name: string): Uint8Array {
    if (typeof this.#value !== 'number') return this.#value;
    return this.#within.fail(`${name}: expected bytes`);
  }

  float(name: string): number {
    const bytes = this.bytes(name);
    if (bytes.length !== 4) return this.#within.fail(`${name}: expected a number of four bytes`);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
  }

  text(name: string): string {
    try {
      return utf8.decode(this.bytes(name));
    } catch (error) {
      if (error instanceof DataError) throw error;
      return this.#within.fail(`${name}: expected UTF-8`);
    }
  }

  message(name: string): Message {
    return this.#within.nested(this.bytes(name), name);
  }
}
