/**
 * A GGUF file on llama.cpp: messages through the file's own chat template and tokenizer, answers by its decoder. Loaded
 * at its first use. Several answers are decoded together, each in a sequence of its own that begins empty: with one
 * sequence an answer depends on nothing but its request; beside others, sums are taken in other orders.
 * llama.cpp's habit of forgetting the beginning when the context is full is not used: an answer ends there.
 */
import {
  ConfigError,
  InterruptedError,
  invariant,
  throwIfAborted,
  UnderstudyError,
  WorkError,
} from '../base/errors.ts';
import { sha256 } from '../base/hash.ts';
import { type ChatTemplate, chosenTemplate, createChatTemplate } from '../text/chat-template.ts';
import { StreamDecoder } from '../text/tokenizer.ts';
import { startAnswerText } from './answer-text.ts';
import { ggufParts } from './gguf-file.ts';
import {
  defaultThreads,
  type Llama,
  type LlamaModel,
  type LlamaSequence,
  startLlama,
  takeErrors,
} from './llama-cpp.ts';
import type { AnswerEvent, LocalAnswer, LocalModel, LocalRequest } from './local-model.ts';

export interface GgufOptions {
  /** Tokens a prompt and its answer may have together. Default: 4096, or what the model was trained for if that is less. */
  readonly contextSize?: number | undefined;
  /** How many answers are decoded together; each has memory for a whole context. */
  readonly sequences: number;
  readonly threads?: number | undefined;
  /** A built-in chat template or a Jinja file, in place of the file's own. */
  readonly template?: string | undefined;
}

export interface GgufModel extends Pick<LocalModel, 'answer'> {
  close(): Promise<void>;
}

const usualContextSize = 4096;

/** Tokens of all prompts computed in one go: cancelling is seen between. More gain nothing on a processor. */
const batchSize = { processor: 128, gpu: 512 };

interface Loaded {
  readonly model: LlamaModel;
  readonly template: ChatTemplate;
  readonly contextSize: number;
  /** Most tokens of one prompt in one go: every sequence has its share. */
  readonly pieceSize: number;
  readonly sequences: readonly LlamaSequence[];
}

export function ggufModel(file: string, options: GgufOptions): GgufModel {
  let loaded: Promise<Loaded> | undefined;
  return {
    async answer(requests, { rows, signal, onEvent } = {}) {
      throwIfAborted(signal);
      loaded ??= load(file, options, signal);
      const model = await loaded;
      const answers: LocalAnswer[] = [];
      let next = 0;
      let failed = false;
      const work = async (sequence: LlamaSequence): Promise<void> => {
        try {
          while (next < requests.length && !failed) {
            const row = next++;
            const request = requests[row] as LocalRequest;
            const answer = await answerOne(model, sequence, request, signal, (text) => onEvent?.({ row, text }));
            answers[row] = answer;
            onEvent?.({ row, answer } satisfies AnswerEvent);
          }
        } catch (error) {
          failed = true;
          throw error instanceof UnderstudyError ? error : failure(file, error);
        }
      };
      const ends = await Promise.allSettled(model.sequences.slice(0, rows).map(work));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      return answers;
    },
    async close() {
      // A model that could not be loaded has said so.
      await loaded?.then(({ model }) => model.dispose()).catch(() => {});
    },
  };
}

async function load(file: string, options: GgufOptions, signal: AbortSignal | undefined): Promise<Loaded> {
  ggufParts(file);
  const llama = await startLlama();
  await takeErrors();
  let model: LlamaModel | undefined;
  try {
    model = await llama.loadModel({ modelPath: file, ...(signal && { loadSignal: signal }) });
    return await prepare(model, llama, file, options);
  } catch (error) {
    await model?.dispose();
    if (error instanceof UnderstudyError) throw error;
    if (signal?.aborted) throw new InterruptedError();
    // The first says what is wrong, the others what therefore failed.
    const why = [(error as Error).message, ...(await takeErrors()).slice(0, 1)].join(': ');
    const isMemory = (error as Error).constructor.name === 'InsufficientMemoryError';
    const hint = 'each of `concurrency` answers takes memory for contextSize tokens: lower one of them';
    throw new ConfigError(`${file}: llama.cpp cannot load it: ${why}`, { cause: error, ...(isMemory && { hint }) });
  }
}

