/**
 * Who may import whom, as data: check-layers.mjs holds the sources against it and ARCHITECTURE.md prints it. A layer is
 * a folder of src, or one of the folders beside it. Every layer may import itself; assets are read, never imported;
 * test, bench, scripts and examples may import anything and are not looked at.
 */

/** Folders of src → the folders of src they may import. */
const source = {
  base: [],
  run: ['base'],
  text: ['base'],
  teacher: ['base'],
  hub: ['base'],
  native: ['base'],
  data: ['base', 'text'],
  generate: ['base', 'text', 'teacher', 'data'],
  evaluate: ['base', 'text', 'teacher', 'data'],
  report: ['base', 'data', 'evaluate'],
  torch: ['base', 'native'],
  model: ['base', 'text', 'torch'],
  loss: ['base', 'text', 'torch'],
  infer: ['base', 'text', 'torch', 'model'],
  train: ['base', 'run', 'text', 'data', 'torch', 'model', 'loss', 'infer'],
  local: ['base', 'text', 'teacher', 'evaluate', 'torch', 'model', 'infer'],
};

const everySource = Object.keys(source);

/** Layer → the layers it may import. */
export const layers = {
  ...source,
  recipes: everySource,
  cli: [...everySource, 'recipes', 'studio/server'],
  'studio/server': [...everySource, 'recipes', 'studio/protocol'],
  'studio/web': ['studio/protocol'],
  'studio/protocol': [],
};

/** Work with no libtorch installed: these never reach native or torch, even indirectly. */
export const wordsHalf = ['base', 'run', 'text', 'teacher', 'hub', 'data', 'generate', 'evaluate', 'report'];
export const numbersOnly = ['native', 'torch'];

/** The folders whose files have a layer. */
export const layeredFolders = ['src', 'recipes', 'cli', 'studio'];

/** The layer of a path inside the package, such as `src/base/rng.ts`; undefined for one that has none. */
export function layerOf(path) {
  const [top, second = ''] = path.split('/');
  const name = second.replace(/\.[cm]?[jt]sx?$/, '');
  if (top === 'src' && name in source && name === second) return name;
  if (top === 'recipes' || top === 'cli') return top;
  const inStudio = `studio/${name}`;
  return top === 'studio' && inStudio in layers ? inStudio : undefined;
}

/** The table in Markdown, rows with equal rights together. */
export function layersMarkdown() {
  const rows = new Map();
  for (const [layer, allowed] of Object.entries(layers)) {
    const words = allowed.join(' ').replace(everySource.join(' '), 'src') || '–';
    rows.set(words, [...(rows.get(words) ?? []), layer]);
  }
  const lines = [...rows].map(([allowed, names]) => `| ${names.join(', ')} | ${allowed} |`);
  return ['| folder | may import |', '|---|---|', ...lines].join('\n');
}
