/**
 * Set-up: packages, compiled sources, libtorch, the native addon, the embedded model. Each step is done once and again
 * only when what it depends on has changed; a run that finds all done is quiet and quick.
 *
 *   node scripts/setup.mjs                  everything
 *   node scripts/setup.mjs --needs words    packages and compiled sources
 *   node scripts/setup.mjs --only build     the same, but takes any node_modules that is there
 *
 * Plain JavaScript without dependencies, and nothing but the Node version is looked at before that has been checked.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeVersionProblem } from './setup/node-version.mjs';

/**
 * Makes what the words half (`needs: 'words'`) or everything (`'native'`) needs. Throws an error with `message`, whole
 * and for the user, and `exitCode`. With UNDERSTUDY_SKIP_SETUP=1 it returns at once.
 */
export async function ensureSetup({ needs, quiet = false, onlyBuild = false }) {
  if (process.env['UNDERSTUDY_SKIP_SETUP'] === '1') return;
  const { runSetup } = await import('./setup/run.mjs');
  await runSetup({ needs, quiet, onlyBuild });
}

/** Prints what went wrong and gives the exit code. Only a bug of ours shows where it happened. */
export function reportFailure(error) {
  const isKnown = error.exitCode !== undefined || error.syscall !== undefined;
  const message = error.exitCode === undefined ? `set-up: ${isKnown ? error.message : error.stack}` : error.message;
  return fail(message, error.exitCode ?? 1);
}

function fail(message, exitCode) {
  process.stderr.write(`${message}\n`);
  return exitCode;
}

const usage = 'usage: node scripts/setup.mjs [--needs words|native] [--only build] [--quiet]';

function parseArguments(args) {
  const options = { needs: 'native', quiet: false, onlyBuild: false };
  const words = args.flatMap((arg) => arg.split('=', 2));
  while (words.length > 0) {
    const flag = words.shift();
    if (flag === '--quiet') {
      options.quiet = true;
    } else if (flag === '--needs' && (words[0] === 'words' || words[0] === 'native')) {
      options.needs = words.shift();
    } else if (flag === '--only' && words[0] === 'build') {
      words.shift();
      options.needs = 'words';
      options.onlyBuild = true;
    } else {
      return undefined;
    }
  }
  return options;
}

async function main(args) {
  const tooOld = nodeVersionProblem(process.versions.node);
  if (tooOld !== undefined) return fail(tooOld, 2);
  const options = parseArguments(args);
  if (options === undefined) return fail(usage, 2);
  try {
    await ensureSetup(options);
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
