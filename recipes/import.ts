/**
 * Conversations as sites and collectors dump them become training data: HTML of answers is Markdown again, roles are
 * mended (src/data/import-turns.ts), languages kept or skipped, long conversations cut where a question begins. What
 * cannot be used goes to the file of rejects with its reason. Rows stream: memory does not grow with their number, but
 * for the ids. Departures from FastChat's scripts, which do this for Vicuna: tokens are counted with the chat template of
 * the model that will learn them; each mend and each reject is counted.
 */
import { ConfigError, DataError, type DataIssue, throwIfAborted } from '../src/base/errors.ts';
import { CardTally } from '../src/data/card.ts';
import { checkLanguages, loadLanguageDetector } from '../src/data/detect-language.ts';
import type { RejectedRow } from '../src/data/each-row.ts';
import { type FormName, writeRecord, writers } from '../src/data/formats/write.ts';
import { brokenRow, type ImportSettings, importRow } from '../src/data/import-row.ts';
import type { HtmlMode } from '../src/data/import-turns.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { isBroken, streamRows } from '../src/data/row-stream.ts';
import { splitByTokens } from '../src/data/split-turns.ts';
import { UniqueIds } from '../src/data/unique-ids.ts';
import { encodeConversation, loadChatTemplate } from '../src/text/chat-template.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { writeCard } from './data-card.ts';

export interface ImportConfig {
  readonly files: readonly string[];
  readonly out: string;
  /** A form of conversations. */
  readonly to: FormName;
  readonly rejects: string;
  /** ISO 639-1; of the two at most one. */
  readonly keepLanguages?: readonly string[] | undefined;
  readonly skipLanguages?: readonly string[] | undefined;
  readonly html: HtmlMode;
  /** Parts of at most so many tokens, by the tokenizer and chat template of a model. */
  readonly limit?:
    | { readonly maxTokens: number; readonly model: string; readonly template?: string | undefined }
    | undefined;
  readonly card?: string | undefined;
}

export interface ImportResult {
  readonly out: string;
  readonly rejects: string;
  readonly rows: number;
  /** Rows of which something was written, and the conversations that were. */
  readonly kept: number;
  readonly written: number;
  /** Rows that were cut into several. */
  readonly cut: number;
  /** By reason; a question that is too long with its answer counts by itself. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Rows by what was mended in them. */
  readonly mended: Readonly<Record<string, number>>;
  /** Of the conversations written. */
  readonly languages: Readonly<Record<string, number>>;
  readonly renamedIds: number;
}

/** Throws DataError where no row of a file is a conversation, or where it ends in its middle. */
export async function run(config: ImportConfig, signal: AbortSignal): Promise<ImportResult> {
  const { files, out, to, rejects, card } = config;
  const settings = await importSettings(config);
  const ids = new UniqueIds();
  const tally = new CardTally();
  const counts = { rows: 0, kept: 0, cut: 0 };
  const rejected: Record<string, number> = {};
  const mended: Record<string, number> = {};
  const targets = [[out, writers[to].usual] as const, [rejects, 'lines'] as const];
  await withSinks(targets, async ([sink, rejectSink]) => {
    for (const file of files) {
      const broken: DataIssue[] = [];
      let rows = 0;
      for await (const line of streamRows(file)) {
        throwIfAborted(signal);
        const { row } = line;
        const reject = async (reason: string, detail: string): Promise<void> => {
          add(rejected, reason);
          if (reason === brokenRow) broken.push({ row, message: detail });
          const value = isBroken(line) ? undefined : line.value;
          await rejectSink?.write({ file, row, reason, detail, value } satisfies RejectedRow);
        };
        const { conversations, refused, mends } = importRow(line, file, settings);
        let written = 0;
        for (const conversation of conversations) {
          const record = { ...conversation, id: ids.take(conversation.id) };
          const made = writeRecord(to, record);
          if ('problem' in made) await reject('cannot be written', made.problem);
          else {
            for (const one of made.rows) await sink?.write(one);
            tally.add(record);
            written += 1;
          }
        }
        for (const { reason, detail } of refused) await reject(reason, detail);
        for (const mend of mends) add(mended, mend);
        rows += 1;
        if (written > 0) counts.kept += 1;
        if (conversations.length > 1) counts.cut += 1;
      }
      if (broken.length === rows) throw new DataError(file, broken, { hint: noConversations });
      counts.rows += rows;
    }
  });
  const { rows } = counts;
  if (card !== undefined) writeCard(card, { out, form: to, tally, filters: [{ name: 'import', rows, rejected }] });
  const { rows: written, languages } = tally;
  return { out, rejects, ...counts, written, rejected, mended, languages, renamedIds: ids.renamed };
}

const noConversations = 'no row is a conversation; files of other forms are for ./understudy data convert';

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

async function importSettings({ keepLanguages, skipLanguages, html, limit }: ImportConfig): Promise<ImportSettings> {
  if (keepLanguages && skipLanguages) throw new ConfigError('expected languages to keep or to skip, got both');
  const detector = await loadLanguageDetector();
  checkLanguages([...(keepLanguages ?? []), ...(skipLanguages ?? [])], detector);
  return {
    html,
    languageOf: detector.detect,
    refuseLanguage(language) {
      if (keepLanguages && language === undefined) return 'language not recognised';
      const isRefused =
        language !== undefined &&
        (keepLanguages?.includes(language) === false || skipLanguages?.includes(language) === true);
      return isRefused ? `language ${language}` : undefined;
    },
    split: limit ? tokenSplitter(limit) : (messages) => ({ parts: [messages], tooLong: [] }),
  };
}

function tokenSplitter({ maxTokens, model, template }: NonNullable<ImportConfig['limit']>): ImportSettings['split'] {
  const tokenizer = loadTokenizer(model);
  const chatTemplate = loadChatTemplate(model, tokenizer, template);
  return (messages) =>
    splitByTokens(messages, maxTokens, (part) => encodeConversation(tokenizer, chatTemplate, part).ids.length);
}
