import { Option } from 'commander';
import type { PeopleReader } from '../../recipes/report-sources.ts';
import type { ReportLanguage } from '../../src/report/words.ts';
import { type Command, command } from '../command.ts';
import { print } from '../terminal.ts';

interface ReportFlags {
  readonly out?: string;
  readonly language: ReportLanguage;
}

export function reportCommand(): Command {
  return command('report', 'runs and evaluations side by side on one page, with the rows behind every figure', [
    'report runs/demo',
    'report runs/a runs/b judged people automatic --out report --language zh',
    'report my-policy my-reward-model --out report   # folders of `train grpo` and `train reward`',
  ])
    .argument(
      '<folders...>',
      'outputs of `run`, of `evaluate judge`, `automatic`, `compare`, `rouge` and `human`, of `train`, and .json files of `evaluate rouge --json`',
    )
    .option(
      '--out <folder>',
      'index.html, report.md, report.json, figures.csv (default: report in the one folder given)',
    )
    .addOption(new Option('--language <code>', 'what the report is written in').choices(['en', 'zh']).default('en'))
    .action(async (folders: string[], { out, language }: ReportFlags) => {
      const { run } = await import('../../recipes/report.ts');
      print(`report: ${run(folders, { out, language, people: await openPeople(folders) })}`);
    });
}

/** The studio's database is opened only where a folder has one. */
async function openPeople(folders: readonly string[]): Promise<PeopleReader | undefined> {
  const { existsSync } = await import('node:fs');
  const { join } = await import('node:path');
  if (!folders.some((folder) => existsSync(join(folder, 'study.sqlite')))) return undefined;
  const { peopleResults } = await import('../../studio/server/results.ts');
  const { StudyStore } = await import('../../studio/server/store.ts');
  return (folder) => {
    const store = new StudyStore(folder);
    try {
      return { results: peopleResults(folder), votes: store.votes(), items: store.items() };
    } finally {
      store.close();
    }
  };
}
