/** The rows behind a run's figures on data and costs: what was trained on, what was taken away, and every call of the ledger. */
import { count, dollars } from './format.ts';
import type { DataRow, LedgerCall, RemovedRow, VerbNounFound } from './report-input.ts';
import { languageLabels } from './row-labels.ts';
import type { BrowserRow, RowSet } from './rows.ts';
import type { Words } from './words.ts';

/** `ledger show --key` takes the beginning of a key. */
const shortKey = (key: string): string => key.slice(0, 12);

const keysValue = (calls: readonly string[] | undefined, { say }: Words): (readonly [string, string])[] =>
  calls === undefined || calls.length === 0 ? [] : [[say('calls'), calls.map(shortKey).join(', ')]];

export function trainedRows(
  id: string,
  name: string,
  rows: readonly DataRow[],
  file: string | undefined,
  words: Words,
): RowSet {
  const { say } = words;
  return {
    id,
    title: say('{name}: rows trained on', { name }),
    facets: [
      { name: 'set', label: say('set') },
      { name: 'language', label: say('language') },
      { name: 'category', label: say('category') },
      { name: 'teacher', label: say('teacher') },
      { name: 'flags', label: say('seen') },
    ],
    labels: {
      ...languageLabels(words),
      cut: say('cut at the end of a turn'),
      dropped: say('left out (too long, or no answer in them)'),
      learned: say('conversations trained on'),
    },
    rows: rows.map((row) => trainedRow(row, words)),
    file,
  };
}

function trainedRow(row: DataRow, words: Words): BrowserRow {
  const { id, set, language, category, teacher, prompt, answer, calls, receipt, verbNouns } = row;
  return {
    id,
    facets: {
      ...(set !== undefined && { set: [set] }),
      ...{ language: [language], category: [category], teacher: [teacher] },
      learned: receipt?.kind === 'dropped' ? [] : ['learned'],
      flags: receipt ? [receipt.kind] : [],
      ...(verbNouns && {
        ...verbFacets('instructions', verbNouns.instructions),
        ...verbFacets('answers', verbNouns.answers),
      }),
    },
    prompt,
    texts: [[words.say('Answer'), answer]],
    values: [
      ...(receipt ? [[words.say('in training'), words.told(receipt.message)] as const] : []),
      ...keysValue(calls, words),
    ],
  };
}

export type VerbTexts = 'instructions' | 'answers';

/** Only verbs with an object count in the figures. */
function verbFacets(texts: VerbTexts, found: readonly VerbNounFound[]): Record<string, string[]> {
  const pairs = found.filter(({ noun }) => noun !== undefined);
  if (pairs.length === 0) return {};
  return {
    [`${texts}-verb`]: [...new Set(pairs.map(({ verb }) => verb))],
    [`${texts}-pair`]: [...new Set(pairs.map(({ verb, noun }) => `${verb} ${noun}`))],
  };
}

export function removedRows(id: string, name: string, rows: readonly RemovedRow[], words: Words): RowSet {
  const { say, told } = words;
  const reasons = [...new Set(rows.map(({ reason }) => reason))];
  return {
    id,
    title: say('{name}: rows taken away', { name }),
    facets: [
      { name: 'set', label: say('set') },
      { name: 'reason', label: say('reason') },
    ],
    labels: Object.fromEntries(reasons.map((reason) => [reason, told(reason)])),
    rows: rows.map(({ id: row, set, reason, detail, prompt, text, file, calls }) => ({
      id: row,
      facets: { set: [set], reason: [reason] },
      prompt: prompt ?? text,
      texts: prompt === undefined ? [] : [[say('Taken away'), text]],
      values: [
        [say('reason'), told(reason)],
        ...(detail === undefined ? [] : [[say('in detail'), detail.split('\n').map(told).join('\n')] as const]),
        [say('file'), file],
        ...keysValue(calls, words),
      ],
    })),
    // Every row names its own.
    file: undefined,
  };
}

export function callRows(
  id: string,
  name: string,
  calls: readonly LedgerCall[],
  file: string | undefined,
  words: Words,
): RowSet {
  const { say } = words;
  const facet = (facetName: string, label: string) => ({ name: facetName, label });
  return {
    id,
    title: say('{name}: calls of the ledger', { name }),
    facets: [
      facet('stage', say('stage')),
      facet('state', say('state')),
      facet('model', say('model')),
      facet('teacher', say('teacher')),
      facet('flags', say('seen')),
    ],
    labels: {
      stored: say('answer stored'),
      failed: say('failed'),
      'in doubt': say('in doubt'),
      awaited: say('awaited in a batch'),
      unpriced: say('price unknown'),
      repeated: say('sent more than once'),
      batch: say('in a batch'),
    },
    rows: calls.map((call) => callRow(call, words)),
    file,
  };
}

function callRow(call: LedgerCall, { say }: Words): BrowserRow {
  const { key, stage, teacher, model, state, costUsd, upperBoundUsd, lostUsd, attempts, isBatch, at } = call;
  const { inputTokens, outputTokens, finishReason, error } = call;
  const isUnpriced = state === 'stored' && costUsd === null;
  const money = (value: number | null) => (value === null ? say('price unknown') : dollars(value));
  const states = {
    stored: say('answer stored'),
    failed: say('failed'),
    'in doubt': say('in doubt'),
    awaited: say('awaited in a batch'),
  };
  return {
    id: shortKey(key),
    facets: {
      ...{ stage: [stage], state: [state], model: [model], teacher: [teacher] },
      // What the table's last two columns count.
      doubt: state === 'in doubt' || lostUsd > 0 ? ['yes'] : [],
      flags: [
        ...(isUnpriced ? ['unpriced'] : []),
        ...(attempts > 1 ? ['repeated'] : []),
        ...(isBatch ? ['batch'] : []),
      ],
    },
    prompt: '',
    texts: [],
    values: [
      [say('stage'), stage],
      [say('state'), states[state]],
      [
        say('tokens in and out'),
        inputTokens === undefined ? say('not counted') : `${count(inputTokens)} + ${count(outputTokens ?? 0)}`,
      ],
      [say('cost'), state === 'stored' ? money(costUsd) : say('at most {usd}', { usd: money(upperBoundUsd) })],
      ...(lostUsd > 0 ? [[say('in doubt, at most'), dollars(lostUsd)] as const] : []),
      [say('model'), model],
      [say('teacher'), teacher],
      ...(finishReason === undefined ? [] : [[say('ended by'), finishReason] as const]),
      ...(error === undefined ? [] : [[say('error'), error] as const]),
      ...(attempts > 1 ? [[say('sendings'), count(attempts)] as const] : []),
      [say('time'), at],
    ],
  };
}
