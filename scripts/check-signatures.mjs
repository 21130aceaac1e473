/**
 * Holds the C++ half of the addon against its TypeScript mirror: the comment `ts: name(args): result` above each
 * exported function of native/*.cpp, the functions that are registered there, and the members of `interface Addon` in
 * src/native/addon.ts must be the same, name by name and word by word (line breaks apart).
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const comment = /^\s*\/\/(?:.*\s)?ts: (.*)$/;
const registration = /\bexports\.Set\(\s*"(\w+)"/g;

/** One spelling for what a formatter may have broken into lines. */
const oneLine = (signature) =>
  signature
    .replace(/\s+/g, ' ')
    .replace(/([([{]) /g, '$1')
    .replace(/,? ([)\]])/g, '$1')
    .trim();

const nameOf = (signature) => /^\w+/.exec(signature)?.[0] ?? signature;

/** name → { signature, place } of the `ts:` comments, and name → place of the registrations. */
function readNative(root) {
  const commented = new Map();
  const registered = new Map();
  const problems = [];
  for (const file of readdirSync(join(root, 'native'))
    .filter((name) => name.endsWith('.cpp'))
    .sort()) {
    const text = readFileSync(join(root, 'native', file), 'utf8');
    text.split('\n').forEach((line, index) => {
      const place = `native/${file}:${index + 1}`;
      const signature = comment.exec(line)?.[1];
      if (signature !== undefined) {
        const name = nameOf(signature);
        if (commented.has(name))
          problems.push(`${place}: ${name} has a ts: comment at ${commented.get(name).place} too`);
        commented.set(name, { signature: oneLine(signature), place });
      }
      for (const hit of line.matchAll(registration)) registered.set(hit[1], place);
    });
  }
  return { commented, registered, problems };
}

/** name → { signature, place } of the members of `interface Addon`. */
function readMirror(root) {
  const file = 'src/native/addon.ts';
  const text = readFileSync(join(root, file), 'utf8');
  const block = /interface Addon \{\n([\s\S]*?)\n\}/.exec(text);
  const members = new Map();
  if (block === null) return members;
  const firstLine = text.slice(0, block.index).split('\n').length + 1;
  const withoutComments = block[1].replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (found) => found.replace(/[^\n]/g, ' '));
  for (const hit of withoutComments.matchAll(/(\w+)\([^;]*;/g)) {
    const line = firstLine + withoutComments.slice(0, hit.index).split('\n').length - 1;
    members.set(hit[1], { signature: oneLine(hit[0].slice(0, -1)), place: `${file}:${line}` });
  }
  return members;
}

/** The sentences about what differs; none if both halves agree. */
export function checkSignatures(root) {
  const native = join(root, 'native');
  if (!existsSync(native) || !readdirSync(native).some((name) => name.endsWith('.cpp')))
    return ['native/: no .cpp file, so there is nothing to hold src/native/addon.ts against'];
  const { commented, registered, problems } = readNative(root);
  const members = readMirror(root);
  if (members.size === 0) problems.push('src/native/addon.ts: no `interface Addon` with members');
  for (const [name, place] of registered)
    if (!commented.has(name))
      problems.push(`${place}: ${name} is registered, but no comment \`ts: ${name}(…): …\` stands above it`);
  for (const [name, { signature, place }] of commented) {
    if (!registered.has(name)) problems.push(`${place}: ${name} has a ts: comment, but nothing registers it`);
    const member = members.get(name);
    if (member === undefined) problems.push(`${place}: ${name} is missing in src/native/addon.ts: ${signature}`);
    else if (member.signature !== signature)
      problems.push(`${place}: ${signature}\n  differs from ${member.place}: ${member.signature}`);
  }
  for (const [name, { place }] of members)
    if (!commented.has(name)) problems.push(`${place}: ${name} has no \`ts:\` comment in native/*.cpp`);
  return problems;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const problems = checkSignatures(dirname(dirname(fileURLToPath(import.meta.url))));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
