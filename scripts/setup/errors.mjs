/** What set-up throws. The message is whole: one sentence with its remedy, then the end of a log where there is one. */

export class SetupError extends Error {
  /** 2: something is missing or wrongly set. 1: a step failed. 130: interrupted. As in src/base/errors.ts. */
  exitCode;
  code = 'setup';

  /** @param {string} message @param {1 | 2 | 130} exitCode */
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}

export const interrupted = () => new SetupError('set-up: interrupted; the next run goes on from here', 130);

/** One error out of several, so that a newcomer reads every missing thing at once. Bugs of ours come through as they are. */
export function joinErrors(errors) {
  const bug = errors.find((error) => !(error instanceof SetupError));
  if (bug !== undefined) return bug;
  if (errors.length === 1) return errors[0];
  const stopped = errors.find((error) => error.exitCode === 130);
  if (stopped !== undefined) return stopped;
  const messages = [...new Set(errors.map((error) => error.message))];
  return new SetupError(messages.join('\n'), errors.every((error) => error.exitCode === 2) ? 2 : 1);
}

/** Waits for all of them, then throws all that went wrong as one error. */
export async function allOf(promises) {
  const settled = await Promise.allSettled(promises);
  const failures = settled.filter((one) => one.status === 'rejected').map((one) => one.reason);
  if (failures.length > 0) throw joinErrors(failures);
  return settled.map((one) => one.value);
}