async function prepare(
  model: LlamaModel,
  { gpu, cpuMathCores }: Llama,
  file: string,
  { contextSize: wanted, sequences, threads, template }: GgufOptions,
): Promise<Loaded> {
  const { trainContextSize } = model;
  const contextSize = wanted ?? Math.min(usualContextSize, trainContextSize);
  if (contextSize > trainContextSize)
    throw new ConfigError(`contextSize ${contextSize}: ${file} was trained for ${trainContextSize} tokens`);
  const context = await model.createContext({
    contextSize,
    sequences,
    threads: threads ?? defaultThreads(cpuMathCores),
    batchSize: Math.min(contextSize, gpu === false ? batchSize.processor : batchSize.gpu),
  });
  return {
    model,
    template: templateOf(model, file, template),
    contextSize: Math.min(contextSize, context.contextSize),
    pieceSize: Math.max(16, Math.floor(context.batchSize / sequences)),
    sequences: Array.from({ length: sequences }, () => context.getSequence()),
  };
}

function templateOf({ tokens, fileInfo }: LlamaModel, file: string, setting: string | undefined): ChatTemplate {
  const special = {
    bosToken: tokens.bosString ?? undefined,
    eosToken: tokens.eosString ?? undefined,
    padToken: undefined,
    addsBos: tokens.shouldPrependBosToken,
  };
  if (setting !== undefined) return chosenTemplate(setting, special);
  const source = fileInfo.metadata.tokenizer?.chat_template;
  if (typeof source === 'string') return createChatTemplate(source, file, special);
  throw new ConfigError(`${file} has no chat template`, {
    hint: 'a base model has none: give `template` with the teacher: chatml, alpaca or a Jinja file',
  });
}

async function answerOne(
  { model, template, contextSize, pieceSize }: Loaded,
  sequence: LlamaSequence,
  { key, messages, maxTokens, sampling, stop }: LocalRequest,
  signal: AbortSignal | undefined,
  onText: (text: string) => void,
): Promise<LocalAnswer> {
  const { temperature, topK, topP, repetitionPenalty, seed } = sampling;
  invariant(repetitionPenalty === 1, 'a GGUF model has no penalty on repetition');
  const prompt = promptIds(model, template.render(messages, { addGenerationPrompt: true }));
  const inputTokens = prompt.length;
  const room = Math.min(maxTokens, contextSize - inputTokens);
  if (room <= 0) return { text: '', finishReason: 'length', inputTokens, outputTokens: 0 };
  throwIfAborted(signal);
  await sequence.clearHistory();
  let at = 0;
  for (; inputTokens - at > pieceSize; at += pieceSize) {
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, at + pieceSize));
    throwIfAborted(signal);
  }
  const text = startAnswerText(new StreamDecoder({ decode: (ids) => model.detokenize(ids, false) }), stop);
  const options = { temperature, topK, topP, minP: 0, seed: seedOf(key, seed) };
  let outputTokens = 0;
  let finishReason: LocalAnswer['finishReason'] = 'stop';
  for await (const id of sequence.evaluate(prompt.slice(at), options)) {
    throwIfAborted(signal);
    outputTokens += 1;
    const piece = text.push(id);
    if (piece !== '') onText(piece);
    if (text.stopped) break;
    if (outputTokens === room) {
      finishReason = 'length';
      break;
    }
  }
  const rest = text.finish();
  if (rest !== '') onText(rest);
  return { text: text.whole, finishReason, inputTokens, outputTokens };
}

/** Special tokens written out in the text become their ids, as everywhere; a bos token that the template wrote is enough. */
function promptIds(model: LlamaModel, text: string): readonly number[] {
  const ids = model.tokenize(text, true);
  const { bos, shouldPrependBosToken } = model.tokens;
  return shouldPrependBosToken && bos !== null && ids[0] !== bos ? [bos, ...ids] : ids;
}

/** Each request has its own random stream. 31 bits: below llama.cpp's sign for a random seed. */
const seedOf = (key: string, seed: number): number => Number.parseInt(sha256({ key, seed }).slice(0, 8), 16) >>> 1;

const failure = (file: string, error: unknown): WorkError =>
  new WorkError(`${file}: llama.cpp failed: ${(error as Error).message}`, { cause: error });
