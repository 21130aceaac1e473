// @ts-check
/**
 * The report's browser of rows: a click on a figure opens what it is made of, to be searched, chosen from, and compared word by
 * word. Rows stand in the page as JSON that is parsed when first opened, or, where they are many, in scripts beside the page
 * that call `understudyRows`: a page opened from a folder may load scripts but fetch nothing. All text is set as text.
 */

/**
 * @typedef {{ id: string, facets: Record<string, string[]>, prompt: string, texts: [string, string][], values: [string, string][] }} Row
 * @typedef {{ id: string, title: string, facets: { name: string, label: string }[], labels: Record<string, string>, count: number, scripts: string[] }} RowSet
 */

(() => {
  const pageSize = 50;
  /** What a row's line says of it, besides its id and how it begins. */
  const marked = new Set(['language', 'category', 'match', 'model', 'winner', 'change', 'flags']);
  const parsed = (/** @type {string} */ id) => JSON.parse(document.getElementById(id)?.textContent ?? 'null');
  /** @type {RowSet[]} */
  const sets = parsed('row-sets') ?? [];
  /** @type {Record<string, string>} */
  const words = parsed('row-words') ?? {};
  /** @type {Map<string, Promise<Row[]>>} */
  const loaded = new Map();
  /** @type {Map<string, Row[][]>} */
  const arrived = new Map();

  /** Called by the scripts beside the page. */
  // @ts-expect-error: a name of ours on the window
  window.understudyRows = (/** @type {string} */ set, /** @type {number} */ part, /** @type {Row[]} */ rows) => {
    const parts = arrived.get(set) ?? [];
    parts[part] = rows;
    arrived.set(set, parts);
  };

  /** @param {RowSet} set @returns {Promise<Row[]>} */
  function rowsOf(set) {
    const known = loaded.get(set.id);
    if (known) return known;
    const rows =
      set.scripts.length === 0
        ? Promise.resolve(parsed(`rows-${set.id}`))
        : Promise.all(set.scripts.map(loadScript)).then(() => (arrived.get(set.id) ?? []).flat());
    loaded.set(set.id, rows);
    rows.catch(() => loaded.delete(set.id));
    return rows;
  }

  /** @param {string} src @returns {Promise<void>} */
  function loadScript(src) {
    return new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = src;
      script.onload = () => resolve();
      script.onerror = () => reject(new Error(src));
      document.head.append(script);
    });
  }

  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
   * @returns {HTMLElementTagNameMap[Tag]}
   */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const title = element('h2', { id: 'browser-title' });
  const counted = element('p', { class: 'counted', role: 'status' });
  const close = element('button', { type: 'button', class: 'close', 'aria-label': words.close }, '×');
  const search = element('input', {
    type: 'text',
    enterkeyhint: 'search',
    placeholder: words.search,
    'aria-label': words.search,
  });
  const selects = element('div', { class: 'selects' });
  const list = element('div', { class: 'list' });
  const more = element('button', { type: 'button', class: 'more' });
  const head = element(
    'div',
    { class: 'head' },
    title,
    close,
    counted,
    element('div', { class: 'tools' }, search, selects),
  );
  const dialog = element('dialog', { class: 'browser', 'aria-labelledby': 'browser-title' }, head, list, more);
  document.body.append(dialog);

  /** @type {RowSet | undefined} */
  let set;
  /** @type {Row[]} */
  let rows = [];
  /** @type {Map<string, string>} */
  let filter = new Map();
  /** @type {Row[]} */
  let found = [];
  let shown = 0;
  let opening = 0;

  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => setAddress(''));
  search.addEventListener('input', () => refresh());
  more.addEventListener('click', () => showMore());
  dialog.addEventListener('keydown', (event) => {
    if (event.key === '/' && document.activeElement?.tagName !== 'INPUT') {
      event.preventDefault();
      search.focus();
    }
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#rows="]') : null;
    if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link.getAttribute('href') ?? '');
  });
  window.addEventListener('hashchange', () => open(location.hash));
  open(location.hash);

  /** @param {string} hash */
  function setAddress(hash) {
    const address = hash === '' ? location.href.replace(/#.*$/, '') : hash;
    history.replaceState(null, '', address);
  }

  /** @param {string} hash */
  async function open(hash) {
    if (!hash.startsWith('#rows=')) return;
    const asked = new URLSearchParams(hash.slice(1));
    const wanted = sets.find(({ id }) => id === asked.get('rows'));
    if (wanted === undefined) return;
    const own = ++opening;
    set = wanted;
    filter = new Map([...asked].filter(([name]) => name !== 'rows'));
    search.value = '';
    title.textContent = set.title;
    counted.textContent = words.loading;
    list.replaceChildren();
    selects.replaceChildren();
    more.hidden = true;
    if (!dialog.open) dialog.showModal();
    try {
      const all = await rowsOf(set);
      if (own !== opening) return;
      rows = all;
      refresh();
      list.querySelector('details')?.setAttribute('open', '');
    } catch (error) {
      if (own === opening) counted.textContent = `${words.missing} ${error instanceof Error ? error.message : ''}`;
    }
  }

  /** @param {string} value */
  const labelOf = (value) => {
    if (set !== undefined && Object.hasOwn(set.labels, value)) return set.labels[value];
    return Object.hasOwn(words, `value ${value}`) ? words[`value ${value}`] : value;
  };
  /** @param {Row} row @param {string} name */
  const valuesOf = (row, name) => (Object.hasOwn(row.facets, name) ? row.facets[name] : []);
  /** @param {Row} row @param {[string, string][]} chosen */
  const isIn = (row, chosen) => chosen.every(([name, value]) => valuesOf(row, name).includes(value));

  function refresh() {
    if (set === undefined) return;
    const chosen = [...filter];
    const wanted = search.value.toLowerCase();
    /** @param {Row} row */
    const has = ({ id, prompt, texts, values }) =>
      wanted === '' ||
      [id, prompt, ...texts.flat(), ...values.flat()].some((text) => text.toLowerCase().includes(wanted));
    found = rows.filter((row) => isIn(row, chosen) && has(row));
    counted.textContent = words.counted
      .replace('{n}', found.length.toLocaleString())
      .replace('{all}', rows.length.toLocaleString());
    showSelects();
    setAddress(`#rows=${set.id}${chosen.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join('')}`);
    list.replaceChildren();
    shown = 0;
    showMore();
  }

  function showSelects() {
    if (set === undefined) return;
    const offered = new Set(set.facets.map(({ name }) => name));
    const made = set.facets.flatMap(({ name, label }) => {
      const counts = new Map();
      const others = [...filter].filter(([other]) => other !== name);
      for (const row of rows)
        if (isIn(row, others)) for (const value of valuesOf(row, name)) counts.set(value, (counts.get(value) ?? 0) + 1);
      const chosen = filter.get(name);
      if (counts.size < 2 && chosen === undefined) return [];
      if (chosen !== undefined && !counts.has(chosen)) counts.set(chosen, 0);
      const options = [...counts].sort(([a], [b]) =>
        labelOf(a).localeCompare(labelOf(b), undefined, { numeric: true }),
      );
      const select = element(
        'select',
        { 'aria-label': label, 'data-facet': name },
        element('option', { value: '' }, words.all),
      );
      for (const [value, count] of options) select.append(element('option', { value }, `${labelOf(value)} (${count})`));
      select.value = chosen ?? '';
      if (chosen !== undefined) select.classList.add('chosen');
      select.addEventListener('change', () => choose(name, select.value));
      return [element('label', {}, element('span', {}, label), select)];
    });
    const hidden = [...filter]
      .filter(([name]) => !offered.has(name))
      .map(([name, value]) => {
        const chip = element('button', { type: 'button', class: 'chip', title: words.remove }, `${labelOf(value)} ×`);
        chip.addEventListener('click', () => choose(name, ''));
        return chip;
      });
    const focused = document.activeElement?.getAttribute('data-facet');
    selects.replaceChildren(...made, ...hidden);
    if (focused) /** @type {HTMLElement | null} */ (selects.querySelector(`[data-facet="${focused}"]`))?.focus();
  }

  /** @param {string} name @param {string} value */
  function choose(name, value) {
    if (value === '') filter.delete(name);
    else filter.set(name, value);
    refresh();
  }

  function showMore() {
    list.append(...found.slice(shown, shown + pageSize).map(rowElement));
    shown = Math.min(found.length, shown + pageSize);
    more.hidden = shown === found.length;
    more.textContent = words.more.replace('{n}', (found.length - shown).toLocaleString());
    if (found.length === 0) list.replaceChildren(element('p', { class: 'none' }, words.none));
  }

  /** Filled when it is first opened. @param {Row} row */
  function rowElement(row) {
    const summary = element('summary', {}, element('b', {}, row.id), ' ');
    for (const { name, label } of set?.facets ?? []) {
      if (!marked.has(name)) continue;
      for (const value of valuesOf(row, name)) {
        const text = name === 'winner' ? `${label}: ${labelOf(value)}` : labelOf(value);
        summary.append(element('span', { class: 'mark', title: label }, text), ' ');
      }
    }
    // What asked nothing is told by what was said, or by its figures, such as a training step.
    const figures = row.values.slice(0, 4).map((pair) => pair.filter((text) => text !== '').join(': '));
    const begin = row.prompt || row.texts[0]?.[1] || figures.join(' · ');
    summary.append(element('span', { class: 'begin' }, begin.slice(0, 160)));
    const details = element('details', { class: 'row' }, summary);
    details.addEventListener('toggle', () => {
      if (details.open && details.childElementCount === 1) details.append(rowBody(row));
    });
    return details;
  }

  /** @param {Row} row */
  function rowBody(row) {
    const body = element('div', { class: 'body' });
    if (row.prompt !== '') body.append(element('div', { class: 'words prompt', dir: 'auto' }, row.prompt));
    if (row.texts.length > 0) body.append(textsOf(row));
    if (row.values.length > 0) {
      const values = element('dl');
      for (const [name, value] of row.values) {
        const pair = element('div', {}, ...(name === '' ? [] : [element('dt', {}, name)]), element('dd', {}, value));
        values.append(pair);
      }
      body.append(values);
    }
    return body;
  }

  /** @param {Row} row */
  function textsOf({ texts }) {
    const box = element('div', { class: 'texts' });
    const grid = element('div', { class: 'grid' });
    const plain = () => {
      grid.className = 'grid';
      grid.replaceChildren(...texts.map(([label, text]) => textElement(label, [{ same: true, text }])));
    };
    plain();
    if (texts.length < 2) {
      box.append(grid);
      return box;
    }
    const choice = (/** @type {number} */ at) => {
      const select = element('select', { 'aria-label': words.compare });
      texts.forEach(([label], i) => {
        select.append(element('option', { value: String(i) }, label));
      });
      select.value = String(at);
      return select;
    };
    // Where there are two answers and a reference before them, it is the answers that one wants to compare.
    const [one, other] =
      texts.length > 2 && words.reference === texts[0][0] ? [choice(1), choice(2)] : [choice(0), choice(1)];
    const button = element('button', { type: 'button', class: 'compare', 'aria-pressed': 'false' }, words.compare);
    const show = () => {
      const isOn = button.getAttribute('aria-pressed') === 'true';
      if (!isOn) return plain();
      const [a, b] = [texts[Number(one.value)], texts[Number(other.value)]];
      const { left, right } = wordDiff(a[1], b[1]);
      grid.className = 'grid two';
      grid.replaceChildren(textElement(a[0], left, 'del'), textElement(b[0], right, 'ins'));
    };
    button.addEventListener('click', () => {
      button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
      show();
    });
    for (const select of [one, other]) {
      select.addEventListener('change', () => {
        button.setAttribute('aria-pressed', 'true');
        show();
      });
    }
    box.append(element('div', { class: 'comparing' }, button, one, element('span', {}, words.with), other), grid);
    return box;
  }

  /** @param {string} label @param {{ same: boolean, text: string }[]} pieces @param {'del' | 'ins'} [mark] */
  function textElement(label, pieces, mark = 'ins') {
    const text = element('div', { class: 'words', dir: 'auto' });
    for (const piece of pieces) text.append(piece.same ? piece.text : element(mark, {}, piece.text));
    if (text.textContent?.trim() === '') text.replaceChildren(element('span', { class: 'empty' }, words.empty));
    return element('section', {}, element('h4', {}, label), text);
  }
})();
