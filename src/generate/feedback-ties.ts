/**
 * Answers of one score put to the teacher again, two at a time and in both orders: which is better? One that wins both times is;
 * verdicts that disagree, or cannot be read, leave the tie. And what scores and such verdicts come to: ranks. Of scores that
 * GPT-4 gave to good models 76 to 90 % are exactly 9 (Peng et al.'s published comparisons), so ties decide how much is learned.
 */
import { invariant } from '../base/errors.ts';
import { type Preference, rankScores } from '../data/preferences.ts';
import { askChecked, type Checked, type Fault } from '../teacher/ask-checked.ts';
import type { CallerOptions } from '../teacher/caller.ts';
import type { TeacherAnswer, TeacherRequest } from '../teacher/teacher.ts';
import { type Choice, readChoiceVerdict } from '../text/verdict.ts';
import { CallFailures } from './failures.ts';
import {
  frameConversation,
  type PromptLanguage,
  promptLanguage,
  type ScoredCandidate,
  type ScoredGroup,
} from './feedback.ts';
import { fillPrompt, promptFile, readPrompt } from './prompts.ts';

/** Two answers of one score, by their places, and who won. */
export interface Duel {
  readonly places: readonly [number, number];
  /** `disagree`: each order had another winner, or one of them none. */
  readonly result: 'first' | 'second' | 'tie' | 'disagree' | 'unreadable' | 'failed';
  /** Ledger keys of both orders and their repetitions. */
  readonly calls: readonly string[];
  /** What was said where a verdict could not be read. */
  readonly unread: readonly string[];
}

export interface DuelSettings {
  readonly maxTokens: number;
}

/** Every two scored candidates of one score. */
export function tiedTwos(candidates: readonly Pick<ScoredCandidate, 'score'>[]): [number, number][] {
  return candidates.flatMap(({ score }, i) =>
    candidates.flatMap((other, j): [number, number][] =>
      j > i && score !== undefined && other.score === score ? [[i, j]] : [],
    ),
  );
}

interface DuelTask {
  readonly group: ScoredGroup;
  /** In the order they are shown. */
  readonly places: readonly [number, number];
}

interface ChoiceFault extends Fault {
  readonly language: PromptLanguage;
}

/** The function it returns makes the request that compares two answers, in the order of their places. */
export function duelRequests(model: string, { maxTokens }: DuelSettings): (task: DuelTask) => TeacherRequest {
  const prompts = { en: pairPrompt('en'), zh: pairPrompt('zh') };
  return ({ group, places }) => {
    const language = promptLanguage(group.language);
    const texts = places.map((place) => group.candidates[place]?.content as string);
    const { conversation, answers } = frameConversation(group.prompt, language, texts);
    const [first, second] = answers as readonly [string, string];
    const content = fillPrompt(prompts[language].asking, { conversation, first, second });
    return { model, messages: [{ role: 'user', content }], parameters: { maxTokens, temperature: 0 }, sample: 0 };
  };
}

/** Every group, in order, with its ties re-judged. `total`: tied twos, for progress. */
export async function* settleTies(
  groups: () => Iterable<ScoredGroup> | AsyncIterable<ScoredGroup>,
  total: number,
  settings: DuelSettings,
  ask: CallerOptions,
): AsyncGenerator<{ readonly group: ScoredGroup; readonly duels: readonly Duel[] }> {
  const prompts = { en: pairPrompt('en'), zh: pairPrompt('zh') };
  const asking = { request: duelRequests(ask.teacher.model, settings), check };
  const complaint = (fault: Fault): string => prompts[(fault as ChoiceFault).language].complaint;
  async function* tasks(): AsyncGenerator<DuelTask> {
    for await (const group of groups()) {
      for (const [a, b] of tiedTwos(group.candidates)) {
        yield { group, places: [a, b] };
        yield { group, places: [b, a] };
      }
    }
  }
  const failures = new CallFailures();
  const outcomes = askChecked<DuelTask, Choice>(tasks, 2 * total, asking, { ...ask, complaint });
  const next = async () => {
    const { value, done } = await outcomes.next();
    invariant(!done, 'settleTies: the groups are not the same a second time');
    failures.count(value.error);
    return value;
  };
  for await (const group of groups()) {
    const duels: Duel[] = [];
    for (const places of tiedTwos(group.candidates)) {
      const [forth, back] = [await next(), await next()];
      const both = [forth, back];
      const failed = both.some(({ error }) => error);
      const unread = both.flatMap(({ result, answer }) => (result.fault && answer ? [answer.text] : []));
      const [one, other] = both.map(({ result }) => result.value);
      duels.push({
        places,
        result: one && other ? decide(one, other) : failed ? 'failed' : 'unreadable',
        calls: both.flatMap(({ calls }) => calls),
        unread,
      });
    }
    yield { group, duels };
  }
  await outcomes.return(undefined);
  failures.assertAnswered(ask.teacher);
}

