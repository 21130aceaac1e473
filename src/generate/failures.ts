/** When calls that brought no answer end a stage instead of being rejected rows: run again, they are asked again. */
import { type TeacherError, WorkError } from '../base/errors.ts';
import type { Outcome } from '../teacher/caller.ts';
import type { Teacher } from '../teacher/teacher.ts';

/**
 * A server that was down is no reason to leave rows out for ever; nor is a recording that lacks a row. A single request
 * that the teacher will never answer (too long, forbidden) is: it becomes a reject with its reason.
 */
export class CallFailures {
  #calls = 0;
  #errors = 0;
  #first: TeacherError | undefined;
  #mayComeBack: TeacherError | undefined;

  /** `error`: why a call brought no answer. */
  count(error: TeacherError | undefined): void {
    this.#calls += 1;
    if (!error) return;
    this.#errors += 1;
    this.#first ??= error;
    if (error.retryable) this.#mayComeBack ??= error;
  }

  /** Throws WorkError where the stage must not go on as if all had been answered. */
  assertAnswered(teacher: Teacher): void {
    const isComplete = !teacher.model.startsWith('recorded:') && this.#errors < this.#calls;
    if (this.#errors === 0 || (isComplete && !this.#mayComeBack)) return;
    const first = this.#mayComeBack ?? this.#first;
    throw new WorkError(`${this.#errors} of ${this.#calls} calls to ${teacher.name} failed: ${first?.message}`, {
      hint: first?.hint ?? 'the answers that came are stored; run the same command again to ask for the others',
    });
  }
}

export function assertAnswered(outcomes: readonly Outcome[], teacher: Teacher): void {
  const failures = new CallFailures();
  for (const { error } of outcomes) failures.count(error);
  failures.assertAnswered(teacher);
}
