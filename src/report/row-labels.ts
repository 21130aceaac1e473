/** Values of facets that several sets of rows have, as the reader sees them. */
import type { Words } from './words.ts';

export const languageLabels = (words: Words): Record<string, string> => ({
  en: words.languageName('en'),
  zh: words.languageName('zh'),
});

export const flagLabels = ({ say }: Words): Record<string, string> => ({
  flip: say('flip'),
  parsed: say('parsed'),
  unreadable: say('unreadable'),
  refused: say('refused'),
  failed: say('failed'),
  cut: say('cut off at the length limit'),
  empty: say('empty answer'),
});
