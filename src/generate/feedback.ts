/**
 * How good several answers to one prompt are, by a teacher's word: 1 to 10 each, halves too, with a reason (the comparison
 * data of Peng et al. 2023, arXiv 2304.03277, section 3.2). The teacher sees the answers side by side as numbered texts in an
 * order drawn by seed, and nothing of who wrote them. Side by side rather than one by one, so that scores of a prompt are on
 * one scale and small differences show; what the place in the list does to a score is spread over all by the drawing, and,
 * where there are several verdicts, each answer stands at another place in each. Who is asked in another way implements
 * `Scoring`. Ties are feedback-ties.ts's; reading scores out of a text is feedback-verdict.ts's.
 */
import type { Message } from '../base/message.ts';
import { Rng } from '../base/rng.ts';
import { askChecked, type Checked, type CheckedOutcome, type Fault } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { frameTexts } from '../text/frame.ts';
import { oneToTen, type Unreadable } from '../text/verdict.ts';
import { CallFailures } from './failures.ts';
import { type ListVerdict, readListVerdict, type Scored } from './feedback-verdict.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

/** An answer to be scored. A prompt's answers have different texts. */
export interface Candidate {
  readonly content: string;
  /** Who wrote it; never shown to the teacher. */
  readonly source: string;
  /** Others who wrote the same. */
  readonly also?: readonly string[];
  /** Ledger keys of the calls that brought it. */
  readonly calls: readonly string[];
}

export interface CandidateGroup {
  readonly id: string;
  /** Ends with the user's turn. */
  readonly prompt: readonly Message[];
  /** ISO 639-1. Chinese ones are scored by a Chinese prompt, all others by an English one. */
  readonly language: string;
  readonly category?: string;
  readonly file: string;
  readonly row: number;
  readonly candidates: readonly Candidate[];
}

/** One request: some of a group's answers. */
export interface ScoreTask {
  readonly group: CandidateGroup;
  /** Which of several verdicts, from 0. */
  readonly verdict: number;
  /** Places among the candidates, in the order they are shown. */
  readonly shown: readonly number[];
}

/** A way to get scores. */
export interface Scoring {
  /** All of a group, in order. */
  tasks(group: CandidateGroup): ScoreTask[];
  request(task: ScoreTask): TeacherRequest;
  read(text: string, task: ScoreTask): ListVerdict;
  /** What the teacher is told of a reply that lacks the scores of these answers, by their numbers from 1. */
  complaint(task: ScoreTask, missing: readonly number[]): string;
}

export interface ScoreSettings {
  /** Of each group; several are averaged. */
  readonly verdicts: number;
  /** Most answers shown in one request. Default: all of the group; 1: each by itself. */
  readonly atOnce?: number | undefined;
  readonly temperature: number;
  /** Longest verdict, for each answer shown. */
  readonly maxTokens: number;
  readonly seed: number;
}

/** A verdict in which some answers have no score, asked again as well: what it has is kept, or none of it. */
export type PartialPolicy = 'keep' | 'drop';

export interface AnswerVerdict extends Scored {
  /** Ledger key. */
  readonly call: string;
  /** Where it was shown, from 1. */
  readonly place: number;
}

export interface ScoredCandidate extends Candidate {
  readonly verdicts: readonly AnswerVerdict[];
  /** The mean of its verdicts; undefined where there is none. */
  readonly score?: number;
  /** Why there is none. `failed`: the teacher said nothing. */
  readonly problem?: 'unreadable' | 'failed';
}

/** A request that did not bring all scores, with what was said last. */
export interface UnreadVerdict {
  readonly problem: 'partial' | 'unreadable' | 'failed';
  readonly detail: string;
  readonly text: string;
  readonly calls: readonly string[];
}

export interface ScoredGroup extends Omit<CandidateGroup, 'candidates'> {
  readonly candidates: readonly ScoredCandidate[];
  /** Ledger keys of all requests and their repetitions. */
  readonly calls: readonly string[];
  readonly requests: number;
  readonly unread: readonly UnreadVerdict[];
}

/** A sample's numbers are far apart, so that one that is asked anew is not the next one. */
const samplesApart = 16;

