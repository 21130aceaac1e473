/**
 * Notices a server that rejects every request in the same words, such as a model that it does not have under a 400: the
 * others would fare no better. One that has answered once in this run, or gives other reasons, is asked on. Statuses that
 * say by themselves that no request can succeed are retry.ts's.
 */
import { type TeacherError, WorkError } from '../base/errors.ts';

/** Rejections in a row, of different requests, that are taken for no accident. */
const enough = 8;

export class Rejections {
  #isAnswered = false;
  #message: string | undefined;
  #count = 0;

  answered(): void {
    this.#isAnswered = true;
  }

  /** `error`: why a request will not be asked again. What to stop with, where the others need not be asked. */
  rejected({ message, status, retryable }: TeacherError): WorkError | undefined {
    if (this.#isAnswered || retryable || status === undefined || status < 400 || status >= 500) return undefined;
    this.#count = message === this.#message ? this.#count + 1 : 1;
    this.#message = message;
    if (this.#count < enough) return undefined;
    return new WorkError(`${message}; ${this.#count} requests in a row were rejected so, and none was answered`, {
      hint:
        'see that the model and its settings are what this server takes, and run again: nothing that was stored is lost. ' +
        'If these rows alone are at fault, leave them out',
    });
  }
}
