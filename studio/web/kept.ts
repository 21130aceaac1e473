/**
 * What the page keeps in the browser: settings, and the draft of each comparison until its vote is stored. Where the browser
 * forbids that, it is kept for as long as the page is open.
 */
import { type Choices, criteria, type Side, sides } from '../protocol.ts';

const prefix = 'understudy people ';
const here = new Map<string, string>();

export function keep(name: string, value: string): void {
  here.set(name, value);
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // Full or forbidden: `here` has it.
  }
}

export function kept(name: string): string | undefined {
  try {
    return here.get(name) ?? localStorage.getItem(prefix + name) ?? undefined;
  } catch {
    return undefined;
  }
}

function forget(name: string): void {
  here.delete(name);
  try {
    localStorage.removeItem(prefix + name);
  } catch {
    // As in `keep`.
  }
}

export interface Draft {
  readonly choices: Partial<Choices>;
  readonly comment: string;
  readonly seconds: number;
}

const nameOf = (comparison: string): string => `draft ${comparison}`;

export const keepDraft = (comparison: string, draft: Draft): void => keep(nameOf(comparison), JSON.stringify(draft));
export const forgetDraft = (comparison: string): void => forget(nameOf(comparison));

export function keptDraft(comparison: string): Draft | undefined {
  const text = kept(nameOf(comparison));
  if (text === undefined) return undefined;
  try {
    const { choices = {}, comment, seconds } = JSON.parse(text) as Partial<Draft>;
    const known = criteria.filter((name) => sides.includes(choices[name] as Side));
    return {
      choices: Object.fromEntries(known.map((name) => [name, choices[name]])),
      comment: typeof comment === 'string' ? comment : '',
      seconds: typeof seconds === 'number' && seconds >= 0 ? seconds : 0,
    };
  } catch {
    return undefined;
  }
}
