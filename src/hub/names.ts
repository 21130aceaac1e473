/**
 * How a model of the hub is named on a command line: `org/name`, `org/name@revision`, and `hf:` before either where a
 * folder of that name is here too. Whether the hub has such a model is the hub's to say. The rules for names are those
 * of huggingface_hub (`validate_repo_id`), those for revisions git's (git-check-ref-format), both a little stricter.
 */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { hubFolder } from '../base/paths.ts';

export interface HubName {
  /** `org/name`. */
  readonly name: string;
  /** Branch, tag or commit (a whole one in lower case); undefined where none was named. */
  readonly revision: string | undefined;
}

const part = String.raw`\w(?:[\w.-]*\w)?`;
const hubName = new RegExp(String.raw`^(?:hf:)?(${part}/${part})(?:@(\w[\w./+=-]*))?$`);
const longestName = 96;

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** undefined for what cannot be a name of the hub, such as a path with one part, with three, or from `/`, `.` or `~`. */
export function parseHubName(text: string): HubName | undefined {
  const [, name, revision] = hubName.exec(text) ?? [];
  if (name === undefined || name.length > longestName || /--|\.\.|\.git$/.test(name)) return undefined;
  if (revision !== undefined && /\.\.|\/\/|[/.]$/.test(revision)) return undefined;
  const lower = revision?.toLowerCase();
  return { name, revision: lower !== undefined && isCommit(lower) ? lower : revision };
}

/** Whether `text` names a model of the hub: it is formed like one and, without `hf:`, nothing here has that path. */
export function isHubName(text: string): boolean {
  return parseHubName(text) !== undefined && (text.startsWith('hf:') || !existsSync(text));
}

/** `org/name` of a folder that was fetched from the hub; undefined for any other. */
export function fetchedName(folder: string): string | undefined {
  const repository = dirname(folder);
  return dirname(repository) === hubFolder && isCommit(basename(folder))
    ? basename(repository).replace('--', '/')
    : undefined;
}
