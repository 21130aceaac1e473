/** A reward model's card, in its folder: the figures as card.json, and card.md for people. Words only, no libtorch. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError, DataError, type DataIssue } from '../src/base/errors.ts';
import { isMessage } from '../src/base/message.ts';
import { isObject, kindOf, readRows } from '../src/base/rows.ts';
import { type RewardCard, type RewardedAnswer, type RewardedGroup, rewardCard } from '../src/evaluate/reward-card.ts';
import { cardMarkdown } from './reward-card-markdown.ts';

/** In the reward model's folder. */
export const heldOutFile = 'held-out.jsonl';
export const cardFile = 'card.json';
export const cardTextFile = 'card.md';

/** From the folder's held-out rows. */
export function writeCard(folder: string): RewardCard {
  const card = cardOf(folder);
  writeFileAtomic(join(folder, cardTextFile), cardMarkdown(card, { name: basename(folder) }));
  writeJsonAtomic(join(folder, cardFile), card);
  return card;
}

/** Throws ConfigError where the folder has no held-out rows, DataError naming every broken one. */
export function cardOf(folder: string): RewardCard {
  const file = join(folder, heldOutFile);
  if (!existsSync(file)) {
    throw new ConfigError(`no such file: ${file}`, {
      hint: 'a reward model has one where prompts were held out: ./understudy train reward --eval-share 0.1',
    });
  }
  return rewardCard(readHeldOut(file));
}

type Members = Readonly<Record<string, unknown>>;

/** A reward that is null was no finite number. */
export function readHeldOut(file: string): RewardedGroup[] {
  const { rows, issues: broken } = readRows(file);
  const issues: DataIssue[] = [...broken];
  for (const { row, value } of rows) checkGroup(value, (path, message) => issues.push({ row, path, message }));
  if (issues.length > 0)
    throw new DataError(file, issues, { hint: 'delete it and train again: it is made at the end' });
  return rows.map(({ value }) => {
    const group = value as RewardedGroup;
    const answers = group.answers.map((one): RewardedAnswer => ({ ...one, reward: one.reward ?? Number.NaN }));
    return { ...group, answers };
  });
}

function checkGroup(value: unknown, report: (path: string, message: string) => void): void {
  const { id, prompt, answers, pairs } = isObject(value) ? value : ({} as Members);
  if (typeof id !== 'string') report('id', `expected a string, got ${kindOf(id)}`);
  if (!Array.isArray(prompt) || !prompt.every(isMessage)) report('prompt', 'expected turns {role, content}');
  if (!Array.isArray(answers)) report('answers', `expected a list, got ${kindOf(answers)}`);
  const list: readonly unknown[] = Array.isArray(answers) ? answers : [];
  const isNumber = (one: unknown) => typeof one === 'number';
  for (const [i, answer] of list.entries()) {
    const { content, rank, tokens, reward } = isObject(answer) ? answer : ({} as Members);
    if (typeof content !== 'string') report(`answers[${i}].content`, `expected a string, got ${kindOf(content)}`);
    for (const [name, number] of Object.entries({ rank, tokens }))
      if (!isNumber(number)) report(`answers[${i}].${name}`, `expected a number, got ${kindOf(number)}`);
    if (reward !== null && !isNumber(reward))
      report(`answers[${i}].reward`, `expected a number or null, got ${kindOf(reward)}`);
  }
  const isPlace = (place: unknown) => Number.isInteger(place) && (place as number) in list;
  const isPair = (pair: unknown) => isObject(pair) && isPlace(pair['better']) && isPlace(pair['worse']);
  if (!Array.isArray(pairs) || !pairs.every(isPair)) report('pairs', 'expected {better, worse}: places in answers');
}
