import type { Diversity } from '../../src/evaluate/diversity.ts';
import { type Command, command } from '../command.ts';
import { bold, print, printJson } from '../terminal.ts';

export function diversityCommand(): Command {
  return command('diversity', 'how varied answers are: different ones, distinct-1, -2 and -3, by language', [
    'evaluate diversity answers.jsonl',
    'evaluate diversity base.jsonl student.jsonl --json',
  ])
    .argument('<files...>', 'JSONL or JSON arrays of answers; text in output, response, text or answer')
    .option('--json', 'print one JSON document')
    .action(async (files: string[], { json }: { json?: boolean }) => {
      const { diversityOf } = await import('../../recipes/automatic.ts');
      const found = files.map((file) => ({ file, languages: diversityOf(file) }));
      if (json) return printJson({ files: found });
      for (const { file, languages } of found) {
        print(bold(file));
        for (const line of await diversityLines(languages)) print(line);
      }
    });
}

export async function diversityLines(languages: readonly Diversity[]): Promise<string[]> {
  const { fixed, languageName, plural, share } = await import('../../src/report/format.ts');
  return languages.map(({ language, answers, unique, units, distinct }) => {
    const ratios = distinct.map((ratio) => (ratio === null ? '–' : fixed(ratio, 3))).join(', ');
    const unit = language === 'zh' ? 'character' : 'word';
    return `${languageName(language)}: ${share(unique, answers)} answers differ; distinct-1, -2, -3 ${ratios} of ${plural(units, unit)}`;
  });
}
