/**
 * Finds the modules a TypeScript file imports, without a compiler: a scanner that knows comments, strings, templates
 * and regular expressions just well enough not to be fooled by them. Literal specifiers only: a path put together at
 * run time is nobody's import.
 */

/** Where a `/` begins a regular expression: at the start, after an operator or opening bracket, after such a word. */
const beforeRegex = /(?:^|[=(,:;[!&|?{}+\-*%<>~^]|=>|\b(?:return|typeof|case|of|in|await|yield|throw|void))$/;

/**
 * The source with every comment, regular expression and template text blanked, and every string replaced by `"n"`,
 * where n counts the strings. Lines stay where they were.
 */
function mask(source) {
  const strings = [];
  const braces = []; // true: this brace closes a template's ${
  let code = '';
  let at = 0;

  const blankTo = (end) => {
    code += source.slice(at, end).replace(/[^\n]/g, ' ');
    at = end;
  };
  const match = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  const template = () => {
    const text = match(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y) ?? '';
    const opensHole = source.startsWith('${', at + text.length);
    blankTo(at + text.length + (opensHole ? 2 : 1));
    if (opensHole) braces.push(true);
  };

  while (at < source.length) {
    const plain = match(/[^/'"`{}]+/y);
    const comment = match(/\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y);
    // A string ends at the end of its line at the latest: an apostrophe in JSX text does no more harm than that.
    const string = match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y);
    const char = source[at];
    if (plain !== undefined) {
      code += plain;
      at += plain.length;
    } else if (comment !== undefined) {
      blankTo(at + comment.length);
    } else if (string !== undefined) {
      code += `"${strings.push(string.slice(1, -1)) - 1}"`;
      at += string.length;
    } else if (char === '`' || (char === '}' && braces.pop() === true)) {
      blankTo(at + 1);
      template();
    } else if (char === '/' && beforeRegex.test(code.slice(-200).trimEnd())) {
      blankTo(at + (match(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//y)?.length ?? 1));
    } else {
      if (char === '{') braces.push(false);
      code += char;
      at += 1;
    }
  }
  return { code, strings };
}

const statement =
  /(?<![\w$.])(?:import|export)(\s+type\b(?!\s*(?:,|from\s*"))|)\s*(?:([\w$\s{},*]*?)\bfrom\s*)?"(\d+)"/g;
const call = /(\btypeof\s+)?(?<![\w$.])import\(\s*"(\d+)"\s*[,)]/g;

/** [{ specifier, line, typeOnly }] in the order of the file. */
export function findImports(source) {
  const { code, strings } = mask(source);
  const found = [];
  const add = (index, string, typeOnly) => {
    const line = code.slice(0, index).split('\n').length;
    found.push({ specifier: strings[Number(string)], line, typeOnly });
  };
  for (const hit of code.matchAll(statement)) {
    const names =
      /^\s*\{([^}]*)\}\s*$/
        .exec(hit[2] ?? '')?.[1]
        ?.split(',')
        .filter((name) => name.trim() !== '') ?? [];
    const allTypes = names.length > 0 && names.every((name) => /^\s*type\s+[\w$]/.test(name));
    add(hit.index, hit[3], hit[1] !== '' || allTypes);
  }
  for (const hit of code.matchAll(call)) add(hit.index, hit[2], hit[1] !== undefined);
  return found.sort((a, b) => a.line - b.line);
}
