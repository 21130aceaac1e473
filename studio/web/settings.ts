/** Language, colours and shortcuts: the rater's choice, else what the browser and the system say. */
import { useEffect, useState } from 'react';
import { keep, kept } from './kept.ts';
import { type Language, languages, type Theme } from './texts.ts';

export interface Settings {
  readonly language: Language;
  readonly theme: Theme;
  /** Keys without Ctrl or ⌘ do something (WCAG 2.2, 2.1.4: they can be turned off). */
  readonly singleKeys: boolean;
}

export function useSettings(): [Settings, (change: Partial<Settings>) => void] {
  const [settings, set] = useState(initial);
  useEffect(() => {
    const { documentElement: html } = document;
    html.lang = settings.language === 'zh' ? 'zh-CN' : 'en';
    html.dataset['theme'] = settings.theme;
  }, [settings]);
  return [
    settings,
    (change) => {
      for (const [name, value] of Object.entries(change)) keep(name, String(value));
      set((before) => ({ ...before, ...change }));
    },
  ];
}

function initial(): Settings {
  // The server has chosen the page's language by what the browser asks for.
  const served: Language = document.documentElement.lang.startsWith('zh') ? 'zh' : 'en';
  const theme = kept('theme');
  return {
    language: languages.find((one) => one === kept('language')) ?? served,
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    singleKeys: kept('singleKeys') !== 'false',
  };
}