/** A teacher that reads the answers. */
export function teacherScoring(model: string, settings: ScoreSettings): Scoring {
  const { verdicts, temperature, maxTokens, seed } = settings;
  const prompts = { en: scorePrompt('en'), zh: scorePrompt('zh') };
  const promptOf = ({ group }: ScoreTask) => prompts[promptLanguage(group.language)];
  return {
    tasks(group) {
      const { atOnce = group.candidates.length } = settings;
      return Array.from({ length: verdicts }, (_, verdict) =>
        chunks(drawOrder(group, verdict, seed), atOnce).map((shown) => ({ group, verdict, shown })),
      ).flat();
    },
    request(task) {
      const { group, shown, verdict } = task;
      const language = promptLanguage(group.language);
      const answers = shown.map((place) => group.candidates[place]?.content as string);
      const framed = frameConversation(group.prompt, language, answers);
      const numbered = framed.answers.map((answer, i) => `${numberName[language]}${i + 1}:\n${answer}`);
      const values = { conversation: framed.conversation, answers: numbered.join('\n\n'), count: shown.length };
      return {
        model,
        messages: [{ role: 'user', content: fillPrompt(promptOf(task).asking, values) }],
        parameters: { maxTokens: maxTokens * shown.length, temperature },
        sample: verdict * samplesApart,
      };
    },
    read: (text, { shown }) => readListVerdict(text, shown.length, oneToTen),
    complaint: (task, missing) => fillPrompt(promptOf(task).complaint, { missing: missing.join(', ') }),
  };
}

/** Each verdict's is the one before turned by one place, so that an answer is shown at every place; then it is drawn anew. */
function drawOrder({ id, candidates }: CandidateGroup, verdict: number, seed: number): number[] {
  const count = candidates.length;
  const turn = verdict % count;
  const drawn = new Rng('feedback order', seed, id, Math.floor(verdict / count)).shuffle([...candidates.keys()]);
  return [...drawn.slice(turn), ...drawn.slice(0, turn)];
}

/** As few as `most` allows, of nearly equal size: no answer is left to stand alone. */
function chunks<T>(items: readonly T[], most: number): T[][] {
  const count = Math.ceil(items.length / most);
  const border = (i: number): number => Math.round((i * items.length) / count);
  return Array.from({ length: count }, (_, i) => items.slice(border(i), border(i + 1)));
}

export type PromptLanguage = 'en' | 'zh';
export const promptLanguage = (language: string): PromptLanguage => (language === 'zh' ? 'zh' : 'en');

const numberName: Record<PromptLanguage, string> = { en: 'Answer ', zh: '回答' };
const roleNames: Record<PromptLanguage, Record<Message['role'], string>> = {
  en: { system: 'What the assistants were told beforehand:', user: 'User:', assistant: 'Assistant:' },
  zh: { system: '事先给助手的要求：', user: '用户：', assistant: '助手：' },
};

/** Turns with their roles, and answers, all under one code. */
export function frameConversation(
  prompt: readonly Message[],
  language: PromptLanguage,
  answers: readonly string[],
): { readonly conversation: string; readonly answers: readonly string[] } {
  const framed = frameTexts([...prompt.map(({ content }) => content), ...answers]);
  const turns = prompt.map(({ role }, i) => `${roleNames[language][role]}\n${framed[i]}`);
  return { conversation: turns.join('\n\n'), answers: framed.slice(prompt.length) };
}

function scorePrompt(language: PromptLanguage) {
  const file = promptFile(`feedback-scores-${language}`);
  const { parts } = readPrompt(file, 2, ['conversation', 'answers', 'count', 'missing']);
  const [asking, complaint] = parts as readonly [string, string];
  return { asking, complaint };
}

interface ScoreFault extends Fault {
  readonly complaint: string;
}

/**
 * In the order of the groups, which must be the same each time they are gone through. Groups without a task are left out.
 * `total`: of the tasks, for progress.
 */
export async function* scoreGroups(
  groups: () => Iterable<CandidateGroup> | AsyncIterable<CandidateGroup>,
  total: number,
  scoring: Scoring,
  partial: PartialPolicy,
  ask: CallerOptions,
): AsyncGenerator<ScoredGroup> {
  const asking = {
    request: (task: ScoreTask) => scoring.request(task),
    check: (answer: TeacherAnswer, task: ScoreTask) => check(answer, task, scoring),
  };
  async function* tasks(): AsyncGenerator<ScoreTask> {
    for await (const group of groups()) yield* scoring.tasks(group);
  }
  const complaint = (fault: Fault): string => (fault as ScoreFault).complaint;
  const failures = new CallFailures();
  let own: TaskResult[] = [];
  for await (const outcome of askChecked<ScoreTask, readonly Scored[]>(tasks, total, asking, { ...ask, complaint })) {
    failures.count(outcome.error);
    const { group } = outcome.item;
    if (own[0] && own[0].task.group !== group) {
      yield together(own);
      own = [];
    }
    own.push(resultOf(outcome, scoring, partial, ask));
  }
  if (own.length > 0) yield together(own);
  failures.assertAnswered(ask.teacher);
}

