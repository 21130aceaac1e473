/** One criterion: its name, what it means, and three radio buttons side by side. */
import { type Criterion, type Side, sides } from '../protocol.ts';
import { Key } from './key.tsx';
import type { Texts } from './texts.ts';

interface CriterionFieldProps {
  readonly criterion: Criterion;
  readonly texts: Texts;
  readonly chosen: Side | undefined;
  readonly isMissing: boolean;
  /** One a side; undefined where single keys do nothing. */
  readonly keys: readonly string[] | undefined;
  readonly onChoose: (side: Side) => void;
}

export function CriterionField({ criterion, texts, chosen, isMissing, keys, onChoose }: CriterionFieldProps) {
  const { name, definition } = texts.criterion[criterion];
  const definitionId = `${criterion}-definition`;
  return (
    <fieldset className={isMissing ? 'criterion missing' : 'criterion'} aria-describedby={definitionId}>
      <legend>{name}</legend>
      <p id={definitionId} className="soft">
        {definition}
      </p>
      <div className="sides">
        {sides.map((side, i) => (
          <label key={side}>
            <input
              type="radio"
              name={criterion}
              value={side}
              checked={chosen === side}
              required
              aria-keyshortcuts={keys?.[i]}
              onChange={() => onChoose(side)}
            />
            <span>{texts.side[side]}</span>
            {keys?.[i] !== undefined && <Key name={keys[i]} />}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
