/**
 * Holds every import in src, recipes, cli and studio against the table in layers.mjs. Prints each arrow that is not in
 * it, and each way from the words half to native or torch; exits 1 if there is one.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findImports } from './imports.mjs';
import { layeredFolders, layerOf, layers, numbersOnly, wordsHalf } from './layers.mjs';

/** The paths of all source files below the layered folders, with slashes, relative to `root`. */
function sourceFiles(root) {
  return layeredFolders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
        .map((entry) => posix.join(relativeTo(root, entry.parentPath ?? entry.path), entry.name)),
    )
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
    .sort();
}

const relativeTo = (root, folder) =>
  resolve(folder)
    .slice(resolve(root).length + 1)
    .replaceAll('\\', '/');

/** [{ from, to, line, typeOnly }] for every relative import; `to` as written, or the file it is compiled from. */
function findArrows(root) {
  const files = sourceFiles(root);
  const known = new Set(files);
  return files.flatMap((from) =>
    findImports(readFileSync(join(root, from), 'utf8'))
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier, line, typeOnly }) => {
        const written = posix.join(posix.dirname(from), specifier);
        const candidates = [written, written.replace(/\.js(x?)$/, '.ts$1'), `${written}.ts`, `${written}/index.ts`];
        return { from, to: candidates.find((path) => known.has(path)) ?? written, line, typeOnly };
      }),
  );
}

/** The sentences about what is wrong in the tree under `root`; none if all is well. */
export function checkLayers(root) {
  const arrows = findArrows(root);
  const homeless = sourceFiles(root).filter((file) => layerOf(file) === undefined);
  return [
    ...homeless.map((file) => `${file}: in no layer; put it into one, or give its folder one in scripts/layers.mjs`),
    ...arrows.flatMap((arrow) => wrongArrow(arrow) ?? []),
    ...hiddenWays(arrows),
  ];
}

const place = ({ from, line, typeOnly }) => `${from}:${line}:${typeOnly ? ' (types only)' : ''}`;

function wrongArrow(arrow) {
  const from = layerOf(arrow.from);
  const to = layerOf(arrow.to);
  if (from === undefined || from === to) return undefined;
  const allowed = layers[from];
  if (to !== undefined && allowed.includes(to)) return undefined;
  return `${place(arrow)} ${from} may not import ${to ?? 'what is in no layer'} (${arrow.to}); it may import ${allowed.join(', ') || 'nothing'}`;
}

/** Ways of two and more arrows from the words half to the addon; a way of one arrow is a wrong arrow already. */
function hiddenWays(arrows) {
  const byFile = groupByFile(arrows);
  const starts = [...byFile.keys()].filter((file) => wordsHalf.includes(layerOf(file)));
  return starts.flatMap((start) => {
    const way = shortestWay(start, byFile);
    if (way === undefined || way.length < 2) return [];
    const steps = way.map((arrow) => `${place(arrow)} → ${arrow.to}`).join(', ');
    return [`${start}: the words half reaches ${layerOf(way.at(-1).to)}: ${steps}`];
  });
}

function groupByFile(arrows) {
  const groups = new Map();
  for (const arrow of arrows) groups.set(arrow.from, [...(groups.get(arrow.from) ?? []), arrow]);
  return groups;
}

/** The arrows from `start` to the nearest file of native or torch; undefined if there is no way. */
function shortestWay(start, byFile) {
  const ways = new Map([[start, []]]);
  for (const [file, way] of ways) {
    for (const arrow of byFile.get(file) ?? []) {
      if (ways.has(arrow.to)) continue;
      ways.set(arrow.to, [...way, arrow]);
      if (numbersOnly.includes(layerOf(arrow.to))) return ways.get(arrow.to);
    }
  }
  return undefined;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const problems = checkLayers(dirname(dirname(fileURLToPath(import.meta.url))));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
