/**
 * The command line. Commands are defined here in the order of the job; what they do is imported when one is run, so
 * that help is instant and commands that need only words never load libtorch.
 * Exit codes: 0 done, 1 the work failed, 2 bad input or usage, 130 interrupted.
 */
import { CommanderError } from 'commander';
import { loadDotEnv } from '../src/base/environment.ts';
import { ConfigError, UnderstudyError } from '../src/base/errors.ts';
import { version } from '../src/base/paths.ts';
import { redact } from '../src/base/redact.ts';
import { Command } from './command.ts';
import { answerCommand } from './commands/answer.ts';
import { chatCommand } from './commands/chat.ts';
import { dataCommand } from './commands/data.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { feedbackCommand } from './commands/feedback.ts';
import { generateCommand } from './commands/generate.ts';
import { initCommand } from './commands/init.ts';
import { ledgerCommand } from './commands/ledger.ts';
import { modelCommand } from './commands/model.ts';
import { planCommand } from './commands/plan.ts';
import { rankCommand } from './commands/rank.ts';
import { reportCommand } from './commands/report.ts';
import { runCommand } from './commands/run.ts';
import { trainCommand } from './commands/train.ts';
import { red } from './terminal.ts';

function program(): Command {
  const root = new Command('understudy')
    .description('Teach a small language model you own with a big one you rent, and prove how good it is.')
    .version(version)
    .option('--debug', 'show where an error came from')
    .addHelpText('after', '\nExample:\n  $ ./understudy run examples/demo.yaml');
  const commands = [
    doctorCommand(),
    initCommand(),
    runCommand(),
    generateCommand(),
    dataCommand(),
    feedbackCommand(),
    ledgerCommand(),
    planCommand(),
    trainCommand(),
    answerCommand(),
    rankCommand(),
    chatCommand(),
    evaluateCommand(),
    reportCommand(),
    modelCommand(),
  ];
  for (const one of commands) root.addCommand(one);
  return root;
}

/** Throws instead of exiting, for every command and subcommand; errors go through `fail`. */
function throwing(command: Command): Command {
  command
    .exitOverride()
    .configureOutput({ outputError: () => {}, writeErr: () => {} })
    .showSuggestionAfterError();
  for (const sub of command.commands) throwing(sub);
  return command;
}

export async function main(args: readonly string[]): Promise<number> {
  // `| head` closing the pipe is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const root = throwing(program());
  if (args.length === 0) {
    root.outputHelp();
    return 0;
  }
  try {
    loadDotEnv();
    await root.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return fail(error, args);
  }
}

function fail(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help, --version
    if (error.code === 'commander.help') {
      show('a subcommand is missing', `run with --help to see which: ${args.join(' ')} --help`);
      return 2;
    }
    show(error.message.replace(/^error: /, ''), 'run with --help to see what there is');
    return 2;
  }
  const problem = error instanceof Error ? error : new Error(String(error));
  const known = isKnown(problem) ? problem : asOutputError(problem);
  show(
    problem.message,
    known ? known.hint : 'a bug of ours, or the machine: run with --debug to see where it comes from',
  );
  if (args.includes('--debug')) process.stderr.write(`${redact(problem.stack ?? '')}\n`);
  return known?.exitCode ?? 1;
}

/** An output that cannot be made where the user wants it. */
function asOutputError(problem: Error): ConfigError | undefined {
  const { code, path } = problem as NodeJS.ErrnoException;
  if (!['EEXIST', 'ENOTDIR', 'EACCES', 'EROFS', 'EISDIR', 'EPERM'].includes(code ?? '')) return undefined;
  return new ConfigError(problem.message, { hint: `choose another place for ${path ?? 'the output'}` });
}

/** Ours, and set-up's: plain JavaScript that cannot import our classes. Its message is whole. */
const isKnown = (problem: Error): problem is Error & Pick<UnderstudyError, 'hint' | 'exitCode'> =>
  problem instanceof UnderstudyError || (problem as { code?: unknown }).code === 'setup';

/** At most ten lines. */
function show(message: string, hint: string | undefined): void {
  const lines = redact(message).split('\n').slice(0, 8);
  process.stderr.write(`${red('error:')} ${lines.join('\n')}\n`);
  if (hint !== undefined) process.stderr.write(`  → ${redact(hint)}\n`);
}
