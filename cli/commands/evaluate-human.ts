import { ConfigError } from '../../src/base/errors.ts';
import type { InvitationLink } from '../../studio/server/invite.ts';
import { Command, command, interruptible, positiveNumber, realNumber, wholeNumber } from '../command.ts';
import { bold, print, printJson, say } from '../terminal.ts';

/** Not one that is often taken. */
const defaultPort = 8417;
const defaultDays = 14;

export function humanCommand(): Command {
  return new Command('human')
    .description('people compare two answers, blind: helpful, honest, harmless')
    .addCommand(serveCommand())
    .addCommand(inviteCommand())
    .addCommand(resultsCommand())
    .addCommand(exportCommand());
}

interface ServeFlags {
  readonly answers?: string[];
  readonly out: string;
  readonly raters?: number;
  readonly ratersPerItem?: number;
  readonly itemsPerRater?: number;
  readonly attention?: number;
  readonly seed?: number;
  readonly days: number;
  readonly host?: string;
  readonly port: number;
  readonly url?: string;
  readonly json?: boolean;
}

function serveCommand(): Command {
  return command('serve', 'a page on which invited raters compare answers; each vote is on the disk when it says so', [
    'evaluate human serve items.jsonl --raters 3 --out people',
    'evaluate human serve questions.jsonl --answers mine=a.jsonl theirs=b.jsonl --out people',
    'evaluate human serve --out people   # goes on',
  ])
    .argument(
      '[items]',
      'rows {id, question, answers: {model: text}}, rows.jsonl of `evaluate compare`, or questions alone',
    )
    .option('--answers <name=file...>', 'a model and its answers, in the forms of `evaluate judge`; two or more')
    .requiredOption('--out <folder>', 'folder of the study: items, votes, the secret that signs invitations')
    .option('--raters <n>', 'invite so many at once: rater-1, rater-2, …', positiveNumber)
    .option('--raters-per-item <n>', 'raters that compare the same item (default: 3)', positiveNumber)
    .option('--items-per-rater <n>', 'comparisons a rater gets at most, attention checks included', positiveNumber)
    .option(
      '--attention <share>',
      'share of attention checks among the comparisons, 0 to 0.5 (default: 0.1)',
      realNumber,
    )
    .option('--seed <n>', 'of what is left to chance in the assignment (default: 1)', wholeNumber)
    .option('--days <n>', 'how long invitations are good for', positiveNumber, defaultDays)
    .option('--host <address>', 'listen there; 0.0.0.0: everywhere (default: 127.0.0.1, this machine alone)')
    .option('--port <n>', '0: any that is free', wholeNumber, defaultPort)
    .option('--url <address>', 'where raters reach it, if that is elsewhere: behind a proxy with https, or by a name')
    .option('--json', 'print one JSON document when it is ready')
    .action(serve);
}

async function serve(itemsFile: string | undefined, flags: ServeFlags): Promise<void> {
  const { out, answers = [], ratersPerItem, itemsPerRater, attention: checkShare, seed, host, port, url } = flags;
  const { readPeopleItems } = await import('../../src/evaluate/people-items.ts');
  const { prepareStudy } = await import('../../studio/server/prepare-study.ts');
  const { serveStudy } = await import('../../studio/server/serve.ts');
  const { inviteRaters } = await import('../../studio/server/invite.ts');
  if (url !== undefined) requireUrl(url);
  if (itemsFile === undefined && answers.length > 0) {
    throw new ConfigError(
      '--answers: expected the questions they answer too: evaluate human serve QUESTIONS --answers …',
    );
  }
  const items = itemsFile === undefined ? undefined : readPeopleItems(itemsFile, answers.map(namedFile));
  const study = prepareStudy(out, items, { ratersPerItem, itemsPerRater, checkShare, seed });
  await interruptible(async (signal) => {
    const server = await serveStudy({ folder: out, host, port, publicUrl: url, onError: say });
    const raters = Array.from({ length: flags.raters ?? 0 }, (_, i) => `rater-${i + 1}`);
    const invitations = inviteRaters(out, { raters, days: flags.days, url: server.url });
    if (flags.json) printJson({ url: server.url, ...study, invitations });
    else {
      const { plural } = await import('../../src/report/format.ts');
      say(`${plural(study.items, 'item')}, ${study.settings.ratersPerItem} raters each, at ${server.url}`);
      say(`more invitations: ./understudy evaluate human invite ${out} NAME…; stop with Ctrl-C, go on any time`);
      const { hostname, protocol } = new URL(server.url);
      if (protocol === 'http:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
        say('links and votes go over the network in the clear: put a proxy with https before it, and name it by --url');
      printInvitations(invitations);
    }
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
      if (signal.aborted) resolve(undefined);
    });
    await server.close();
  });
}

