/** What a stage that makes training data leaves in its folder, and says of it. */
import { join } from 'node:path';
import { toMessagesRow } from '../src/data/formats/messages.ts';
import type { Conversation } from '../src/data/records.ts';
import { withSinks } from '../src/data/row-sink.ts';
import { UniqueIds } from '../src/data/unique-ids.ts';

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

export type MadeRow =
  | { readonly conversation: Conversation; readonly reject?: undefined }
  | { readonly reject: { readonly reason: string }; readonly conversation?: undefined };

/** Writes rows as they come, in bounded memory; both files are there when all have come, or neither. */
export function writeMadeData(
  folder: string,
  { name, teacher }: Pick<MadeData, 'name' | 'teacher'>,
  made: Iterable<MadeRow> | AsyncIterable<MadeRow>,
): Promise<MadeData> {
  const file = 'data.jsonl';
  const targets = [file, 'rejects.jsonl'].map((target) => [join(folder, target), 'lines'] as const);
  return withSinks(targets, async ([data, rejects]) => {
    let rows = 0;
    const ids = new UniqueIds();
    const rejected: Record<string, number> = {};
    for await (const { conversation, reject } of made) {
      if (conversation) {
        rows += 1;
        await data?.write(toMessagesRow({ ...conversation, id: ids.take(conversation.id) }));
      } else {
        rejected[reject.reason] = (rejected[reject.reason] ?? 0) + 1;
        await rejects?.write(reject);
      }
    }
    return { name, file, rows, teacher, rejected };
  });
}
