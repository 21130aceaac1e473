/** The rows behind automatic evaluations, people's votes and ROUGE of a file of answers. */
import { majority, type PeopleChoice, type PeopleVote } from '../evaluate/people.ts';
import { fixed } from './format.ts';
import type { AutomaticInput, PeopleInput, RougeInput, SourceFiles } from './report-input.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import { matchName } from './rows-of-judge.ts';
import { languageLabels } from './rows-of-run.ts';
import type { Words } from './words.ts';

export function rowsOfAutomatic(
  id: string,
  name: string,
  { summary, rows }: AutomaticInput,
  files: SourceFiles,
  words: Words,
): RowSet[] {
  const { say } = words;
  const facets = [
    { name: 'language', label: say('language') },
    { name: 'category', label: say('category') },
    { name: 'model', label: say('the model') },
    ...(summary.against === undefined ? [] : [{ name: 'change', label: say('against the other model') }]),
  ];
  const labels = {
    ...languageLabels(words),
    ...{
      right: say('right'),
      wrong: say('wrong'),
      gained: say('right only now'),
      lost: say('right only before'),
      same: say('as before'),
    },
  };
  const marked = (model: boolean, against: boolean | undefined) => ({
    model: [model ? 'right' : 'wrong'],
    change: against === undefined ? [] : [model === against ? 'same' : model ? 'gained' : 'lost'],
    against: against === undefined ? [] : [against ? 'right' : 'wrong'],
  });
  const chosen = (options: readonly string[], place: number) => options[place] ?? '';
  const sets: RowSet[] = [
    {
      id: `${id}-exact`,
      title: say('{name}: short answers', { name }),
      facets: [...facets, { name: 'contained', label: say('contained in the answer') }],
      labels,
      rows: rows.exact.map((row) => ({
        id: row.id,
        facets: {
          language: [row.language],
          category: [row.category],
          ...marked(row.model.exact, row.against?.exact),
          contained: [row.model.contained ? 'right' : 'wrong'],
        },
        prompt: row.question,
        texts: [
          [summary.model, row.model.answer],
          ...(row.against ? [[`${summary.against}`, row.against.answer] as const] : []),
          [say('Accepted'), row.answers.join('\n')],
        ],
        values: [],
      })),
      file: files['exact'],
    },
    {
      id: `${id}-choice`,
      title: say('{name}: choices', { name }),
      facets: [...facets, { name: 'perByte', label: say('per byte') }],
      labels,
      rows: rows.choice.map((row) => ({
        id: row.id,
        facets: {
          language: [row.language],
          category: [row.category],
          ...marked(row.model.right, row.against?.right),
          perByte: [row.model.rightPerByte ? 'right' : 'wrong'],
        },
        prompt: row.question,
        texts: [
          [summary.model, chosen(row.options, row.model.chosen)],
          ...(row.against ? [[`${summary.against}`, chosen(row.options, row.against.chosen)] as const] : []),
          [say('Right'), chosen(row.options, row.right)],
        ],
        values: row.options.map((option, i): [string, string] => [
          option,
          fixed(row.model.logprobs[i] ?? Number.NaN, 2),
        ]),
      })),
      file: files['choice'],
    },
    {
      id: `${id}-loss`,
      title: say('{name}: held-out texts', { name }),
      facets: [{ name: 'language', label: say('language') }],
      labels,
      rows: rows.loss.map((row) => ({
        id: row.id,
        facets: { language: [row.language] },
        prompt: '',
        texts: [],
        values: [
          ...lossValues(summary.model, row.model, words),
          ...(row.against ? lossValues(`${summary.against}`, row.against, words) : []),
        ],
      })),
      file: files['loss'],
    },
  ];
  return sets.filter((set) => set.rows.length > 0);
}

function lossValues(model: string, loss: { nats: number; tokens: number; bitsPerByte: number }, { say }: Words) {
  return [
    [say('{model}: nats per token', { model }), fixed(loss.nats / loss.tokens, 4)],
    [say('{model}: bits per byte', { model }), fixed(loss.bitsPerByte, 4)],
  ] as const;
}