/** `back`: with the answers the other way round. */
function decide(forth: Choice, back: Choice): Duel['result'] {
  if (forth === 'tie' && back === 'tie') return 'tie';
  if (forth === 'first' && back === 'second') return 'first';
  return forth === 'second' && back === 'first' ? 'second' : 'disagree';
}

function check({ text, finishReason }: TeacherAnswer, { group }: DuelTask): Checked<Choice> {
  const fault = (detail: string, again: Fault['again'] & string): Checked<Choice> => {
    const found: ChoiceFault = { reason: 'unreadable', detail, again, language: promptLanguage(group.language) };
    return { fault: found };
  };
  if (finishReason === 'content-filter') return fault('withheld by a content filter', 'anew');
  const verdict = readChoiceVerdict(text);
  if ('choice' in verdict) return { value: verdict.choice };
  return finishReason === 'length'
    ? fault(`${verdict.unreadable} (cut off)`, 'longer')
    : fault(verdict.unreadable, 'told');
}

function pairPrompt(language: PromptLanguage) {
  const { parts } = readPrompt(promptFile(`feedback-pair-${language}`), 2, ['conversation', 'first', 'second']);
  const [asking, complaint] = parts as readonly [string, string];
  return { asking, complaint };
}

/**
 * The scored answers of a group, ranked: by score, and answers of one score by their wins less their losses against each other.
 * Where such a rank says what no verdict said (neither won, or the other one did), the two are undecided and no pair.
 */
export function rankAnswers(
  candidates: readonly ScoredCandidate[],
  duels: readonly Duel[],
): Pick<Preference, 'answers' | 'undecided'> {
  const net = candidates.map(() => 0);
  for (const { places, result } of duels) {
    if (result !== 'first' && result !== 'second') continue;
    const [winner, loser] = result === 'first' ? places : [places[1], places[0]];
    net[winner]! += 1;
    net[loser]! -= 1;
  }
  const places = [...candidates.keys()].filter((place) => candidates[place]?.score !== undefined);
  const scores = places.map((place) => candidates[place]?.score as number);
  const byScore = rankScores(scores);
  const ranks = places.map((place, i) => {
    const better = places.filter((other, j) => scores[j] === scores[i] && net[other]! > net[place]!);
    return (byScore[i] as number) + better.length;
  });
  const rankOf = new Map(places.map((place, i) => [place, ranks[i] as number]));
  const answers = places.map((place, i) => {
    const { content, source, verdicts, score } = candidates[place] as ScoredCandidate & { readonly score: number };
    const reason = nearest(verdicts, score);
    return { content, rank: ranks[i] as number, score, source, ...(reason === '' ? {} : { reason }) };
  });
  const undecided = duels.flatMap(({ places: [a, b], result }): [string, string][] => {
    const gap = (rankOf.get(b) as number) - (rankOf.get(a) as number);
    const said = result === 'first' ? 1 : result === 'second' ? -1 : 0;
    const isSaid = gap === 0 || Math.sign(gap) === said;
    return isSaid ? [] : [[candidates[a]?.content as string, candidates[b]?.content as string]];
  });
  return { answers, ...(undecided.length === 0 ? {} : { undecided }) };
}

/** The reason of the verdict whose score is nearest to the mean; the first of several. */
function nearest(verdicts: ScoredCandidate['verdicts'], mean: number): string {
  const away = ({ score }: { readonly score: number }): number => Math.abs(score - mean);
  const [first, ...others] = verdicts;
  if (!first) return '';
  return others.reduce((best, one) => (away(one) < away(best) ? one : best), first).reason;
}
