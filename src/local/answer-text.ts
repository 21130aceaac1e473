/** An answer's text as its tokens come, up to the first of the texts that end it, which is not part of it. */

/** Text that tokens complete: `StreamDecoder`, or that of another library. */
export interface TokenTexts {
  push(id: number): string;
  /** What was held back. */
  flush(): string;
}

export interface AnswerText {
  /** Takes a token in; returns the text it completes that is certain to stay. */
  push(id: number): string;
  /** What was held back. */
  finish(): string;
  readonly whole: string;
  /** One of the texts that end it has come. */
  readonly stopped: boolean;
}

/** Text is held back while it may yet turn out to be the beginning of a stop text. */
export function startAnswerText(texts: TokenTexts, stop: readonly string[]): AnswerText {
  let given = '';
  let held = '';
  let stopped = false;
  const take = (text: string): string => {
    held += text;
    const found = stop.map((end) => held.indexOf(end)).filter((at) => at >= 0);
    let sure = held.length;
    if (found.length > 0) {
      stopped = true;
      sure = Math.min(...found);
      held = held.slice(0, sure);
    } else {
      for (const end of stop) {
        for (let length = Math.min(end.length - 1, held.length); length > 0; length--) {
          if (held.endsWith(end.slice(0, length))) sure = Math.min(sure, held.length - length);
        }
      }
    }
    const out = held.slice(0, sure);
    held = held.slice(sure);
    given += out;
    return out;
  };
  return {
    push: (id) => (stopped ? '' : take(texts.push(id))),
    finish() {
      const out = stopped ? '' : take(texts.flush());
      const rest = stopped ? '' : held;
      held = '';
      given += rest;
      return out + rest;
    },
    get whole() {
      return given;
    },
    get stopped() {
      return stopped;
    },
  };
}
