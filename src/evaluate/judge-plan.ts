/**
 * What is put to a judge, and in which words (MT-bench's three modes, Zheng et al. 2023, arXiv 2306.05685; the wording is ours).
 * Each turn of a conversation is judged by itself, with the turns before it in view; two answers are shown in either
 * order. Coding and mathematical questions are judged by what counts there, beside a reference answer where there is one.
 * What is judged cannot break out of its place (src/text/frame.ts).
 */
import { invariant } from '../base/errors.ts';
import type { TeacherRequest } from '../teacher/teacher.ts';
import { frameTexts } from '../text/frame.ts';
import {
  fillPlaces,
  type JudgePrompt,
  type Point,
  type PromptLanguage,
  promptLanguage,
  readJudgePrompt,
} from './judge-prompts.ts';
import type { JudgeMode } from './judge-rows.ts';
import type { JudgedQuestion } from './question-files.ts';

export interface JudgedModel {
  readonly name: string;
  /** Question id → an answer to each of its turns; undefined where there is none. */
  readonly answers: ReadonlyMap<string, readonly (string | undefined)[]>;
}

/** One thing that is put to the judge once. */
export interface JudgeTask {
  readonly question: JudgedQuestion;
  /** From 1. */
  readonly turn: number;
  /** Whose answers are shown, in order. */
  readonly models: readonly string[];
  /** Of each of them the answers up to the turn. */
  readonly answers: readonly (readonly string[])[];
  /** From 0. */
  readonly sample: number;
}

export interface JudgePlan {
  readonly mode: JudgeMode;
  /** Name of the model that the others are compared with. Default: each with each. */
  readonly baseline?: string | undefined;
  readonly samples: number;
}

/** Two models whose answers are compared: figures are the first one's. */
export type Match = readonly [model: string, opponent: string];

/** Each against the baseline, or each against each that comes after it. */
export const matchesOf = (models: readonly string[], baseline: string | undefined): Match[] =>
  baseline === undefined
    ? models.flatMap((model, i) => models.slice(i + 1).map((opponent): Match => [model, opponent]))
    : models.filter((model) => model !== baseline).map((model): Match => [model, baseline]);

/** Question by question, turn by turn; both orders of a pair one after the other. Turns without an answer are left out. */
export function planJudgeTasks(
  questions: readonly JudgedQuestion[],
  models: readonly JudgedModel[],
  { mode, baseline, samples }: JudgePlan,
): JudgeTask[] {
  const names = models.map(({ name }) => name);
  const byName = new Map(models.map((model) => [model.name, model]));
  const shown: readonly (readonly string[])[] =
    mode === 'single'
      ? names.map((name) => [name])
      : matchesOf(names, baseline).flatMap(([model, opponent]) => [
          [model, opponent],
          [opponent, model],
        ]);
  const tasks: JudgeTask[] = [];
  for (const question of questions) {
    for (let turn = 1; turn <= question.turns.length; turn++) {
      for (let sample = 0; sample < samples; sample++) {
        for (const together of shown) {
          const answers = together.map((name) => answersUpTo(byName.get(name), question, turn));
          if (answers.every((one) => one !== undefined))
            tasks.push({ question, turn, models: together, answers, sample });
        }
      }
    }
  }
  return tasks;
}

function answersUpTo(model: JudgedModel | undefined, { id }: JudgedQuestion, turn: number): string[] | undefined {
  const given = model?.answers.get(id)?.slice(0, turn) ?? [];
  const there = given.filter((text) => text !== undefined);
  return there.length === turn ? there : undefined;
}

/** As test sets spell them. */
const codingCategory = /^(?:coding|code|programming|编程|代码)$/i;
const mathCategory = /^(?:maths?|mathematics|reasoning|logic|数学|推理|逻辑)$/i;

/** What the judge is told counts. */
export function pointsOf({ question, turn }: Pick<JudgeTask, 'question' | 'turn'>): Point[] {
  const { category, references } = question;
  const kind: Point = codingCategory.test(category) ? 'coding' : mathCategory.test(category) ? 'math' : 'general';
  const isGuided = kind !== 'general' && references[turn - 1] !== undefined;
  return [kind, ...(isGuided ? (['guided'] as const) : []), ...(turn > 1 ? (['turns'] as const) : [])];
}

export interface RequestSettings {
  /** As the teacher spells it. */
  readonly model: string;
  readonly maxTokens: number;
  readonly temperature: number;
}

export interface Judging {
  request(task: JudgeTask): TeacherRequest;
  prompt(task: JudgeTask): JudgePrompt;
}

/** Reads the wording of both languages. Throws DataError where a file of it is broken. */
export function openJudging(mode: JudgeMode, { model, maxTokens, temperature }: RequestSettings): Judging {
  const prompts: Record<PromptLanguage, JudgePrompt> = {
    en: readJudgePrompt(mode, 'en'),
    zh: readJudgePrompt(mode, 'zh'),
  };
  const prompt = ({ question }: JudgeTask): JudgePrompt => prompts[promptLanguage(question.language)];
  return {
    prompt,
    request(task) {
      const content = writeRequest(task, prompt(task));
      const parameters = { maxTokens, temperature };
      return { model, messages: [{ role: 'user', content }], parameters, sample: task.sample };
    },
  };
}

/** A text that is shown, and what stands before it where there are several. */
interface Shown {
  readonly label: string;
  readonly text: string;
}

function writeRequest(task: JudgeTask, prompt: JudgePrompt): string {
  const { question, turn, answers } = task;
  const which = pointsOf(task);
  const { context, turns, references } = question;
  const numbered = turn > 1;
  const said: Shown[] = [
    ...context.map(({ role, content }) => ({
      label: prompt.label(role === 'system' ? 'rules' : role),
      text: content,
    })),
    ...turns.slice(0, turn).map((text, i) => ({
      label: numbered ? prompt.label('turn', i + 1) : prompt.label('user'),
      text,
    })),
  ];
  const answered = answers.map((texts) =>
    texts.map((text, i): Shown => ({ label: prompt.label(i + 1 === turn ? 'last' : 'earlier', i + 1), text })),
  );
  const reference = which.includes('guided') ? [{ label: '', text: references[turn - 1] as string }] : [];
  const blocks = frameBlocks([said, reference, ...answered]);
  const [asked = '', guide = '', ...shown] = blocks;
  invariant(shown.length === task.models.length, 'writeRequest: an answer for each model');
  const [first = '', second = ''] = shown;
  return fillPlaces(prompt.asking(which), { question: asked, reference: guide, answer: first, first, second });
}

/** All texts under one code; a block of several has their labels. */
function frameBlocks(blocks: readonly (readonly Shown[])[]): string[] {
  const framed = frameTexts(blocks.flat().map(({ text }) => text));
  let at = 0;
  return blocks.map((block) => {
    const own = block.map(({ label }) => ({ label, text: framed[at++] as string }));
    return own.map(({ label, text }) => (own.length > 1 ? `${label}\n${text}` : text)).join('\n\n');
  });
}