function namedFile(text: string): { model: string; file: string } {
  const [, model, file] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (model !== undefined && file !== undefined) return { model, file };
  throw new ConfigError(`--answers: expected NAME=FILE, got ${JSON.stringify(text)}`);
}

function requireUrl(text: string): void {
  if (URL.canParse(text) && /^https?:/.test(text)) return;
  throw new ConfigError(`--url: expected an address with http:// or https://, got ${JSON.stringify(text)}`);
}

interface InviteFlags {
  readonly days: number;
  readonly url?: string;
  readonly json?: boolean;
}

function inviteCommand(): Command {
  return command('invite', 'links by which raters come; the same name again: a new link to where that rater was', [
    'evaluate human invite people anna bo',
  ])
    .argument('<folder>', 'the study')
    .argument('<raters...>', 'a name for each, as it stands in results and exports; raters do not see others')
    .option('--days <n>', 'how long the links are good for', positiveNumber, defaultDays)
    .option('--url <address>', 'where raters reach the server (default: where it last ran)')
    .option('--json', 'print one JSON document')
    .action(async (folder: string, raters: string[], { days, url, json }: InviteFlags) => {
      if (url !== undefined) requireUrl(url);
      const { inviteRaters } = await import('../../studio/server/invite.ts');
      const invitations = inviteRaters(folder, { raters, days, url });
      if (json) printJson({ invitations });
      else printInvitations(invitations);
    });
}

function printInvitations(invitations: readonly InvitationLink[]): void {
  if (invitations.length === 0) return;
  say(`whoever has a link votes as its rater, until ${invitations[0]!.expires.slice(0, 10)}:`);
  for (const { rater, link } of invitations) print(`${rater}\t${link}`);
}

interface ResultsFlags {
  readonly judge?: string;
  readonly leaveOut?: string[];
  readonly json?: boolean;
}

function resultsCommand(): Command {
  return command('results', 'win, tie and lose by criterion, agreement, rater quality, and people against the judge', [
    'evaluate human results people --json',
    'evaluate human results people --judge comparison/rows.jsonl',
  ])
    .argument('<folder>', 'the study')
    .option(
      '--judge <rows>',
      'the judge’s verdicts on the same items: rows.jsonl of `evaluate judge`, or of `evaluate compare`',
    )
    .option('--leave-out <raters...>', 'raters whose votes are not counted')
    .option('--json', 'print one JSON document')
    .action(async (folder: string, { judge, leaveOut = [], json }: ResultsFlags) => {
      const { peopleResults } = await import('../../studio/server/results.ts');
      const results = peopleResults(folder, { judge, leaveOut });
      if (json) return printJson(results);
      const { peopleLines } = await import('./evaluate-human-text.ts');
      print(peopleLines(results, bold).join('\n'));
    });
}

interface ExportFlags {
  readonly out: string;
  readonly attention?: boolean;
}

function exportCommand(): Command {
  return command('export', 'every vote as a row: CSV, or JSON Lines that `evaluate agreement` reads', [
    'evaluate human export people --out votes.jsonl',
    'evaluate human export people --attention --out votes.csv',
  ])
    .argument('<folder>', 'the study')
    .requiredOption('--out <file>', 'name ending in .csv or .jsonl')
    .option('--attention', 'attention checks too; without, they are left out')
    .action(async (folder: string, { out, attention = false }: ExportFlags) => {
      const { exportVotes } = await import('../../studio/server/results.ts');
      const votes = exportVotes(folder, out, { attention });
      say(`${out}: ${votes} votes`);
    });
}
