/**
 * A data set of any size in numbers, row by row: how many, how long, in which languages, how many tokens, what is asked
 * for. Nothing is judged and nothing left out: an empty answer is a row too. Memory grows with the different answers (40
 * bytes each) and the different verbs and nouns. statistics.ts has the shorter account of a run's report.
 */
import { createHash } from 'node:crypto';
import { scriptLanguage, type VerbNounLanguage, verbNounLanguages } from '../text/verb-noun.ts';
import { characters, whitespaceWords } from '../text/words.ts';
import type { Members } from './formats/row.ts';
import { LengthCounts, type LengthSummary } from './statistics-lengths.ts';
import { rowTexts } from './statistics-row.ts';
import { VerbNounCounts, type VerbNounStatistics } from './statistics-verb-nouns.ts';

/** Texts whose verbs and nouns can be counted. */
export const verbNounTexts = ['instructions', 'answers'] as const;
export type VerbNounTexts = (typeof verbNounTexts)[number];

export interface StatisticsOptions {
  /** The language of all rows; without it each row's own, and for verbs and nouns the script of each text. */
  readonly language?: VerbNounLanguage | undefined;
  readonly verbNouns: readonly VerbNounTexts[];
  /** Counts tokens where it is given. */
  readonly encode?: ((text: string) => readonly number[]) | undefined;
}

export interface TokenSummary extends LengthSummary {
  readonly total: number;
}

export type ByLanguage<T> = Readonly<Partial<Record<VerbNounLanguage, T>>>;

export interface SetStatistics {
  readonly records: number;
  /** Rows with an Alpaca `input` that is not blank. */
  readonly withInput: number;
  /** Rows in which `data validate` names something. */
  readonly brokenRecords: number;
  /** Answers: one a row but in conversations of several turns and in comparisons. */
  readonly outputs: number;
  /** Blank ones too. */
  readonly emptyOutputs: number;
  readonly uniqueOutputs: number;
  /** Whitespace words of every answer. */
  readonly outputWords: LengthSummary;
  /** Characters, white space left out, of the answers of rows in Chinese; null where there are none. */
  readonly outputCharacters: LengthSummary | null;
  readonly instructionWords: LengthSummary;
  readonly instructionCharacters: LengthSummary | null;
  /** Of user and assistant, a row. */
  readonly turns: LengthSummary;
  /** Rows by language. */
  readonly languages: Readonly<Record<string, number>>;
  /** Without a chat template and special tokens: of each instruction with its input, and of each answer. */
  readonly tokens?: { readonly prompts: TokenSummary; readonly outputs: TokenSummary };
  /** Texts in other scripts are not among them. */
  readonly verbNouns: Readonly<Partial<Record<VerbNounTexts, ByLanguage<VerbNounStatistics>>>>;
}

export const lengthUnits = ['words', 'characters'] as const;
export type LengthUnit = (typeof lengthUnits)[number];

export class SetTally {
  readonly #options: StatisticsOptions;
  #records = 0;
  #withInput = 0;
  #brokenRecords = 0;
  #emptyOutputs = 0;
  readonly #unique = new Set<string>();
  readonly #languages = new Map<string, number>();
  readonly #outputWords = new LengthCounts();
  readonly #outputCharacters = new LengthCounts();
  /** Of rows that are not in Chinese. */
  readonly #spacedOutputWords = new LengthCounts();
  readonly #instructionWords = new LengthCounts();
  readonly #instructionCharacters = new LengthCounts();
  readonly #turns = new LengthCounts();
  readonly #promptTokens = new LengthCounts();
  readonly #outputTokens = new LengthCounts();
  readonly #verbNouns = new Map<string, VerbNounCounts>();

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  /** Why the row cannot be counted, if so. */
  add(row: Members): { readonly problem: string } | undefined {
    const texts = rowTexts(row);
    if (!texts) return { problem: 'expected an instruction, or a row of a known form' };
    const language = this.#options.language ?? texts.language;
    this.#records += 1;
    if (texts.isBroken) this.#brokenRecords += 1;
    if (texts.input.trim() !== '') this.#withInput += 1;
    this.#languages.set(language, (this.#languages.get(language) ?? 0) + 1);
    this.#turns.add(texts.turns);
    this.#addInstruction(texts.instruction, texts.input, language);
    for (const output of texts.outputs) this.#addOutput(output, language);
    return undefined;
  }

  #addInstruction(instruction: string, input: string, language: string): void {
    this.#instructionWords.add(whitespaceWords(instruction).length);
    if (language === 'zh') this.#instructionCharacters.add(characters(instruction).length);
    this.#countVerbNoun('instructions', instruction);
    const { encode } = this.#options;
    if (encode) this.#promptTokens.add(encode(input === '' ? instruction : `${instruction}\n\n${input}`).length);
  }

  #addOutput(output: string, language: string): void {
    if (output.trim() === '') this.#emptyOutputs += 1;
    // 128 bits: two different answers of a billion with one hash have a chance of 1 in 10^20.
    this.#unique.add(createHash('sha256').update(output).digest().toString('latin1', 0, 16));
    const numWords = whitespaceWords(output).length;
    this.#outputWords.add(numWords);
    if (language === 'zh') this.#outputCharacters.add(characters(output).length);
    else this.#spacedOutputWords.add(numWords);
    this.#countVerbNoun('answers', output);
    const { encode } = this.#options;
    if (encode) this.#outputTokens.add(encode(output).length);
  }

  #countVerbNoun(texts: VerbNounTexts, text: string): void {
    if (!this.#options.verbNouns.includes(texts)) return;
    const language = this.#options.language ?? scriptLanguage(text);
    if (language === undefined) return;
    const key = `${texts} ${language}`;
    const counts = this.#verbNouns.get(key) ?? new VerbNounCounts(language);
    this.#verbNouns.set(key, counts);
    counts.add(text);
  }

  /** Undefined where no such text was seen. */
  verbNouns(texts: VerbNounTexts, language: VerbNounLanguage): VerbNounCounts | undefined {
    return this.#verbNouns.get(`${texts} ${language}`);
  }

  /** Of the answers of rows in Chinese in characters, of the others in words. */
  outputLengths(unit: LengthUnit): LengthCounts {
    return unit === 'words' ? this.#spacedOutputWords : this.#outputCharacters;
  }

  result(): SetStatistics {
    const orNull = (lengths: LengthCounts): LengthSummary | null => (lengths.count === 0 ? null : lengths.summary());
    return {
      records: this.#records,
      withInput: this.#withInput,
      brokenRecords: this.#brokenRecords,
      outputs: this.#outputWords.count,
      emptyOutputs: this.#emptyOutputs,
      uniqueOutputs: this.#unique.size,
      outputWords: this.#outputWords.summary(),
      outputCharacters: orNull(this.#outputCharacters),
      instructionWords: this.#instructionWords.summary(),
      instructionCharacters: orNull(this.#instructionCharacters),
      turns: this.#turns.summary(),
      languages: Object.fromEntries([...this.#languages].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
      ...(this.#options.encode && {
        tokens: {
          prompts: { ...this.#promptTokens.summary(), total: this.#promptTokens.total },
          outputs: { ...this.#outputTokens.summary(), total: this.#outputTokens.total },
        },
      }),
      verbNouns: Object.fromEntries(
        this.#options.verbNouns.map((texts) => [
          texts,
          Object.fromEntries(
            verbNounLanguages.flatMap((language) => {
              const counts = this.verbNouns(texts, language);
              return counts ? [[language, counts.result()]] : [];
            }),
          ),
        ]),
      ),
    };
  }
}
