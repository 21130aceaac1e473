/**
 * Tokens that fine-tuning adds to a model (`addTokens`), so that it can learn a template whose tokens it lacks: in the
 * tokenizer, as rows of the weights, and, where one of them ends an answer, among the tokens that decoding stops at.
 */
import type { Conversation } from '../src/data/records.ts';
import type { LoadedModel } from '../src/local/loaded-model.ts';
import { Decoder } from '../src/model/decoder.ts';
import { withStopTokens } from '../src/model/directory.ts';
import { resizeVocabulary } from '../src/model/resize.ts';
import { additionNotes, addTokens, readVocabularyFiles, type TokenAddition } from '../src/text/add-tokens.ts';
import { encodeConversation } from '../src/text/chat-template.ts';
import type { SftConfig } from './sft-config.ts';
import { refuseNewTokens } from './sft-input.ts';

export interface StudentModel extends LoadedModel {
  /** What the trained model's folder has otherwise than the model's own: JSON by the name of its file. */
  readonly changedFiles: ReadonlyMap<string, object>;
}

/**
 * Takes over `model`. Tokens that the vocabulary has already keep their ids and rows. Throws ConfigError for bad tokens,
 * and for new ones where adapters are trained.
 */
export function withAddedTokens(
  model: LoadedModel,
  { addTokens: tokens = [], lora }: SftConfig,
  conversations: readonly Conversation[],
  note: (text: string) => void,
): StudentModel {
  const unchanged = { ...model, changedFiles: new Map<string, object>() };
  if (tokens.length === 0) return unchanged;
  const addition = addTokens(readVocabularyFiles(model.folder), model.tokenizer, tokens);
  if (lora) refuseNewTokens(addition);
  for (const text of additionNotes(addition)) note(text);
  if (lora) return unchanged;
  const grown = addition.added.length > 0 ? grow(model, addition) : unchanged;
  return stoppingAtTurns(grown, { tokens, conversations, note });
}

function grow(model: LoadedModel, { files, tokenizer }: TokenAddition): StudentModel {
  const decoder = resizeVocabulary(model.decoder, { from: model.tokenizer.vocabSize, to: tokenizer.vocabSize });
  return { ...model, tokenizer, decoder, changedFiles: new Map(Object.entries(files)) };
}

/** If one of `tokens` ends the template's answers, decoding has to stop at it. */
function stoppingAtTurns(
  model: StudentModel,
  options: {
    readonly tokens: readonly string[];
    readonly conversations: readonly Conversation[];
    readonly note: (text: string) => void;
  },
): StudentModel {
  const { tokens, conversations, note } = options;
  const { folder, tokenizer, template, decoder } = model;
  const [first] = conversations;
  if (first === undefined) return model;
  const { ids, labelMask } = encodeConversation(tokenizer, template, first.messages);
  const end = ids[labelMask.lastIndexOf(1)];
  const name = tokens.find((token) => tokenizer.tokenId(token) === end);
  if (end === undefined || name === undefined || model.stopTokens.includes(end)) return model;
  note(`answers end with ${name} in template ${template.name}: decoding will stop at it too`);
  const stopTokens = [...model.stopTokens, end];
  const { config, files } = withStopTokens(folder, decoder.config, stopTokens);
  return {
    ...model,
    stopTokens,
    decoder: new Decoder(config, decoder.parameters, decoder.adapters),
    changedFiles: new Map([...model.changedFiles, ...files]),
  };
}
