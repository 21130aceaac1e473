/** The one check that comes before everything else. Written so that Node 18 can still parse and run it. */

/** The sentence for a Node that is too old; undefined for one that will do. `version` is process.versions.node. */
export function nodeVersionProblem(version) {
  const [major, minor] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return undefined;
  return `Understudy needs Node 20.19 or newer and this is Node ${version}: install it from https://nodejs.org, or with nvm run \`nvm install\` in the checkout (.nvmrc names the version).`;
}
