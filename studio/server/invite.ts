/** Invitation links: for raters that are new, and again for those that are known (who then go on where they were). */
import { ConfigError } from '../../src/base/errors.ts';
import { StudyStore } from './store.ts';
import { openSecret, writeToken } from './tokens.ts';

export interface InvitationLink {
  readonly rater: string;
  /** Whoever has it can vote as this rater: not for logs. */
  readonly link: string;
  /** ISO 8601. */
  readonly expires: string;
}

export interface InviteOptions {
  readonly raters: readonly string[];
  readonly days: number;
  /** Where the server is reached; default: where it last was. */
  readonly url?: string | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;
const longestName = 64;

/** Throws ConfigError for a name that cannot be one, and where no server has been started yet and no `url` is given. */
export function inviteRaters(folder: string, { raters, days, url }: InviteOptions): InvitationLink[] {
  for (const name of raters) {
    if (name.trim() !== name || name === '' || name.length > longestName || /\p{Cc}/u.test(name)) {
      throw new ConfigError(
        `a rater's name: expected 1 to ${longestName} characters, no space at its ends, got ${JSON.stringify(name)}`,
      );
    }
  }
  const store = new StudyStore(folder);
  try {
    const address = url?.replace(/\/+$/, '') ?? store.address;
    if (address === null) {
      throw new ConfigError(`the study in ${folder} was not served yet: its address is not known`, {
        hint: 'start the server first, or give the address by --url',
      });
    }
    store.addRaters(raters);
    const secret = openSecret(folder);
    const expiresAtMs = Date.now() + days * dayMs;
    return raters.map((rater) => ({
      rater,
      link: `${address}/#${writeToken(secret, { rater, expiresAtMs })}`,
      expires: new Date(expiresAtMs).toISOString(),
    }));
  } finally {
    store.close();
  }
}
