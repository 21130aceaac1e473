/**
 * The same part of several runs as one: sentences said once or under their run's name, charts beside each other, tables laid
 * over one another so that the same figure of all runs stands together. Settings that differ are marked.
 */
import type { Block, Chart, Part } from './part.ts';
import { type Cell, cellText, type Table } from './table.ts';
import type { Words } from './words.ts';

export interface NamedParts {
  readonly name: string;
  readonly parts: readonly Part[];
}

/** Parts in the order of the first run that has them. One run's stay as they are. */
export function alignRuns(runs: readonly NamedParts[], words: Words): Part[] {
  if (runs.length < 2) return runs.flatMap(({ parts }) => [...parts]);
  const ids = [...new Set(runs.flatMap(({ parts }) => parts.map(({ id }) => id)))];
  return ids.map((id) => {
    const own = runs.flatMap(({ name, parts }) => {
      const part = parts.find((one) => one.id === id);
      return part ? [{ name, part }] : [];
    });
    const { title } = own[0]!.part;
    return {
      id,
      title,
      blocks: alignBlocks(
        own.map(({ name, part }) => ({ name, blocks: part.blocks })),
        runs.length,
        words,
      ),
    };
  });
}

interface Slot {
  readonly key: string;
  readonly first: Block;
  readonly found: { readonly name: string; readonly block: Block }[];
}

function alignBlocks(
  runs: readonly { readonly name: string; readonly blocks: readonly Block[] }[],
  numRuns: number,
  words: Words,
): Block[] {
  const slots: Slot[] = [];
  for (const { name, blocks } of runs) {
    const keys = keysOf(blocks);
    let last = -1;
    for (const [i, block] of blocks.entries()) {
      const key = keys[i]!;
      let at = slots.findIndex((slot) => slot.key === key);
      if (at < 0) {
        // After what came before it here, and after what other runs say in its place.
        at = last + 1;
        while (isSentence(block) && slots[at]?.first.kind === block.kind && !keys.includes(slots[at]!.key)) at++;
        slots.splice(at, 0, { key, first: block, found: [] });
      }
      slots[at]!.found.push({ name, block });
      last = at;
    }
  }
  return slots.flatMap((slot) => merged(slot, numRuns, words));
}

const isSentence = ({ kind }: Block): boolean => kind === 'text' || kind === 'note';

/** Unique among the blocks of a run, the same in all runs for what belongs together. */
function keysOf(blocks: readonly Block[]): string[] {
  const met = new Map<string, number>();
  return blocks.map((block) => {
    const kind = keyOf(block);
    const place = met.get(kind) ?? 0;
    met.set(kind, place + 1);
    return `${kind} ${place}`;
  });
}

function keyOf(block: Block): string {
  if (block.kind === 'table') return `table ${block.table.key ?? block.table.caption}`;
  if (block.kind === 'heading' || block.kind === 'text' || block.kind === 'note') return `${block.kind} ${block.text}`;
  return block.kind === 'folded' ? `folded ${block.summary}` : block.kind;
}

function merged({ first, found }: Slot, numRuns: number, words: Words): Block[] {
  const isOfAll = found.length === numRuns;
  switch (first.kind) {
    case 'heading':
      return [first];
    case 'text':
    case 'note': {
      if (isOfAll) return [first];
      return found.map(({ name }) => ({
        kind: first.kind,
        text: words.say('{name}: {text}', { name, text: first.text }),
      }));
    }
    case 'charts': {
      const drawn = found.flatMap(({ name, block }): Chart[] =>
        block.kind === 'charts'
          ? block.charts.map((chart) => ({ ...chart, title: words.say('{name}: {text}', { name, text: chart.title }) }))
          : [],
      );
      return [{ kind: 'charts', charts: drawn }];
    }
    case 'table': {
      const tables = found.flatMap(({ name, block }) => (block.kind === 'table' ? [{ name, table: block.table }] : []));
      return [{ kind: 'table', table: alignTables(tables, words) }];
    }
    case 'folded': {
      const inner = found.flatMap(({ name, block }) =>
        block.kind === 'folded' ? [{ name, blocks: block.blocks }] : [],
      );
      return [{ ...first, blocks: alignBlocks(inner, numRuns, words) }];
    }
    case 'json':
      return found.map(({ name, block }) => ({
        ...(block as typeof first),
        summary: words.say('{name}: {text}', { name, text: first.summary }),
      }));
  }
}

export interface NamedTable {
  readonly name: string;
  readonly table: Table;
}

/** One column a run where each has one value a row; else one line a run, those of a row under one another. */
export function alignTables(tables: readonly NamedTable[], words: Words): Table {
  const { caption, columns, isSettings = false } = tables[0]!.table;
  const labels = [...new Set(tables.flatMap(({ table }) => table.rows.map(([label = '']) => cellText(label))))];
  const rowOf = ({ rows }: Table, label: string) => rows.find(([own = '']) => cellText(own) === label);
  if (tables.every(({ table }) => table.columns.length === 2)) {
    return {
      caption,
      columns: [columns[0]!, ...tables.map(({ name }) => ({ label: name, numeric: columns[1]?.numeric ?? false }))],
      rows: labels.map((label): Cell[] => {
        const cells = tables.map(({ table }): Cell => rowOf(table, label)?.[1] ?? words.say('none'));
        const differ = isSettings && new Set(cells.map(cellText)).size > 1;
        return [differ ? { text: label, differs: true } : label, ...cells];
      }),
    };
  }
  // Runs with other columns (languages, say) are laid under the columns' names.
  const heads = [
    ...new Map(tables.flatMap(({ table }) => table.columns.slice(1)).map((column) => [column.label, column])).values(),
  ];
  return {
    caption,
    columns: [columns[0]!, { label: words.say('run') }, ...heads],
    rows: labels.flatMap((label) => {
      const own = tables.flatMap(({ name, table }) => {
        const row = rowOf(table, label);
        return row ? [{ name, table, row }] : [];
      });
      return own.map(({ name, table, row }, i): Cell[] => [
        i === 0 ? label : { text: label, isRepeated: true },
        name,
        ...heads.map((head): Cell => {
          const at = table.columns.findIndex((column, place) => place > 0 && column.label === head.label);
          return at < 0 ? '' : (row[at] ?? '');
        }),
      ]);
    }),
  };
}
