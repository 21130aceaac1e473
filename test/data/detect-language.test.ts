import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { checkLanguages, loadLanguageDetector } from '../../src/data/detect-language.ts';

describe('languages', () => {
  test.each<[string | undefined, string]>([
    ['en', 'Why does bread rise when it is baked?'],
    ['zh', '为什么面包在烤的时候会膨胀？'],
    ['ja', 'パンを焼くとどうしてふくらむのですか。'],
    ['de', 'Warum geht Brot beim Backen auf?'],
    ['fr', 'Pourquoi le pain lève-t-il quand on le cuit ?'],
    [
      'fr',
      'Pourquoi ?\n```python\nfor name in names:\n    print(name, "is the name of the best")\n```\nParce que la boucle est trop longue.',
    ],
    [undefined, '```\nfor name in names: print(name)\n```'],
    [undefined, '42'],
    [undefined, ''],
  ])('%s: %j', async (language, text) => {
    const { detect } = await loadLanguageDetector();
    expect(detect(text)).toBe(language);
  });

  test('codes of no known language are wrong settings', async () => {
    const detector = await loadLanguageDetector();
    expect(() => checkLanguages(['en', 'zh'], detector)).not.toThrow();
    expect(() => checkLanguages(['en', 'english'], detector)).toThrow(ConfigError);
  });
});
