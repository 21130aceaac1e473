import { existsSync } from 'node:fs';
import { UnderstudyError, WorkError } from '../../src/base/errors.ts';
import { addonFile, embeddedModelFolder, isCheckout, stateFolder, version } from '../../src/base/paths.ts';
import type { NativeGpu } from '../../src/native/addon.ts';
import { type Command, command } from '../command.ts';
import { green, print, printJson, red } from '../terminal.ts';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function doctorCommand(): Command {
  return command('doctor', 'say what is here, what is missing, and what the machine can do', [
    'doctor',
    'doctor --json',
  ])
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const { checks, engine } = await examine();
      const ok = checks.every((check) => check.ok);
      const places = { state: stateFolder, mode: isCheckout ? 'checkout' : 'package' };
      if (json) printJson({ ok, version, node: process.versions.node, ...places, checks, engine });
      else for (const { name, ok: fine, detail } of checks) print(`${fine ? green('✓') : red('✗')} ${name}: ${detail}`);
      if (!ok)
        throw new WorkError('something is missing', {
          hint: isCheckout
            ? 'run: npm run setup'
            : 'the first command that needs it sets it up, for example: understudy chat --model builtin',
        });
    });
}

async function examine() {
  const { startEngine } = await import('../../recipes/engine.ts');
  const built = existsSync(addonFile);
  const checks: Check[] = [
    { name: 'Node', ok: true, detail: process.versions.node },
    { name: 'addon', ok: built, detail: built ? addonFile : 'not built' },
    {
      name: 'embedded model',
      ok: existsSync(embeddedModelFolder),
      detail: existsSync(embeddedModelFolder) ? embeddedModelFolder : 'not there',
    },
  ];
  if (!built) return { checks, engine: null };
  // A broken addon must not take this process with it: the engine is a child.
  const engine = startEngine();
  try {
    const machine = await engine.call('machine', null);
    const { gpu } = machine;
    const build = `${machine.torchVersion} ${machine.builtForCuda ? 'with CUDA' : 'for the CPU'}`;
    const bf16 = machine.computesInBf16 ? 'bf16 in hardware' : 'no bf16 in hardware: fp32 is used';
    const amx = machine.cpuFeatures.includes('amx_bf16') ? ', AMX' : '';
    const ofProcessor = gpu ? '' : `, ${bf16}${amx}`;
    checks.push(
      { name: 'libtorch', ok: true, detail: `${build}, computes on ${machine.device}` },
      { name: 'processor', ok: true, detail: `${machine.cpuCapability}${ofProcessor}, ${machine.threads} threads` },
      ...(gpu ? [{ name: 'GPU', ok: true, detail: `${gpuText(gpu)}, ${bf16}` }] : []),
      {
        name: 'kernels',
        ok: machine.threads === 1 || machine.kernelThreads > 1,
        detail: `${machine.kernelThreads} threads used`,
      },
    );
    return { checks, engine: machine };
  } catch (error) {
    const detail = error instanceof UnderstudyError ? error.message : String(error);
    checks.push({ name: 'libtorch', ok: false, detail });
    return { checks, engine: null };
  } finally {
    engine.stop();
  }
}

const gpuText = ({ name, freeBytes, totalBytes }: NativeGpu): string =>
  `${name}, ${(freeBytes / 1e9).toFixed(1)} of ${(totalBytes / 1e9).toFixed(1)} GB free`;