export function rowsOfPeople(
  id: string,
  name: string,
  { votes, items }: PeopleInput,
  files: SourceFiles,
  words: Words,
): RowSet[] {
  const { say } = words;
  const own = votes.filter(({ attention }) => !attention);
  const byItem = new Map<string, PeopleVote[]>();
  for (const vote of own) byItem.set(vote.item, [...(byItem.get(vote.item) ?? []), vote]);
  const criteria = [...new Set(own.map(({ criterion }) => criterion))];
  const rows = items.map((item): BrowserRow => {
    const ofItem = byItem.get(item.id) ?? [];
    const voted = criteria.map((criterion) => {
      const choices = ofItem.filter((vote) => vote.criterion === criterion).map(({ choice }) => choice);
      return { criterion, choices, majority: choices.length === 0 ? undefined : majority(choices) };
    });
    const comments = [
      ...new Map(ofItem.filter(({ comment }) => comment !== '').map((vote) => [vote.rater, vote.comment])),
    ];
    return {
      id: item.id,
      facets: {
        match: [matchName(item.modelA, item.modelB)],
        language: [item.question.language],
        ...Object.fromEntries(
          voted.map(({ criterion, majority: most }) => [criterion, most === undefined ? [] : [most]]),
        ),
        // Any vote for it: what a percentage counts.
        ...Object.fromEntries(voted.map(({ criterion, choices }) => [`${criterion}-vote`, [...new Set(choices)]])),
        voted: ofItem.length > 0 ? ['yes'] : [],
        comment: comments.length > 0 ? ['yes'] : [],
        raters: [...new Set(ofItem.map(({ rater }) => rater))],
      },
      prompt: item.question.text,
      texts: [
        [item.modelA, item.answerA],
        [item.modelB, item.answerB],
        ...comments.map(([rater, comment]): [string, string] => [say('Comment of {rater}', { rater }), comment]),
      ],
      values: voted.map(({ criterion, choices }): [string, string] => [
        criterionName(criterion, words),
        (['win', 'tie', 'lose'] as const)
          .map((choice) => `${choiceName(choice, words)} ${choices.filter((one) => one === choice).length}`)
          .join(', '),
      ]),
    };
  });
  return [
    {
      id: `${id}-items`,
      title: say('{name}: what people compared', { name }),
      facets: [
        { name: 'match', label: say('models') },
        ...criteria.map((criterion) => ({
          name: criterion,
          label: say('{criterion}: most votes', { criterion: criterionName(criterion, words) }),
        })),
        { name: 'language', label: say('language') },
        { name: 'comment', label: say('comment') },
        { name: 'raters', label: say('rater') },
      ],
      labels: {
        ...languageLabels(words),
        ...{ win: say('first model wins'), tie: say('tie'), lose: say('second model wins'), yes: say('yes') },
      },
      rows,
      file: files['items'],
    },
  ];
}

export const choiceName = (choice: PeopleChoice, { say }: Words): string => say(choice);

/** The studio's three have names in both languages; others are shown as they are. */
export function criterionName(criterion: string, { say }: Words): string {
  return criterion === 'helpful' || criterion === 'honest' || criterion === 'harmless' ? say(criterion) : criterion;
}

export function rowsOfRouge(
  id: string,
  name: string,
  { rows }: RougeInput,
  files: SourceFiles,
  words: Words,
): RowSet[] {
  const { say } = words;
  if (rows === undefined) return [];
  return [
    {
      id: `${id}-pairs`,
      title: say('{name}: answers and references', { name }),
      facets: [{ name: 'length', label: say('words in the reference') }],
      labels: { cjk: say('Chinese') },
      rows: rows.map(({ id: row, bucket, reference, candidate, rouge }) => ({
        id: row,
        facets: { length: [bucket], units: [bucket === 'cjk' ? 'characters' : 'words'] },
        prompt: '',
        texts: [
          [say('Reference'), reference],
          [say('Answer'), candidate],
        ],
        values: [
          ['ROUGE-1', fixed(rouge.rouge1, 3)],
          ['ROUGE-2', fixed(rouge.rouge2, 3)],
          ['ROUGE-L', fixed(rouge.rougeL, 3)],
        ],
      })),
      file: files['rows'],
    },
  ];
}
