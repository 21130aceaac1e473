/**
 * Finds training rows that give away a held-out question: a turn of the user's shares eight words in a row with the
 * question (thirteen characters for Chinese), or the whole of a shorter question, or is alike by ROUGE-L. It removes
 * nothing. The lengths follow GPT-3's (Brown et al. 2020, arXiv 2005.14165, appendix C: 8 to 13 words).
 * White space, punctuation and case do not count. In Chinese a Latin word or a number is one unit, as a character is:
 * what “JavaScript” and six characters around it have in common with another task is 7 units, not 16.
 */
import { hasCjk, splitCjk } from '../text/words.ts';
import type { Question } from './formats.ts';
import { noveltyThreshold, SimilarTexts, unicodeWords } from './novelty.ts';
import type { Conversation } from './records.ts';

export const contaminationWords = 8;
export const contaminationCharacters = 13;

export interface Contamination {
  /** Index in the conversations given, and its id. */
  readonly row: number;
  readonly id: string;
  /** Id of the question. */
  readonly question: string;
  readonly reason: 'shared run' | 'similar';
  /** The run in common, or the ROUGE-L F. */
  readonly detail: string;
}

/** One finding for each row and question, in order of rows, then of questions. */
export function contaminated(
  conversations: readonly Conversation[],
  questions: readonly Pick<Question, 'id' | 'prompt'>[],
): Contamination[] {
  const findRuns = runFinder(questions);
  const findSimilar = similarityFinder(questions);
  return conversations.flatMap(({ id, messages }, row) => {
    const turns = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
    const similar = findSimilar(turns);
    const runs = findRuns(turns);
    return questions.flatMap((question, i): Contamination[] => {
      const run = runs.get(i);
      const f = similar.get(i);
      const found = { row, id, question: question.id };
      if (run !== undefined) return [{ ...found, reason: 'shared run', detail: run }];
      if (f !== undefined) return [{ ...found, reason: 'similar', detail: `ROUGE-L F ${f.toFixed(3)}` }];
      return [];
    });
  });
}

type Kind = 'characters' | 'words';

/** Of the text as it would look to a reader: full-width letters are letters, ligatures are taken apart. */
function unitsOf(text: string, kind: Kind): string[] {
  const words = unicodeWords(text.normalize('NFKC'));
  return kind === 'words' ? words : words.flatMap(splitCjk);
}

/** All runs of `length` tokens, joined. */
const runsOf = (tokens: readonly string[], length: number): string[] =>
  Array.from({ length: Math.max(0, tokens.length - length + 1) }, (_, i) => tokens.slice(i, i + length).join(' '));

/** Question index → the first run in common. */
function runFinder(questions: readonly { prompt: string }[]): (turns: readonly string[]) => Map<number, string> {
  const index = { words: indexRuns(questions, 'words'), characters: indexRuns(questions, 'characters') };
  return (turns) => {
    const found = new Map<number, string>();
    for (const turn of turns) {
      for (const kind of ['words', 'characters'] as const) {
        const units = unitsOf(turn, kind);
        for (const [length, byRun] of index[kind]) {
          for (const run of runsOf(units, length)) {
            for (const i of byRun.get(run) ?? []) if (!found.has(i)) found.set(i, run);
          }
        }
      }
    }
    return found;
  };
}

/** Length of run → run → indices of the questions of that kind that have it. */
function indexRuns(questions: readonly { prompt: string }[], kind: Kind): Map<number, Map<string, number[]>> {
  const index = new Map<number, Map<string, number[]>>();
  for (const [i, { prompt }] of questions.entries()) {
    if (hasCjk(prompt) !== (kind === 'characters')) continue;
    const units = unitsOf(prompt, kind);
    const length = Math.min(units.length, kind === 'words' ? contaminationWords : contaminationCharacters);
    if (length === 0) continue;
    const byRun = index.get(length) ?? new Map<string, number[]>();
    index.set(length, byRun);
    for (const run of new Set(runsOf(units, length))) byRun.set(run, [...(byRun.get(run) ?? []), i]);
  }
  return index;
}

/** Question index → its F with the most similar turn, where that is above the threshold. */
function similarityFinder(questions: readonly { prompt: string }[]): (turns: readonly string[]) => Map<number, number> {
  const texts = new SimilarTexts(noveltyThreshold);
  for (const { prompt } of questions) texts.add(prompt);
  return (turns) => {
    const found = new Map<number, number>();
    for (const turn of turns) {
      for (const { order, f } of texts.above(turn)) found.set(order, Math.max(f, found.get(order) ?? 0));
    }
    return found;
  };
}
