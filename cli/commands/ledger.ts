import { Option } from 'commander';
import type { ShownCall } from '../../recipes/ledger-show.ts';
import { WorkError } from '../../src/base/errors.ts';
import type { CallTotals, LedgerStatistics } from '../../src/teacher/ledger-statistics.ts';
import { Command, command, interruptible, positiveNumber } from '../command.ts';
import { bold, dim, green, print, printJson, say } from '../terminal.ts';

const ledgerText = 'ledger.sqlite, or the folder it stands in';

export function ledgerCommand(): Command {
  return new Command('ledger')
    .description('the record of every teacher call: what was asked, answered and paid')
    .addCommand(statsCommand())
    .addCommand(showCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .addCommand(verifyCommand());
}

function statsCommand(): Command {
  return command('stats', 'calls, tokens and costs by stage and teacher', [
    'ledger stats runs/demo',
    'ledger stats my-data/ledger.sqlite --json',
  ])
    .argument('<ledger>', ledgerText)
    .option('--json', 'print one JSON document')
    .action(async (place: string, { json }: { json?: boolean }) => {
      const { ledgerPath } = await import('../../src/teacher/ledger-file.ts');
      const { ledgerStatistics } = await import('../../src/teacher/ledger-statistics.ts');
      const { usd } = await import('../../src/teacher/spending.ts');
      const statistics = ledgerStatistics(ledgerPath(place));
      if (json) printJson(statistics);
      else showStatistics(statistics, usd);
    });
}

function showStatistics({ total, groups, usedBy, firstAt, lastAt }: LedgerStatistics, usd: (amount: number) => string) {
  const cells = ({ calls, sendings, tokens, usd: costs }: CallTotals): string[] => [
    ...[calls.stored, calls.failed, calls.inDoubt, calls.awaited, sendings, tokens.input, tokens.output].map((n) =>
      n.toLocaleString('en-US'),
    ),
    ...[costs.stored, costs.inDoubt, costs.awaited, costs.lost].map(usd),
  ];
  const counts = ['stored', 'failed', 'in doubt', 'in batches', 'sendings', 'tokens in', 'tokens out'];
  const head = [...counts, 'cost', '≤ in doubt', '≤ in batches', '≤ lost'];
  const rows = [
    ['stage', 'teacher', ...head],
    ...groups.map((group) => [group.stage, group.teacher, ...cells(group)]),
    ['all', '', ...cells(total)],
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length))) ?? [];
  for (const [i, row] of rows.entries()) {
    const line = row
      .map((text, column) => {
        const width = widths[column] as number;
        return column < 2 ? text.padEnd(width) : text.padStart(width);
      })
      .join('  ');
    print(i === 0 ? bold(line) : line);
  }
  if (firstAt !== null) say(dim(`first call ${firstAt}${lastAt === null ? '' : `, last outcome ${lastAt}`}`));
  const { unpriced } = total.usd;
  const { uncounted } = total.tokens;
  if (unpriced > 0) say(`${unpriced} stored calls have no known price and are not in the cost`);
  if (uncounted > 0) say(`${uncounted} stored calls have no count of tokens`);
  if (usedBy !== null && total.calls.inDoubt > 0)
    say(`process ${usedBy} is using the ledger: it may still await some of the calls in doubt`);
}

interface ShowFlags {
  readonly key?: string;
  readonly stage?: string[];
  readonly state?: 'sent' | 'stored' | 'failed';
  readonly grep?: string;
  readonly row?: string;
  readonly limit: number;
  readonly json?: boolean;
}

function showCommand(): Command {
  return command('show', 'calls in full: by key, stage, state or text, or those that made a row of data', [
    'ledger show runs/demo --key 34d49a',
    'ledger show my-data --stage answers --grep "river" --limit 3',
    'ledger show --row my-data/data.jsonl:17',
  ])
    .argument('[ledger]', `${ledgerText} (default: that beside the file of --row, or above it)`)
    .option('--key <prefix>', 'key of a call, or its beginning')
    .option('--stage <names...>', 'of these stages')
    .addOption(new Option('--state <state>', 'of this state').choices(['sent', 'stored', 'failed']))
    .option('--grep <text>', 'with this text in a message, the answer or the error')
    .option('--row <file:row>', 'the calls behind a row of data: line from 1 in JSONL, element from 0 in an array')
    .option('--limit <n>', 'most calls to show', positiveNumber, 20)
    .option('--json', 'print one JSON document')
    .action(show);
}

async function show(ledger: string | undefined, { key, stage, state, grep, row, limit, json }: ShowFlags) {
  const { run } = await import('../../recipes/ledger-show.ts');
  const { parseRowName } = await import('../../recipes/ledger-row.ts');
  const place = row === undefined ? undefined : parseRowName(row);
  const result = await run({ ledger, key, stages: stage, state, text: grep, row: place, limit });
  const { matched, calls, missing } = result;
  if (json) printJson(result);
  else for (const call of calls) showCall(call);
  if (matched > calls.length) say(`${calls.length} of ${matched} calls shown; more with --limit ${matched}`);
  if (missing.length > 0) {
    throw new WorkError(`the row names calls that ${result.ledger} does not have: ${missing.join(', ')}`, {
      hint: 'they are in the ledger of the run that made them',
    });
  }
}

