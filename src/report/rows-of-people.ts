/** The rows behind people's votes: what was compared, by most votes; and each rater's vote on it, as it stood before that rater. */
import { grouped, majority, type PeopleChoice, type PeopleVote, peopleChoices } from '../evaluate/people.ts';
import type { PeopleItem } from '../evaluate/people-items.ts';
import { fixed } from './format.ts';
import type { PeopleInput, SourceFiles } from './report-input.ts';
import { languageLabels } from './row-labels.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import { matchName } from './rows-of-judge.ts';
import type { Words } from './words.ts';

export function rowsOfPeople(id: string, name: string, input: PeopleInput, files: SourceFiles, words: Words): RowSet[] {
  const { say } = words;
  const criteria = [...new Set(input.votes.map(({ criterion }) => criterion))];
  const labels = {
    ...languageLabels(words),
    ...{ win: say('first model wins'), tie: say('tie'), lose: say('second model wins'), yes: say('yes') },
    ...{ left: say('on the left'), right: say('on the right') },
    ...{ passed: say('check passed'), missed: say('check missed') },
    ...{ agreed: say('agreed'), disagreed: say('disagreed') },
    ...{ '=majority': say('no majority'), '=verdict': say('no verdict') },
  };
  const match = { name: 'match', label: say('models') };
  const language = { name: 'language', label: say('language') };
  const comment = { name: 'comment', label: say('comment') };
  const named = (phrase: '{criterion}: most votes' | '{criterion}: vote') =>
    criteria.map((criterion) => ({
      name: criterion,
      label: say(phrase, { criterion: criterionName(criterion, words) }),
    }));
  const file = files['items'];
  const check = { name: 'check', label: say('attention check') };
  return [
    {
      id: `${id}-items`,
      title: say('{name}: what people compared', { name }),
      facets: [match, ...named('{criterion}: most votes'), language, comment],
      labels,
      rows: itemRows(input, criteria, words),
      file,
    },
    {
      id: `${id}-votes`,
      title: say('{name}: votes', { name }),
      facets: [match, { name: 'rater', label: say('rater') }, ...named('{criterion}: vote'), language, comment, check],
      labels,
      rows: voteRows(input, words),
      file,
    },
  ];
}

function itemRows({ items, votes, verdicts }: PeopleInput, criteria: readonly string[], words: Words): BrowserRow[] {
  const { say } = words;
  const byItem = grouped(
    votes.filter(({ attention }) => !attention),
    ({ item }) => item,
  );
  return items.map((item): BrowserRow => {
    const ofItem = byItem.get(item.id) ?? [];
    const verdict = verdicts?.get(item.id);
    const voted = criteria.map((criterion) => {
      const choices = ofItem.filter((vote) => vote.criterion === criterion).map(({ choice }) => choice);
      return { criterion, choices, most: majority(choices) };
    });
    const comments = [
      ...new Map(ofItem.filter(({ comment }) => comment !== '').map((vote) => [vote.rater, vote.comment])),
    ];
    return {
      id: item.id,
      facets: {
        match: [matchName(item.modelA, item.modelB)],
        language: [item.question.language],
        voted: voted.flatMap(({ criterion, choices }) => (choices.length > 0 ? [criterion] : [])),
        comment: comments.length > 0 ? ['yes'] : [],
        ...Object.fromEntries(voted.map(({ criterion, most }) => [criterion, most === undefined ? [] : [most]])),
        ...(verdicts &&
          Object.fromEntries(
            voted.map(({ criterion, choices, most }) => [
              `${criterion}-judge`,
              choices.length > 0 ? againstJudge(most, verdict) : [],
            ]),
          )),
      },
      prompt: item.question.text,
      texts: [
        [item.modelA, item.answerA],
        [item.modelB, item.answerB],
        ...comments.map(([rater, comment]): [string, string] => [say('Comment of {rater}', { rater }), comment]),
      ],
      values: [
        ...voted.map(({ criterion, choices }): [string, string] => [
          criterionName(criterion, words),
          peopleChoices
            .map((choice) => `${winner(choice, item, words)} ${choices.filter((one) => one === choice).length}`)
            .join(say(', ')),
        ]),
        ...(verdicts ? [[say('the judge'), verdict ? winner(verdict, item, words) : say('no verdict')] as const] : []),
      ],
    };
  });
}

/** `compared`: both are there, so that they agree or do not. */
function againstJudge(most: PeopleChoice | undefined, verdict: PeopleChoice | undefined): string[] {
  if (verdict === undefined) return ['=verdict'];
  if (most === undefined) return ['=majority'];
  return ['compared', most === verdict ? 'agreed' : 'disagreed'];
}

/** A row a rater and item: the answers stand as that rater saw them, left before right. */
function voteRows({ items, votes }: PeopleInput, words: Words): BrowserRow[] {
  const { say } = words;
  const itemOf = new Map(items.map((item) => [item.id, item]));
  const comparisons = grouped(votes, ({ item, rater }) => JSON.stringify([item, rater]));
  return [...comparisons.values()].map((cast): BrowserRow => {
    const { item: id, rater, attention, order, seconds, comment } = cast[0]!;
    const item = itemOf.get(id);
    const sideOf = ({ choice }: PeopleVote) =>
      choice === 'tie' ? [] : [(choice === 'win') === (order === 'AB') ? 'left' : 'right'];
    const passed = cast.some(({ criterion, choice }) => criterion === 'helpful' && choice === 'win');
    const shown = item && (order === 'AB' ? [first(item), second(item)] : [second(item), first(item)]);
    const places = [say('on the left'), say('on the right')];
    return {
      id: `${attention ? say('attention check') : id} · ${rater}`,
      facets: {
        match: item ? [matchName(item.modelA, item.modelB)] : [],
        rater: [rater],
        kind: [attention ? 'check' : 'item'],
        ...(item && { language: [item.question.language] }),
        ...(!attention && Object.fromEntries(cast.map(({ criterion, choice }) => [criterion, [choice]]))),
        voted: attention ? [] : cast.map(({ criterion }) => criterion),
        stood: attention ? [] : [...new Set(cast.flatMap(sideOf))],
        comment: comment === '' ? [] : ['yes'],
        check: attention ? [passed ? 'passed' : 'missed'] : [],
      },
      prompt: item?.question.text ?? '',
      texts: [
        ...(shown ?? []).map(([model, answer], i): [string, string] => [
          say('{model} ({text})', { model, text: places[i]! }),
          answer,
        ]),
        ...(comment === '' ? [] : [[say('Comment of {rater}', { rater }), comment] as const]),
      ],
      values: [
        ...(attention ? [['', say(passed ? 'check passed' : 'check missed')] as const] : []),
        ...(item
          ? cast.map((vote): [string, string] => [
              criterionName(vote.criterion, words),
              winner(vote.choice, item, words),
            ])
          : []),
        [say('seconds'), fixed(seconds, 1)],
      ],
    };
  });
}

const first = ({ modelA, answerA }: PeopleItem) => [modelA, answerA] as const;
const second = ({ modelB, answerB }: PeopleItem) => [modelB, answerB] as const;

const winner = (choice: PeopleChoice, { modelA, modelB }: PeopleItem, { say }: Words): string =>
  choice === 'tie' ? say('tie') : say('{model} wins', { model: choice === 'win' ? modelA : modelB });

/** The studio's three have names in both languages; others are shown as they are. */
export function criterionName(criterion: string, { say }: Words): string {
  return criterion === 'helpful' || criterion === 'honest' || criterion === 'harmless' ? say(criterion) : criterion;
}
