/** The page by keyboard. Single keys do nothing while text is written, and can be turned off. */
import { useEffect, useRef } from 'react';
import { type Criterion, criteria, type Side, sides } from '../protocol.ts';

export interface KeyActions {
  readonly choose: (criterion: Criterion, side: Side) => void;
  readonly save: () => void;
  readonly comment: () => void;
  readonly leaveComment: () => void;
  readonly previous: () => void;
  readonly next: () => void;
  readonly guide: () => void;
}

export function useKeys(singleKeys: boolean, actions: KeyActions): void {
  const latest = useRef({ singleKeys, actions });
  latest.current = { singleKeys, actions };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target } = event;
      if (event.defaultPrevented || event.isComposing || event.repeat || document.querySelector('dialog[open]')) return;
      const isWriting = target instanceof HTMLTextAreaElement;
      const does = actionOf(event, isWriting, latest.current.actions, latest.current.singleKeys);
      if (does === undefined) return;
      event.preventDefault();
      does();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function actionOf(
  event: KeyboardEvent,
  isWriting: boolean,
  actions: KeyActions,
  singleKeys: boolean,
): (() => void) | undefined {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (key === 'Enter' && (ctrlKey || metaKey)) return actions.save;
  if (isWriting) return key === 'Escape' ? actions.leaveComment : undefined;
  if (ctrlKey || metaKey || altKey || !singleKeys || target instanceof HTMLSelectElement) return undefined;
  // A button's own Enter is its own; a form's radio button submits the form by itself.
  if (key === 'Enter')
    return target instanceof HTMLButtonElement || target instanceof HTMLInputElement ? undefined : actions.save;
  const place = '123456789'.indexOf(key);
  if (key.length === 1 && place >= 0) {
    return () => actions.choose(criteria[Math.floor(place / 3)] as Criterion, sides[place % 3] as Side);
  }
  const named: Readonly<Record<string, () => void>> = {
    c: actions.comment,
    p: actions.previous,
    n: actions.next,
    '?': actions.guide,
  };
  return Object.hasOwn(named, key.toLowerCase()) ? named[key.toLowerCase()] : undefined;
}
