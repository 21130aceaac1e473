/**
 * What can be measured of a model without a judge or people, and of a second model beside it:
 *   loss      of held-out texts: per token, as perplexity, and in bits per byte;
 *   exact     short questions with answers that a program can check, answered greedily;
 *   choice    questions with options, by the options' log-probabilities;
 *   forgot    the last two against the second model, such as the one before training: paired, corrected for two.
 * Answers go through the ledger: an interrupted evaluation goes on there. One model is measured whole before the other is
 * loaded. The measures themselves are in src/evaluate.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { sha256 } from '../src/base/hash.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import type { Message } from '../src/base/message.ts';
import { readConversations } from '../src/data/formats.ts';
import { guessLanguage } from '../src/data/guess-language.ts';
import type { Conversation } from '../src/data/records.ts';
import { readAnswers } from '../src/evaluate/answer-pairs.ts';
import {
  type AutomaticSummary,
  type ChoiceRow,
  type ExactRow,
  type LossRow,
  lossCell,
  summarizeAutomatic,
} from '../src/evaluate/automatic-summary.ts';
import {
  type CheckableSet,
  checkablePrompt,
  type MarkedAnswer,
  type MarkedChoice,
  markAnswer,
  markChoice,
  optionConversations,
  readCheckable,
} from '../src/evaluate/checkable.ts';
import { diversityByLanguage } from '../src/evaluate/diversity.ts';
import { learnedTurns, type TextLoss, textLoss } from '../src/evaluate/perplexity.ts';
import type { Scorer } from '../src/evaluate/scorer.ts';
import { baseFolder, isAdapterFolder } from '../src/model/adapter-folder.ts';
import { readModelConfig } from '../src/model/config.ts';
import { askAll } from '../src/teacher/caller.ts';
import type { TeacherRequest } from '../src/teacher/teacher.ts';
import { encodeConversation, loadChatTemplate } from '../src/text/chat-template.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { askProgress } from './ask-progress.ts';
import type { RunContext } from './context.ts';
import { folderOf, openLocalTeacher, openScorer } from './local-models.ts';

export interface AutomaticConfig {
  /** Held-out conversations in any of the formats; undefined: no loss. */
  readonly data?: string | undefined;
  /** Checkable questions. */
  readonly questions: readonly string[];
  /** Answers whose diversity is counted. */
  readonly answers?: string | undefined;
  /** Longest answer to a checkable question. */
  readonly maxTokens: number;
}

export interface AutomaticModels {
  /** Model folders, or `builtin`. */
  readonly model: string;
  readonly against?: string | undefined;
}

export const automaticFiles = {
  loss: 'loss.jsonl',
  exact: 'exact.jsonl',
  choice: 'choice.jsonl',
  summary: 'summary.json',
} as const;

export async function run(
  config: AutomaticConfig,
  models: AutomaticModels,
  folder: string,
  context: RunContext,
): Promise<AutomaticSummary> {
  const { model, against } = models;
  const questions = readCheckable(config.questions);
  const all = config.data === undefined ? [] : readConversations(config.data);
  // Its set-up makes the embedded model, whose tokenizer is needed next.
  await context.engine();
  const tooLong = new Set([model, ...(against === undefined ? [] : [against])].flatMap((one) => tooLongFor(one, all)));
  const texts = all.filter(({ id }) => !tooLong.has(id));

  const measured = await measure('model', model, texts, questions, config, context);
  const other =
    against === undefined ? undefined : await measure('against', against, texts, questions, config, context);

  const both = <T>(first: T, second: T | undefined) => ({
    model: first,
    ...(second !== undefined && { against: second }),
  });
  const rows = {
    loss: texts.map((text, i): LossRow => {
      const second = other?.losses[i];
      const cells = both(lossCell(measured.losses[i]!), second && lossCell(second));
      return { id: text.id, language: languageOf(text), ...cells };
    }),
    exact: questions.exact.map((one, i): ExactRow => ({ ...one, ...both(measured.exact[i]!, other?.exact[i]) })),
    choice: questions.choice.map((one, i): ChoiceRow => ({ ...one, ...both(measured.choice[i]!, other?.choice[i]) })),
  };
  const summary = summarizeAutomatic(rows, {
    ...both(measured.name, other?.name),
    questions: sha256([...questions.exact, ...questions.choice].map((one) => [checkablePrompt(one), one])).slice(0, 12),
    hasTexts: config.data !== undefined,
    tooLong: [...tooLong],
    diversity: config.answers === undefined ? undefined : diversityOf(config.answers),
  });
  for (const name of ['loss', 'exact', 'choice'] as const)
    writeFileAtomic(join(folder, automaticFiles[name]), toJsonl(rows[name]));
  writeJsonAtomic(join(folder, automaticFiles.summary), summary);
  return summary;
}

