/**
 * One comparison: the question, the two answers as plain text, and the judgement. What is chosen and written is kept as a
 * draft at every change, until the server has stored it.
 */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import {
  type Choices,
  type Comparison,
  type Criterion,
  criteria,
  maxCommentLength,
  type Side,
  type Vote,
} from '../protocol.ts';
import type { Phase } from './app.tsx';
import { CriterionField } from './criterion-field.tsx';
import { keepDraft, keptDraft } from './kept.ts';
import { Key } from './key.tsx';
import { useKeys } from './keys.ts';
import { useStopwatch } from './stopwatch.ts';
import type { Language, Texts } from './texts.ts';

interface RatingProps {
  readonly comparison: Comparison;
  readonly texts: Texts;
  readonly language: Language;
  readonly singleKeys: boolean;
  readonly phase: Phase;
  readonly onSave: (comparison: Comparison, vote: Vote) => void;
  readonly onGoTo: (id: string) => void;
  readonly onGuide: () => void;
}

export function Rating({ comparison, texts, language, singleKeys, phase, onSave, onGoTo, onGuide }: RatingProps) {
  const { id, position, vote } = comparison;
  const [start] = useState(() => keptDraft(id) ?? vote ?? { choices: {}, comment: '', seconds: 0 });
  const [choices, setChoices] = useState<Partial<Choices>>(start.choices);
  const [comment, setComment] = useState(start.comment);
  const [wasIncomplete, setIncomplete] = useState(false);
  const watch = useStopwatch(start.seconds);
  const heading = useRef<HTMLHeadingElement>(null);
  const commentField = useRef<HTMLTextAreaElement>(null);
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (position > 1 || vote !== null) heading.current?.focus({ preventScroll: true });
    document.title = `${texts.question} ${position} – Understudy`;
  }, [position, vote, texts]);

  // What was sent stands until the next comparison is there.
  const isBusy = phase !== 'idle';
  const choose = (criterion: Criterion, side: Side) => {
    if (isBusy) return;
    const chosen = { ...choices, [criterion]: side };
    setChoices(chosen);
    keepDraft(id, { choices: chosen, comment, seconds: watch.seconds() });
  };
  const write = (text: string) => {
    setComment(text);
    keepDraft(id, { choices, comment: text, seconds: watch.seconds() });
  };
  const missing = criteria.filter((name) => choices[name] === undefined);
  const save = () => {
    if (isBusy) return;
    if (missing.length > 0) {
      setIncomplete(true);
      form.current?.querySelector<HTMLInputElement>(`input[name="${missing[0]}"]`)?.focus();
      return;
    }
    const seconds = watch.seconds();
    keepDraft(id, { choices, comment, seconds });
    onSave(comparison, { choices: choices as Choices, comment, seconds });
  };
  const goTo = (to: string | null) => {
    if (to !== null && !isBusy) onGoTo(to);
  };

  useKeys(singleKeys, {
    choose,
    save,
    comment: () => commentField.current?.focus(),
    leaveComment: () => heading.current?.focus({ preventScroll: true }),
    previous: () => goTo(comparison.previous),
    next: () => goTo(comparison.next),
    guide: onGuide,
  });

  const textLanguage = comparison.language || undefined;
  return (
    <main className="comparison">
      <div className="texts">
        <section className="question" aria-labelledby="question">
          <h1 id="question" ref={heading} tabIndex={-1}>
            {texts.question}
          </h1>
          <p className="words" lang={textLanguage}>
            {comparison.question}
          </p>
        </section>
        <div className="answers">
          {(['left', 'right'] as const).map((side) => (
            <section key={side} className={`answer ${side}`} aria-labelledby={side}>
              <h2 id={side}>{texts.answer[side]}</h2>
              {comparison[side].trim() === '' ? (
                <p className="empty">{texts.emptyAnswer}</p>
              ) : (
                <div className="words" lang={textLanguage}>
                  {comparison[side]}
                </div>
              )}
            </section>
          ))}
        </div>
      </div>
      <form
        ref={form}
        className="rating"
        aria-label={texts.rating}
        noValidate
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          save();
        }}
      >
        {vote !== null && <p className="looking">{texts.looking}</p>}
        {criteria.map((criterion, row) => (
          <CriterionField
            key={criterion}
            criterion={criterion}
            texts={texts}
            chosen={choices[criterion]}
            isMissing={wasIncomplete && choices[criterion] === undefined}
            keys={singleKeys ? [1, 2, 3].map((column) => String(3 * row + column)) : undefined}
            onChoose={(side) => choose(criterion, side)}
          />
        ))}
        <div className="comment">
          <label htmlFor="comment" className="name">
            {texts.comment} <span className="soft">{texts.commentHint}</span>
            {singleKeys && <Key name="C" />}
          </label>
          <textarea
            id="comment"
            ref={commentField}
            rows={2}
            maxLength={maxCommentLength}
            lang={language === 'zh' ? 'zh-CN' : 'en'}
            value={comment}
            readOnly={isBusy}
            onChange={(event) => write(event.target.value)}
          />
        </div>
        <p role="alert" className="missing">
          {wasIncomplete && missing.length > 0 && texts.missing(missing.map((name) => texts.criterion[name].name))}
        </p>
        <div className="actions">
          <button type="submit" className="primary" aria-disabled={isBusy}>
            {phase === 'saving' ? texts.saving : vote === null ? texts.save : texts.saveChange}
            {singleKeys && !isBusy && <Key name="↵" />}
          </button>
          {comparison.previous !== null && (
            <button type="button" onClick={() => goTo(comparison.previous)}>
              {texts.previous}
              {singleKeys && <Key name="P" />}
            </button>
          )}
          {comparison.next !== null && (
            <button type="button" onClick={() => goTo(comparison.next)}>
              {texts.next}
              {singleKeys && <Key name="N" />}
            </button>
          )}
        </div>
      </form>
    </main>
  );
}
