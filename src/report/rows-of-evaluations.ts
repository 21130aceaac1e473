/** The rows behind automatic evaluations and ROUGE of a file of answers. */
import { fixed } from './format.ts';
import type { AutomaticInput, RougeInput, SourceFiles } from './report-input.ts';
import { languageLabels } from './row-labels.ts';
import type { RowSet } from './rows.ts';
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
