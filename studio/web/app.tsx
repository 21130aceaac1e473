/** What is shown when: loading, a comparison, the end, or why not; and all that goes to the server. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Comparison, Progress, Vote } from '../protocol.ts';
import { openApi, persist, Refused } from './api.ts';
import { Guide } from './guide.tsx';
import { forgetDraft, keep, kept } from './kept.ts';
import { Notice } from './notice.tsx';
import { Rating } from './rating.tsx';
import { useSettings } from './settings.ts';
import { type Texts, textsIn } from './texts.ts';
import { TopBar } from './top-bar.tsx';

type View =
  | { readonly kind: 'loading' }
  | { readonly kind: 'comparison'; readonly comparison: Comparison }
  | { readonly kind: 'finished'; readonly last: string | null; readonly held: number }
  | { readonly kind: 'refused'; readonly why: keyof Texts['refused'] };

/** What is under way with the server. A vote that is stored is not being saved any more: what follows is loading. */
export type Phase = 'idle' | 'saving' | 'loading';

export function App({ token }: { readonly token: string }) {
  const [api] = useState(() => openApi(token));
  const [settings, changeSettings] = useSettings();
  const texts = textsIn[settings.language];
  const [view, setView] = useState<View>(token === '' ? { kind: 'refused', why: 'missing' } : { kind: 'loading' });
  const [progress, setProgress] = useState<Progress>();
  const [savedPosition, setSavedPosition] = useState<number>();
  /** What tries again at once, while the server cannot be reached. */
  const [tryNow, setTryNow] = useState<() => void>();
  const [phase, setPhase] = useState<Phase>('idle');
  /** Which opening of the guide is shown. The browser tells later that one is closed: by then the next may be open. */
  const [guide, setGuide] = useState<number>();
  const guides = useRef(0);
  const busy = useRef(false);

  /** One thing at a time; what comes while one is under way is dropped. */
  const during = async (work: () => Promise<View>) => {
    if (busy.current) return;
    busy.current = true;
    setPhase('loading');
    try {
      setView(await work());
      scrollTo({ top: 0 });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const why = error.code === 'expired' || error.code === 'forged' ? error.code : 'other';
      setView({ kind: 'refused', why });
    } finally {
      busy.current = false;
      setPhase('idle');
      setTryNow(undefined);
    }
  };
  const reach = <T,>(work: () => Promise<T>) => persist(work, (go) => setTryNow(() => go));

  const loadNext = async (): Promise<View> => {
    const answer = await reach(api.next);
    setProgress(answer.progress);
    return answer;
  };
  const load = async (id: string): Promise<View> => {
    const { comparison } = await reach(() => api.comparison(id));
    return { kind: 'comparison', comparison };
  };
  const goTo = (id: string) => during(() => load(id));
  const save = (comparison: Comparison, vote: Vote) =>
    during(async () => {
      setPhase('saving');
      // Said anew when it is so anew.
      setSavedPosition(undefined);
      await reach(() => api.vote(comparison.id, vote));
      forgetDraft(comparison.id);
      setSavedPosition(comparison.position);
      setPhase('loading');
      setTryNow(undefined);
      return comparison.next === null ? loadNext() : load(comparison.next);
    });

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens
  useEffect(() => {
    if (token !== '') void during(loadNext);
  }, []);

  const isRating = view.kind === 'comparison';
  const openGuide = useCallback(() => setGuide(++guides.current), []);
  useEffect(() => {
    if (isRating && kept('guide seen') === undefined) openGuide();
  }, [isRating, openGuide]);
  const closeGuide = (closed: number) => {
    keep('guide seen', 'yes');
    setGuide((shown) => (shown === closed ? undefined : shown));
  };

  return (
    <>
      <div className="top">
        <TopBar
          texts={texts}
          settings={settings}
          progress={view.kind === 'refused' ? undefined : progress}
          position={isRating ? view.comparison.position : undefined}
          saved={savedPosition === undefined ? '' : texts.saved(savedPosition)}
          onSettings={changeSettings}
          onGuide={openGuide}
        />
        {tryNow !== undefined && (
          <div className="trouble" role="alert">
            <p>
              <strong>{phase === 'saving' ? texts.notSaved : texts.unreachable}</strong>{' '}
              {phase === 'saving' ? texts.notSavedDetail : texts.unreachableDetail}
            </p>
            <button type="button" onClick={tryNow}>
              {texts.tryNow}
            </button>
          </div>
        )}
      </div>
      {view.kind === 'loading' && (
        <main className="notice">
          <p>{texts.loading}</p>
        </main>
      )}
      {view.kind === 'comparison' && (
        <Rating
          key={view.comparison.id}
          comparison={view.comparison}
          texts={texts}
          language={settings.language}
          singleKeys={settings.singleKeys}
          phase={phase}
          onSave={save}
          onGoTo={goTo}
          onGuide={openGuide}
        />
      )}
      {view.kind === 'finished' && (
        <Notice
          title={texts.finished.title}
          lines={[texts.finished.text(progress?.done ?? 0), ...(view.held > 0 ? [texts.finished.held(view.held)] : [])]}
        >
          {view.last !== null && (
            <button type="button" onClick={() => goTo(view.last as string)}>
              {texts.finished.look}
            </button>
          )}
          {view.held > 0 && (
            <button type="button" onClick={() => during(loadNext)}>
              {texts.finished.again}
            </button>
          )}
        </Notice>
      )}
      {view.kind === 'refused' && (
        <Notice title={texts.refused[view.why].title} lines={[texts.refused[view.why].text]} />
      )}
      {guide !== undefined && (
        <Guide
          key={guide}
          texts={texts}
          singleKeys={settings.singleKeys}
          onSingleKeys={(singleKeys) => changeSettings({ singleKeys })}
          onClose={() => closeGuide(guide)}
        />
      )}
    </>
  );
}
