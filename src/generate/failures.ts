/** When calls that brought no answer end a stage instead of being rejected rows: run again, they are asked again. */
import { WorkError } from '../base/errors.ts';
import type { Outcome } from '../teacher/caller.ts';
import type { Teacher } from '../teacher/teacher.ts';

/**
 * A server that was down is no reason to leave rows out for ever; nor is a recording that lacks a row. A single request
 * that the teacher will never answer (too long, forbidden) is: it becomes a reject with its reason.
 */
export function assertAnswered(outcomes: readonly Outcome[], teacher: Teacher): void {
  const errors = outcomes.flatMap(({ error }) => (error ? [error] : []));
  const mayComeBack = errors.filter(({ retryable }) => retryable);
  const isComplete = !teacher.model.startsWith('recorded:') && errors.length < outcomes.length;
  if (errors.length === 0 || (isComplete && mayComeBack.length === 0)) return;
  const first = mayComeBack[0] ?? errors[0];
  throw new WorkError(`${errors.length} of ${outcomes.length} calls to ${teacher.name} failed: ${first?.message}`, {
    hint: first?.hint ?? 'the answers that came are stored; run the same command again to ask for the others',
  });
}
