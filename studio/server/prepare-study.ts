/** Makes a study in a folder, or finds the one that is there: what was decided when it was made stays. */
import { ConfigError } from '../../src/base/errors.ts';
import type { PeopleItem } from '../../src/evaluate/people-items.ts';
import { readAttentionChecks } from './attention-checks.ts';
import type { StudySettings } from './next-comparison.ts';
import { StudyStore } from './store.ts';

/** What is undefined is as the study has it, or the default where it is new. */
export interface WantedSettings {
  readonly ratersPerItem?: number | undefined;
  readonly itemsPerRater?: number | undefined;
  /** 0 to ½. */
  readonly checkShare?: number | undefined;
  readonly seed?: number | undefined;
}

export const defaultSettings = { ratersPerItem: 3, checkShare: 0.1, seed: 1 };

export interface PreparedStudy {
  readonly items: number;
  readonly pairs: number;
  /** Attention checks that a rater can meet: each once. */
  readonly checks: number;
  readonly settings: StudySettings;
}

/** `items`: undefined to go on with a study. Throws ConfigError where it was made of other items or by other settings. */
export function prepareStudy(
  folder: string,
  items: readonly PeopleItem[] | undefined,
  wanted: WantedSettings,
): PreparedStudy {
  const { checkShare } = wanted;
  if (checkShare !== undefined && !(checkShare >= 0 && checkShare <= 0.5)) {
    throw new ConfigError(`attention checks: expected a share from 0 to 0.5, got ${checkShare}`);
  }
  const store = new StudyStore(folder, { make: items !== undefined });
  try {
    const settings = store.settings();
    if (settings !== undefined) return found(store, folder, items, settings, wanted);
    if (items === undefined) {
      throw new ConfigError(`the study in ${folder} has no items yet`, { hint: 'name the file of its items' });
    }
    const chosen: StudySettings = {
      ratersPerItem: wanted.ratersPerItem ?? defaultSettings.ratersPerItem,
      itemsPerRater: wanted.itemsPerRater ?? null,
      checks: { seed: wanted.seed ?? defaultSettings.seed, share: checkShare ?? defaultSettings.checkShare },
    };
    const checks = chosen.checks.share === 0 ? [] : checksFor(items);
    store.fill(items, checks, chosen);
    return prepared(items, checks.length, chosen);
  } finally {
    store.close();
  }
}

function found(
  store: StudyStore,
  folder: string,
  items: readonly PeopleItem[] | undefined,
  settings: StudySettings,
  wanted: WantedSettings,
): PreparedStudy {
  const stored = store.items();
  if (items !== undefined && !isSame(items, stored)) {
    throw new ConfigError(`the study in ${folder} was made of other items (${stored.length}, now ${items.length})`, {
      hint: 'name no items to go on with it, or another folder for a new study',
    });
  }
  const { ratersPerItem, itemsPerRater, checks } = settings;
  const pairs = [
    ['raters per item', wanted.ratersPerItem, ratersPerItem],
    ['items per rater', wanted.itemsPerRater, itemsPerRater ?? 'no limit'],
    ['share of attention checks', wanted.checkShare, checks.share],
    ['seed', wanted.seed, checks.seed],
  ] as const;
  for (const [name, now, before] of pairs) {
    if (now === undefined || now === before) continue;
    throw new ConfigError(`the study in ${folder} has ${name}: ${before}; expected the same, got ${now}`, {
      hint: 'a study keeps its settings: leave the flag out, or name another folder',
    });
  }
  return prepared(stored, checks.share === 0 ? 0 : checksFor(stored).length, settings);
}

const checksFor = (items: readonly PeopleItem[]) =>
  readAttentionChecks([...new Set(items.map(({ question }) => question.language))]);

const prepared = (items: readonly PeopleItem[], checks: number, settings: StudySettings): PreparedStudy => ({
  items: items.length,
  pairs: new Set(items.map(({ modelA, modelB }) => JSON.stringify([modelA, modelB]))).size,
  checks,
  settings,
});

const isSame = (a: readonly PeopleItem[], b: readonly PeopleItem[]): boolean =>
  JSON.stringify(a.map(membersOf)) === JSON.stringify(b.map(membersOf));

/** In a fixed order, whatever built the item. */
const membersOf = ({ id, question, modelA, modelB, answerA, answerB }: PeopleItem): readonly string[] => [
  id,
  question.id,
  question.language,
  question.text,
  modelA,
  modelB,
  answerA,
  answerB,
];
