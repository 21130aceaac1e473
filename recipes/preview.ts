/**
 * What fine-tuning would learn from data files: the loss mask, token by token, by the very encoding that training uses.
 * Words alone: tokenizer and chat template of a model folder, no weights. Every row is encoded and counted, the first
 * ones are shown.
 */
import { writeFileAtomic } from '../src/base/atomic.ts';
import { readConversations } from '../src/data/formats.ts';
import { type EncodingReceipt, encodeDocuments, type TokenDocument } from '../src/data/pack.ts';
import { type PreviewToken, previewPage } from '../src/report/preview.ts';
import { tokenizerWith } from '../src/text/add-tokens.ts';
import { loadChatTemplate } from '../src/text/chat-template.ts';
import { loadTokenizer, StreamDecoder, type Tokenizer } from '../src/text/tokenizer.ts';

export interface PreviewConfig {
  readonly model: string;
  readonly data: readonly string[];
  /** As in `train sft`. */
  readonly template?: string | undefined;
  /** As in `train sft`: tokens of the template that the model lacks. */
  readonly addTokens?: readonly string[] | undefined;
  /** As in `train sft`: a longer conversation loses whole turns, or is left out. */
  readonly maxTokens: number;
  /** How many conversations are shown. */
  readonly rows: number;
}

/** Writes the page to `file`. Throws ConfigError or DataError for what `train sft` would refuse too. */
export function run(config: PreviewConfig, file: string, note: (text: string) => void): EncodingReceipt {
  const { model, data, maxTokens, rows } = config;
  const own = loadTokenizer(model);
  const template = loadChatTemplate(model, own, config.template);
  const { tokenizer, notes } = tokenizerWith(model, own, config.addTokens);
  for (const text of notes) note(text);
  const conversations = data.flatMap((name) => readConversations(name));
  const { documents, receipt } = encodeDocuments(conversations, tokenizer, template, maxTokens);
  const shown = documents
    .slice(0, rows)
    .map((document) => ({ id: document.id, tokens: previewTokens(document, tokenizer) }));
  const named = [model, ...notes].join(' · ');
  const about = { files: data, model: named, template: template.name, maxTokens };
  writeFileAtomic(file, previewPage({ ...about, receipt, rows: shown }));
  return receipt;
}

/**
 * Each token with the text it completes. What a token holds back of an unfinished character never passes to a special
 * token, nor over the edge of an answer: there it is shown as it is.
 */
export function previewTokens({ ids, labelMask }: TokenDocument, tokenizer: Tokenizer): PreviewToken[] {
  const special = new Set(tokenizer.addedTokens.filter((token) => token.special).map(({ id }) => id));
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: false });
  const texts: string[] = [];
  for (const [i, id] of ids.entries()) {
    const isEdge = special.has(id) || labelMask[i] !== labelMask[i - 1];
    if (isEdge && texts.at(-1) === '') texts[i - 1] = decoder.flush();
    texts.push(decoder.push(id));
  }
  if (texts.at(-1) === '') texts[ids.length - 1] = decoder.flush();
  return ids.map((id, i) => ({
    id,
    text: texts[i] as string,
    isTrained: labelMask[i] === 1,
    isSpecial: special.has(id),
  }));
}