function showCall(call: ShownCall): void {
  print(bold(call.key));
  if ('problems' in call) {
    for (const problem of call.problems) print(`  broken: ${problem}`);
    for (const [name, value] of Object.entries(call.columns)) print(`${bold(`[${name}]`)} ${value ?? ''}`);
    print('');
    return;
  }
  const { request, answer, error } = call;
  const { model, parameters, sample, messages } = request;
  print(`  ${call.state}, ${call.stage}, ${call.teacher}, sendings: ${call.attempts}`);
  print(`  ${model}, sample ${sample}, ${JSON.stringify(parameters)}`);
  const times = { recorded: call.createdAt, sent: call.sentAt, finished: call.finishedAt };
  print(`  ${join(times)}`);
  const costs = { 'cost $': call.costUsd, 'at most $': call.upperBoundUsd, 'lost at most $': call.lostUsd };
  print(`  ${join(costs)}`);
  for (const { role, content } of messages) print(`${bold(`[${role}]`)}\n${content}`);
  if (answer) {
    const usage = answer.usage ? `, ${answer.usage.inputTokens} tokens in, ${answer.usage.outputTokens} out` : '';
    print(`${bold('[answer]')} ${answer.finishReason}${usage}\n${answer.text}`);
    print(`${bold('[raw]')}\n${JSON.stringify(answer.raw, null, 2)}`);
  }
  if (error) print(`${bold('[error]')} ${JSON.stringify(error)}`);
  print('');
}

const join = (parts: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(parts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

interface ExportFlags {
  readonly out: string;
  readonly stage?: string[];
  readonly json?: boolean;
}

function exportCommand(): Command {
  return command('export', 'write the stored calls as JSON Lines, for a colleague to import', [
    'ledger export my-data --out calls.jsonl.gz',
    'ledger export runs/demo --stage answers judge --out answers.jsonl',
  ])
    .argument('<ledger>', ledgerText)
    .requiredOption('--out <file>', 'JSON Lines to write; .gz or .zst behind compresses')
    .option('--stage <names...>', 'of these stages only')
    .option('--json', 'print one JSON document')
    .action(async (place: string, { out, stage, json }: ExportFlags) => {
      const { exportCalls } = await import('../../recipes/ledger-exchange.ts');
      const { ledgerPath } = await import('../../src/teacher/ledger-file.ts');
      const config = { ledger: ledgerPath(place), out, stages: stage };
      const result = await interruptible((signal) => exportCalls(config, signal));
      if (json) printJson(result);
      for (const { key, problems } of result.broken)
        say(`left out, since it is broken: ${key}: ${problems.join('; ')}`);
      say(`${green('✓')} ${out}: ${result.exported} calls`);
    });
}

interface ImportFlags {
  readonly withCosts?: boolean;
  readonly json?: boolean;
}

function importCommand(): Command {
  return command('import', 'take over answers that another ledger exported; what is stored here stays', [
    'ledger import my-data calls.jsonl.gz',
  ])
    .argument('<ledger>', `${ledgerText}; made where there is none`)
    .argument('<files...>', 'files that `ledger export` wrote')
    .option('--with-costs', 'count what the answers cost there against budgets here (default: they cost nothing)')
    .option('--json', 'print one JSON document')
    .action(async (place: string, files: string[], { withCosts = false, json }: ImportFlags) => {
      const { importCalls } = await import('../../recipes/ledger-exchange.ts');
      const { ledgerPath } = await import('../../src/teacher/ledger-file.ts');
      const config = { ledger: ledgerPath(place), files, withCosts };
      const result = await interruptible((signal) => importCalls(config, signal));
      const { added, same, conflicting } = result;
      if (json) printJson(result);
      for (const key of conflicting) say(`answered otherwise here, and left so: ${key}`);
      const counts = `${added} calls added, ${same} were there, ${conflicting.length} conflicting`;
      say(`${green('✓')} ${result.ledger}: ${counts}`);
    });
}

function verifyCommand(): Command {
  return command('verify', 'check every row of a ledger and the file it is in; names what is broken', [
    'ledger verify runs/demo',
  ])
    .argument('<ledger>', ledgerText)
    .option('--json', 'print one JSON document')
    .action(async (place: string, { json }: { json?: boolean }) => {
      const { run } = await import('../../recipes/ledger-verify.ts');
      const { ledgerPath } = await import('../../src/teacher/ledger-file.ts');
      const result = await interruptible((signal) => run(ledgerPath(place), signal));
      const { ledger, rows, broken, batches, brokenBatches, damage } = result;
      if (json) printJson(result);
      else {
        for (const message of damage) print(`the file: ${message}`);
        for (const { key, problems } of broken) for (const problem of problems) print(`${key}: ${problem}`);
        for (const { id, problems } of brokenBatches) for (const problem of problems) print(`batch ${id}: ${problem}`);
      }
      if (damage.length + broken.length + brokenBatches.length > 0) {
        const found = [
          `${broken.length} of ${rows} rows are broken`,
          ...(brokenBatches.length > 0 ? [`${brokenBatches.length} of ${batches} batches`] : []),
          ...(damage.length > 0 ? ['and its file is damaged'] : []),
        ];
        throw new WorkError(`${ledger}: ${found.join(', ')}`, {
          hint: 'sound answers can be saved: ./understudy ledger export, then import into a new ledger',
        });
      }
      say(`${green('✓')} ${ledger}: ${rows} rows, all sound`);
    });
}
