/** What to do, what the criteria mean, which keys there are, what is stored: open at the first visit, then by a button. */
import { useEffect, useRef } from 'react';
import { criteria } from '../protocol.ts';
import type { Texts } from './texts.ts';

interface GuideProps {
  readonly texts: Texts;
  readonly singleKeys: boolean;
  readonly onSingleKeys: (on: boolean) => void;
  readonly onClose: () => void;
}

export function Guide({ texts, singleKeys, onSingleKeys, onClose }: GuideProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const start = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    // The first button to be had is not the one that goes on.
    start.current?.focus({ preventScroll: true });
  }, []);
  const { guide, criterion } = texts;
  const keys = [
    ['1 … 9', guide.keyChoices],
    ['↵', guide.keySave],
    ['C', guide.keyComment],
    ['P N', guide.keyMove],
  ] as const;
  return (
    <dialog ref={dialog} aria-labelledby="guide" onClose={onClose}>
      <h2 id="guide">{guide.title}</h2>
      <p>{guide.intro}</p>
      <ol>
        {guide.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      <h3>{guide.criteria}</h3>
      <dl className="criteria">
        {criteria.map((name) => (
          <div key={name}>
            <dt>{criterion[name].name}</dt>
            <dd>{criterion[name].definition}</dd>
          </div>
        ))}
      </dl>
      <div className="keys">
        <h3>{guide.keys}</h3>
        <dl>
          {keys.map(([key, does]) => (
            <div key={key}>
              <dt>{key.split(' ').map((one) => (one === '…' ? ' … ' : <kbd key={one}>{one}</kbd>))}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <label className="check">
          <input type="checkbox" checked={singleKeys} onChange={(event) => onSingleKeys(event.target.checked)} />
          {guide.useKeys}
        </label>
      </div>
      <p className="soft">{guide.stored}</p>
      <form method="dialog">
        <button ref={start} type="submit" className="primary">
          {guide.start}
        </button>
      </form>
    </dialog>
  );
}
