/**
 * A teacher as judge of two answers: the requests, and what its verdicts say of before and after. Every question is put
 * twice, with the answers in either order, at temperature 0: a judge's liking for a place shows, and cancels. Asking is
 * the caller's (src/teacher), reading scores out of text is src/text/verdict.ts's. The wording stands in
 * assets/prompts/judge-pair.<language>.txt, its first line naming its version.
 * What is judged cannot break out of its place (src/text/frame.ts). For answers of any models judge-plan.ts plans.
 */
import { join } from 'node:path';
import { ConfigError, invariant } from '../base/errors.ts';
import { parseJsonl, readText } from '../base/jsonl.ts';
import type { Message } from '../base/message.ts';
import { assetsFolder } from '../base/paths.ts';
import type { Outcome } from '../teacher/caller.ts';
import type { TeacherRequest } from '../teacher/teacher.ts';
import { frameTexts } from '../text/frame.ts';
import { readPairVerdict } from '../text/verdict.ts';
import { fillPlaces, type PromptLanguage, promptLanguage, readPromptFile } from './judge-prompts.ts';
import { withoutVerdict } from './judge-verdicts.ts';
import type { EvaluationRow, JudgeProblem, JudgeScores } from './rows.ts';

/** What a judge is shown: the question with its reference, and the texts of both answers. */
export interface JudgeQuestion extends Pick<EvaluationRow, 'language' | 'prompt' | 'reference'> {
  readonly before: string;
  readonly after: string;
}

export interface JudgeSettings {
  /** As the teacher spells it. */
  readonly model: string;
  /** Most tokens a verdict may have. Default 256: its scores come first, three sentences of reason may be cut. */
  readonly maxTokens?: number;
  /** The version of the wording that is wanted; verdicts under different ones are not comparable. Default: this one's. */
  readonly promptVersion?: number;
  /**
   * Worked verdicts shown as earlier turns, so that a very small judge sees the form; every one costs a prompt's length.
   * Default 0. At most as many as assets/prompts/judge-examples.jsonl has in a language.
   */
  readonly examples?: number;
}

/** Of the wording in this installation. */
export const judgePromptVersion = 1;

/**
 * Two requests a question, in the order of the rows: `before` shown first, then `after` shown first. Throws a ConfigError
 * where the wording has another version than is asked for.
 */
export function planJudgeRequests(rows: readonly JudgeQuestion[], settings: JudgeSettings): TeacherRequest[] {
  const { model, maxTokens = 256, promptVersion = judgePromptVersion, examples = 0 } = settings;
  const templates = new Map(promptLanguages.map((language) => [language, readTemplate(language, promptVersion)]));
  const ask = (language: PromptLanguage, texts: JudgedTexts): Message => {
    return { role: 'user', content: fill(templates.get(language)!, texts) };
  };
  const shown = new Map(
    promptLanguages.map((language) => {
      const own = readExamples(language, examples);
      return [
        language,
        own.flatMap(({ verdict, ...texts }) => [
          ask(language, texts),
          { role: 'assistant', content: verdict } as const,
        ]),
      ];
    }),
  );
  return rows.flatMap((row) => {
    const language = promptLanguage(row.language);
    const orders = [
      [row.before, row.after],
      [row.after, row.before],
    ] as const;
    return orders.map(([first, second]) => ({
      model,
      messages: [...shown.get(language)!, ask(language, { ...row, question: row.prompt, first, second })],
      parameters: { maxTokens, temperature: 0 },
      sample: 0,
    }));
  });
}

/**
 * The verdicts of each question, in order: the first with `before` shown first, the second with `after` first. `outcomes`
 * are those of the requests of `planJudgeRequests`, all of them and in their order.
 */
export function readVerdicts(outcomes: readonly Outcome[]): JudgeScores[][] {
  invariant(outcomes.length % 2 === 0, `readVerdicts: expected two outcomes a question, got ${outcomes.length}`);
  return Array.from({ length: outcomes.length / 2 }, (_, i) => {
    const [beforeFirst, afterFirst] = outcomes.slice(2 * i, 2 * i + 2) as [Outcome, Outcome];
    return [readVerdict(beforeFirst, true), readVerdict(afterFirst, false)];
  });
}

function readVerdict({ key: call, answer, error }: Outcome, isBeforeFirst: boolean): JudgeScores {
  const without = (problem: JudgeProblem): JudgeScores => ({
    before: undefined,
    after: undefined,
    problem,
    raw: answer?.text ?? '',
    call,
  });
  if (error) return without({ kind: 'failed', reason: error.message });
  const verdict = readPairVerdict(answer.text);
  if ('unreadable' in verdict) return without(withoutVerdict(answer, verdict.unreadable));
  if (answer.finishReason === 'content-filter') return without(withoutVerdict(answer, ''));
  const [first, second] = verdict.scores;
  const [before, after] = isBeforeFirst ? [first, second] : [second, first];
  return { before, after, raw: answer.text, call };
}

const promptLanguages = ['en', 'zh'] as const satisfies readonly PromptLanguage[];
const placeholders = ['question', 'reference', 'first', 'second'] as const;
type JudgedTexts = Readonly<Record<(typeof placeholders)[number], string>>;

interface Template {
  readonly text: string;
  /** In place of a reference where there is none. */
  readonly noReference: string;
}

function readTemplate(language: PromptLanguage, wantedVersion: number): Template {
  const { file, version, sections } = readPromptFile(`judge-pair.${language}`, { asking: placeholders });
  if (version !== wantedVersion) {
    throw new ConfigError(
      `expected version ${wantedVersion} of the judge's prompt, got version ${version} in ${file}`,
      {
        hint: 'verdicts under different wordings are not comparable: judge again, or use the version that has this wording',
      },
    );
  }
  const noReference = language === 'zh' ? '（没有参考答案）' : '(There is none.)';
  return { text: sections.get('asking') as string, noReference };
}

/** The first `count` worked verdicts in a language; half of them prefer A, half B. */
function readExamples(language: PromptLanguage, count: number): (JudgedTexts & { readonly verdict: string })[] {
  const file = join(assetsFolder, 'prompts', 'judge-examples.jsonl');
  const all = parseJsonl(readText(file), file).map(({ value }) => value as Record<string, string>);
  const own = all.filter((example) => example['language'] === language);
  if (count > own.length) throw new ConfigError(`judge examples: expected at most ${own.length}, got ${count}`);
  return own.slice(0, count).map(({ prompt, reference, before, after, verdict }) => {
    invariant(prompt && reference && before && after && verdict, `${file} has an incomplete row`);
    return { question: prompt, reference, first: before, second: after, verdict };
  });
}

function fill({ text, noReference }: Template, texts: JudgedTexts): string {
  const framed = frameTexts(placeholders.map((name) => texts[name]));
  const values = Object.fromEntries(placeholders.map((name, i) => [name, framed[i] as string]));
  return fillPlaces(text, texts.reference.trim() === '' ? { ...values, reference: noReference } : values);
}
