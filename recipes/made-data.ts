/** What a stage that makes training data leaves in its folder, and says of it. */
import { join } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic.ts';
import { toJsonl } from '../src/base/jsonl.ts';
import { toMessagesJsonl } from '../src/data/formats.ts';
import type { Conversation } from '../src/data/records.ts';

export interface MadeData {
  /** Which set: `answered`, `generated`. */
  readonly name: string;
  /** Messages JSONL, in the stage's folder. */
  readonly file: string;
  readonly rows: number;
  readonly teacher: string;
  /** Rows taken away, by reason; the rows themselves stand in rejects.jsonl. */
  readonly rejected: Readonly<Record<string, number>>;
}

export function writeMadeData(
  folder: string,
  made: {
    readonly name: string;
    readonly teacher: string;
    readonly conversations: readonly Conversation[];
    readonly rejects: readonly { readonly reason: string }[];
  },
): MadeData {
  const { name, teacher, conversations, rejects } = made;
  const file = 'data.jsonl';
  const rejected: Record<string, number> = {};
  for (const { reason } of rejects) rejected[reason] = (rejected[reason] ?? 0) + 1;
  writeFileAtomic(join(folder, 'rejects.jsonl'), toJsonl(rejects));
  writeFileAtomic(join(folder, file), toMessagesJsonl(conversations));
  return { name, file, rows: conversations.length, teacher, rejected };
}