export const diversityOf = (file: string) => diversityByLanguage(readAnswers(file).map(({ text }) => text));

interface Measured {
  readonly name: string;
  readonly losses: readonly TextLoss[];
  readonly exact: readonly MarkedAnswer[];
  readonly choice: readonly MarkedChoice[];
}

async function measure(
  which: 'model' | 'against',
  model: string,
  texts: readonly Conversation[],
  questions: CheckableSet,
  config: AutomaticConfig,
  context: RunContext,
): Promise<Measured> {
  const scorer = await openScorer(await context.engine(), model);

  const turns = texts.map(learnedTurns);
  const turnScores = await score(`loss, ${which}`, scorer, turns.flat(), context);
  const ofText = taker(turnScores);
  const losses = texts.map(({ id }, i) => textLoss(id, turns[i]!, ofText(turns[i]!.length)));

  const options = questions.choice.map(optionConversations);
  const optionScores = await score(`choices, ${which}`, scorer, options.flat(), context);
  const ofQuestion = taker(optionScores);
  const choice = questions.choice.map((one) => markChoice(ofQuestion(one.options.length), one));

  const answers = await shortAnswers(which, model, questions, config, context);
  const exact = questions.exact.map((one, i) => markAnswer(answers[i]!, one));
  return { name: scorer.name, losses, exact, choice };
}

/** Gives the next so many of a list. */
function taker<T>(all: readonly T[]): (count: number) => readonly T[] {
  let at = 0;
  return (count) => {
    at += count;
    return all.slice(at - count, at);
  };
}

async function score(
  label: string,
  scorer: Scorer,
  conversations: readonly (readonly Message[])[],
  { signal, progress }: RunContext,
) {
  if (conversations.length === 0) return [];
  const bar = progress(label);
  const scores = await scorer.score(conversations, {
    signal,
    onProgress: (done) => bar.update(done, conversations.length),
  });
  bar.finish(`${scores.length} turns`);
  return scores;
}

async function shortAnswers(
  which: string,
  model: string,
  { exact }: CheckableSet,
  { maxTokens }: AutomaticConfig,
  { engine, ledger, signal, progress }: RunContext,
): Promise<string[]> {
  if (exact.length === 0) return [];
  const teacher = await openLocalTeacher(await engine(), model);
  const requests = exact.map((question): TeacherRequest => {
    const parameters = { maxTokens, temperature: 0 };
    return { model: teacher.model, messages: checkablePrompt(question), parameters, sample: 0 };
  });
  const shown = askProgress(progress(`short answers, ${which}`));
  const outcomes = await askAll(requests, { teacher, ledger, stage: `checkable-${which}`, signal, ...shown.listen });
  shown.finish();
  return outcomes.map(({ answer, error }) => {
    if (error) throw error;
    return answer.text;
  });
}

/** Ids of the conversations that a model has too few positions for. */
function tooLongFor(model: string, texts: readonly Conversation[]): string[] {
  if (texts.length === 0) return [];
  const folder = folderOf(model);
  const base = isAdapterFolder(folder) ? baseFolder(folder) : folder;
  const tokenizer = loadTokenizer(base);
  // As src/local/loaded-model has it: a template beside adapters goes before that of their model.
  const ownTemplate = join(folder, 'chat_template.jinja');
  const template = loadChatTemplate(base, tokenizer, existsSync(ownTemplate) ? ownTemplate : undefined);
  const { maxPositions } = readModelConfig(base);
  return texts
    .filter(({ messages }) => encodeConversation(tokenizer, template, messages).ids.length > maxPositions)
    .map(({ id }) => id);
}

const languageOf = ({ language, messages }: Conversation): string =>
  language ?? guessLanguage(messages.find(({ role }) => role === 'user')?.content ?? '');
