import { type Command, command } from '../command.ts';
import { print, printJson } from '../terminal.ts';

export function rewardCommand(): Command {
  return command('reward', 'a reward model’s card: how often it is right on answers held out from its training', [
    'evaluate reward my-reward-model',
    'evaluate reward my-reward-model --json',
  ])
    .argument('<folder>', 'a reward model’s, with held-out.jsonl in it')
    .option('--json', 'print one JSON document')
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const { basename } = await import('node:path');
      const { cardOf } = await import('../../recipes/reward-card.ts');
      const { cardMarkdown } = await import('../../recipes/reward-card-markdown.ts');
      const card = cardOf(folder);
      if (json) return printJson(card);
      print(cardMarkdown(card, { name: basename(folder), summary: true }).trimEnd());
    });
}