function check({ text, finishReason }: TeacherAnswer, task: ScoreTask, scoring: Scoring): Checked<readonly Scored[]> {
  const verdict = scoring.read(text, task);
  const scored = verdict.filter((one): one is Scored => 'score' in one);
  if (scored.length === verdict.length && finishReason !== 'content-filter') return { value: scored };
  const missing = verdict.flatMap((one, i) => ('score' in one ? [] : [i + 1]));
  const why = (verdict.find((one): one is Unreadable => 'unreadable' in one) ?? { unreadable: 'no score' }).unreadable;
  const faults = {
    'content-filter': ['withheld by a content filter', 'anew'],
    length: [`${why} (cut off)`, 'longer'],
    stop: [why, 'told'],
    other: [why, 'told'],
  } as const;
  const [detail, again] = faults[finishReason];
  const fault: ScoreFault = { reason: 'unreadable', detail, again, complaint: scoring.complaint(task, missing) };
  return { fault };
}

/** What one request came to. */
interface TaskResult {
  readonly task: ScoreTask;
  readonly calls: readonly string[];
  /** Of the answers shown, in that order. */
  readonly verdicts: readonly (AnswerVerdict | undefined)[];
  readonly unread?: UnreadVerdict;
}

function resultOf(
  { item: task, calls, answer, error, result }: CheckedOutcome<ScoreTask, readonly Scored[]>,
  scoring: Scoring,
  partial: PartialPolicy,
  { ledger }: CallerOptions,
): TaskResult {
  const placed = (verdict: ListVerdict, call: string) =>
    verdict.map((one, i) => ('score' in one ? { ...one, call, place: i + 1 } : undefined));
  if (!result.fault) return { task, calls, verdicts: placed(result.value, calls.at(-1) as string) };
  // Of several askings the one with most scores counts, the later of two.
  const said = ledger.lookup(calls);
  const readings = calls.flatMap((call) => {
    const found = said.get(call)?.answer;
    return found && found.finishReason !== 'content-filter' ? [placed(scoring.read(found.text, task), call)] : [];
  });
  const numScores = (verdicts: TaskResult['verdicts']): number => verdicts.filter((one) => one).length;
  const none: TaskResult['verdicts'] = task.shown.map(() => undefined);
  const best = readings.reduce((most, one) => (numScores(one) >= numScores(most) ? one : most), none);
  const found = numScores(best) > 0 ? 'partial' : error ? 'failed' : 'unreadable';
  const { reason, detail = reason } = result.fault;
  return {
    ...{ task, calls },
    verdicts: partial === 'keep' ? best : none,
    unread: { problem: found, detail, text: answer?.text ?? '', calls },
  };
}

function together(results: readonly TaskResult[]): ScoredGroup {
  const { group } = (results[0] as TaskResult).task;
  const verdicts: AnswerVerdict[][] = group.candidates.map(() => []);
  const hasFailed = new Set<number>();
  for (const { task, verdicts: found, unread } of results) {
    for (const [i, place] of task.shown.entries()) {
      const one = found[i];
      if (one) verdicts[place]?.push(one);
      else if (unread?.problem === 'failed') hasFailed.add(place);
    }
  }
  const candidates = group.candidates.map((candidate, place): ScoredCandidate => {
    const own = verdicts[place] as AnswerVerdict[];
    if (own.length === 0)
      return { ...candidate, verdicts: own, problem: hasFailed.has(place) ? 'failed' : 'unreadable' };
    return { ...candidate, verdicts: own, score: own.reduce((sum, { score }) => sum + score, 0) / own.length };
  });
  return {
    ...group,
    candidates,
    calls: results.flatMap(({ calls }) => calls),
    requests: results.length,
    unread: results.flatMap(({ unread }) => (unread ? [unread] : [])),
  };
}
