/**
 * What Peng et al. 2023 (arXiv 2304.03277) published, as numbers: shown beside ours where the questions are the same. Taken
 * from plots/main_plots.ipynb (the cells are named) and plots/data of the authors' repository GPT-4-LLM at 80cda62.
 */
import { sha256 } from '../base/hash.ts';

/** Sets of questions that the paper has figures on. */
export type KnownSet = 'vicuna-80' | 'user-oriented-252';

/** By the SHA-256 of the questions' texts, trimmed and sorted: not of a file, whose form and order say nothing. */
const knownSets: Readonly<Record<string, KnownSet>> = {
  '803614b1f82629b0dbb647a4da537d2a2569666f6b0653062e9e280ebd496460': 'vicuna-80',
  d9b1434aec6971ead624fd600b1e64ba793c637d1b8f40d6cf73c2ed802a7541: 'user-oriented-252',
};

/** `texts`: of each question all that was asked, turns joined by line ends. undefined for any other set, or a part of one. */
export const knownSetOf = (texts: readonly string[]): KnownSet | undefined =>
  knownSets[sha256(texts.map((text) => text.trim()).sort())];

export interface PublishedScore {
  readonly model: string;
  /** Sums of scores from 1 to 10 over 80 questions. */
  readonly score: number;
  readonly reference: number;
}

const scores = (rows: readonly (readonly [string, number, number])[]): PublishedScore[] =>
  rows.map(([model, score, reference]) => ({ model, score, reference }));

/** GPT-4 as judge, both answers scored beside a reference model's; cells 22 and 24 (the paper's figure 4). */
export const publishedScores: readonly {
  readonly reference: string;
  readonly source: string;
  readonly rows: readonly PublishedScore[];
}[] = [
  {
    reference: 'ChatGPT',
    source: 'Peng et al. 2023, main_plots.ipynb, cell 24',
    rows: scores([
      ['LLaMA (13B)', 502, 698.5],
      ['Alpaca (13B)', 585, 704.5],
      ['Vicuna (13B)', 649, 652.5],
      ['LLaMA-GPT4 (7B)', 609, 666.5],
      ['LLaMA-GPT4 (7B, R1)', 624, 667],
      ['Bard', 634, 660],
      ['ChatGPT', 759, 759],
      ['GPT4', 613, 521],
    ]),
  },
  {
    reference: 'GPT-4',
    source: 'Peng et al. 2023, main_plots.ipynb, cell 22',
    rows: scores([
      ['LLaMA (13B)', 520, 731.5],
      ['Alpaca (13B)', 593, 745.5],
      ['Vicuna (13B)', 640, 715.5],
      ['LLaMA-GPT4 (7B)', 606, 726.5],
      ['LLaMA-GPT4 (7B, R1)', 631, 722.5],
      ['Bard', 633, 722],
      ['ChatGPT', 652, 714],
      ['GPT4', 760, 760],
    ]),
  },
];

export interface PublishedVotes {
  readonly modelA: string;
  readonly modelB: string;
  readonly criterion: string;
  /** Votes for A, ties, votes for B. */
  readonly win: number;
  readonly tie: number;
  readonly lose: number;
}

const votes = (modelB: string, criterion: string, win: number, tie: number, lose: number): PublishedVotes => ({
  modelA: 'LLaMA-GPT4',
  modelB,
  criterion,
  win,
  tie,
  lose,
});

/** People on 252 user-oriented instructions, cells 15 and 17 (the paper's figure 3); votes derived from the printed shares. */
export const publishedVotes: readonly PublishedVotes[] = [
  votes('Alpaca', 'helpful', 381, 184, 139),
  votes('Alpaca', 'honest', 183, 300, 221),
  votes('Alpaca', 'harmless', 116, 409, 179),
  votes('GPT-4', 'helpful', 323, 99, 333),
  votes('GPT-4', 'honest', 286, 186, 283),
  votes('GPT-4', 'harmless', 239, 249, 267),
];
export const publishedVotesSource = 'Peng et al. 2023, main_plots.ipynb, cells 15 and 17';

/** ROUGE-L on 9,000 of Unnatural Instructions by words of the reference: plots/data/eval_unnatural_instructions. */
export const publishedRouge = {
  source: 'Peng et al. 2023, plots/data/eval_unnatural_instructions',
  buckets: ['0-2', '3-5', '6-10', '>10'],
  /** Pairs in each bucket: what the set is known by. */
  n: [5089, 868, 936, 2107],
  models: [
    { model: 'Alpaca', values: [0.4165, 0.3442, 0.3647, 0.3398], all: 0.386 },
    { model: 'LLaMA-GPT4', values: [0.3171, 0.2961, 0.3903, 0.4119], all: 0.3447 },
    { model: 'GPT-4', values: [0.3603, 0.3055, 0.377, 0.4166], all: 0.3697 },
  ],
} as const;
