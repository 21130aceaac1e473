/** Where the rater stands, what was saved last, and how the page looks. */
import type { Progress } from '../protocol.ts';
import type { Settings } from './settings.ts';
import { type Language, languages, type Texts, type Theme, textsIn } from './texts.ts';

interface TopBarProps {
  readonly texts: Texts;
  readonly settings: Settings;
  readonly progress: Progress | undefined;
  readonly position: number | undefined;
  readonly saved: string;
  readonly onSettings: (change: Partial<Settings>) => void;
  readonly onGuide: () => void;
}

export function TopBar({ texts, settings, progress, position, saved, onSettings, onGuide }: TopBarProps) {
  return (
    <header className="bar">
      <p className="product">
        <svg aria-hidden="true" viewBox="0 0 32 32" width="22" height="22">
          <rect width="32" height="32" rx="7" className="mark" />
          <rect x="6" y="8" width="8.5" height="16" rx="2" className="near" />
          <rect x="17.5" y="8" width="8.5" height="16" rx="2" className="far" />
        </svg>
        {texts.product}
      </p>
      <div className="place">
        {progress !== undefined && (
          <>
            <progress aria-label={texts.progress} value={progress.done} max={Math.max(1, progress.total)} />
            <p>
              {position === undefined
                ? `${progress.done} / ${progress.total}`
                : texts.comparison(position, progress.total)}
            </p>
          </>
        )}
        <p role="status" className="saved">
          {saved}
        </p>
      </div>
      <div className="settings">
        <button type="button" onClick={onGuide}>
          {texts.guide.open}
        </button>
        <select
          aria-label={texts.language}
          value={settings.language}
          onChange={(event) => onSettings({ language: event.target.value as Language })}
        >
          {languages.map((language) => (
            <option key={language} value={language} lang={language === 'zh' ? 'zh-CN' : 'en'}>
              {textsIn[language].name}
            </option>
          ))}
        </select>
        <select
          aria-label={texts.theme}
          value={settings.theme}
          onChange={(event) => onSettings({ theme: event.target.value as Theme })}
        >
          {(['system', 'light', 'dark'] as const).map((theme) => (
            <option key={theme} value={theme}>
              {texts.themes[theme]}
            </option>
          ))}
        </select>
      </div>
    </header>
  );
}
