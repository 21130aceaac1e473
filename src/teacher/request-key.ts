/**
 * What makes two requests the same: model, messages, parameters and sample index, nothing else. Not the teacher's
 * address, not the stage, not the time: an answer once bought serves everyone who asks the same.
 */
import { sha256 } from '../base/hash.ts';
import type { TeacherRequest } from './teacher.ts';

/** Hexadecimal SHA-256 of the request's canonical JSON: its row in the ledger. */
export function requestKey({ model, messages, parameters, sample }: TeacherRequest): string {
  return sha256({ model, messages, parameters, sample });
}
