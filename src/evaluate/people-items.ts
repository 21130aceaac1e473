/**
 * What people are to compare: a question and two models' answers. Questions and answers come in the forms that `evaluate judge`
 * reads, or together in one file; of more than two models, every pair is an item. A conversation of several turns is one item:
 * its turns stand numbered under one another, on either side.
 */
import { ConfigError, DataError, type DataIssue } from '../base/errors.ts';
import { isObject, kindOf, readRows } from '../base/rows.ts';
import { matchAnswerFile } from './answer-files.ts';
import { type JudgedQuestion, readJudgedQuestions } from './question-files.ts';

export interface PeopleItem {
  /** The question's own id; with the two models where a study has more than one pair. */
  readonly id: string;
  readonly question: { readonly id: string; readonly language: string; readonly text: string };
  readonly modelA: string;
  readonly modelB: string;
  readonly answerA: string;
  readonly answerB: string;
}

/** A model's name and the file of its answers. */
export interface AnswersOf {
  readonly model: string;
  readonly file: string;
}

/** One question with the answers of two models or more, in their order. */
interface AnsweredQuestion {
  readonly question: PeopleItem['question'];
  readonly answers: ReadonlyMap<string, string>;
}

const hint =
  'write one question a line: {"id": "q1", "question": "…", "answers": {"model-1": "…", "model-2": "…"}}; or give questions ' +
  'alone, and the answers by --answers NAME=FILE NAME=FILE';

/**
 * `answers`: none where the rows of `file` have them. Throws DataError naming every broken row and every answer that is missing,
 * ConfigError where there are not two models.
 */
export function readPeopleItems(file: string, answers: readonly AnswersOf[] = []): PeopleItem[] {
  const questions = readJudgedQuestions(file);
  return toPairs(answers.length === 0 ? answeredIn(file, questions) : answeredBy(answers, questions));
}

/** Answers that stand beside their question: `answers: {model: text}`, or `before` and `after` of `evaluate compare`. */
function answeredIn(file: string, questions: readonly JudgedQuestion[]): AnsweredQuestion[] {
  const issues: DataIssue[] = [];
  const answered = readRows(file, hint).rows.map(({ row, value }, i) => {
    const { answers, before, after } = value as Readonly<Record<string, unknown>>;
    const given = answers ?? (before !== undefined && after !== undefined ? { before, after } : undefined);
    if (!isObject(given)) {
      issues.push({ row, path: 'answers', message: `expected {model: text, …}, got ${kindOf(given)}` });
      return { question: asked(questions[i]!), answers: new Map<string, string>() };
    }
    const texts = new Map<string, string>();
    for (const [model, answer] of Object.entries(given)) {
      const text = isObject(answer) ? answer['text'] : answer;
      if (typeof text === 'string') texts.set(model, text);
      else issues.push({ row, path: `answers.${model}`, message: `expected a text, got ${kindOf(text)}` });
    }
    const { length } = Object.keys(given);
    if (length < 2) issues.push({ row, path: 'answers', message: `expected two models or more, got ${length}` });
    return { question: asked(questions[i]!), answers: texts };
  });
  if (issues.length > 0) throw new DataError(file, issues, { hint });
  return answered;
}

function answeredBy(answers: readonly AnswersOf[], questions: readonly JudgedQuestion[]): AnsweredQuestion[] {
  const models = answers.map(({ model }) => model);
  const twice = models.find((model, i) => models.indexOf(model) !== i);
  if (twice !== undefined) throw new ConfigError(`--answers: expected each name once, got ${twice} again`);
  if (models.length < 2) {
    throw new ConfigError(`--answers: expected two models or more, got ${models.join(', ')} alone`, { hint });
  }
  const matched = answers.map(({ model, file }) => {
    const { answers: byQuestion, missing } = matchAnswerFile(file, questions);
    if (missing.length > 0) {
      const issues = missing.map(({ question, turn }) => ({
        message: `no answer to question ${JSON.stringify(question)}${turn > 1 ? `, turn ${turn}` : ''}`,
      }));
      throw new DataError(file, issues, {
        hint: 'people compare answers to the same questions: answer all, or ask fewer',
      });
    }
    return { model, byQuestion };
  });
  return questions.map((question) => ({
    question: asked(question),
    answers: new Map(
      matched.map(({ model, byQuestion }) => [model, numbered(byQuestion.get(question.id) as readonly string[])]),
    ),
  }));
}

const asked = ({ id, language, context, turns }: JudgedQuestion): PeopleItem['question'] => {
  const before = context.map(({ role, content }) => `[${role}] ${content}`);
  return { id, language, text: [...before, numbered(turns)].join('\n\n') };
};

const numbered = (texts: readonly string[]): string =>
  texts.length === 1 ? texts[0]! : texts.map((text, i) => `[${i + 1}] ${text}`).join('\n\n');

/** Of every question, each two of its models once, in the order in which they are given. */
function toPairs(questions: readonly AnsweredQuestion[]): PeopleItem[] {
  const pairs = questions.flatMap(({ question, answers }) => {
    const all = [...answers];
    return all.flatMap(([modelA, answerA], i) =>
      all.slice(i + 1).map(([modelB, answerB]) => ({ question, modelA, modelB, answerA, answerB })),
    );
  });
  const isOnePair = new Set(pairs.map(({ modelA, modelB }) => JSON.stringify([modelA, modelB]))).size === 1;
  return pairs.map((pair) => ({
    ...pair,
    id: isOnePair ? pair.question.id : `${pair.question.id} ${pair.modelA} : ${pair.modelB}`,
  }));
}
