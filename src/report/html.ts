/**
 * HTML by tagged template: whatever is put between `${` and `}` is escaped, for element content and for attribute
 * values in quotes alike, unless this module made it. An answer of a model can therefore be put anywhere a value may
 * stand. Not for the content of <script> and <style>, where escaping means nothing: there `trusted` and our own text.
 */
import { invariant } from '../base/errors.ts';

const made = Symbol('made by html');

/** Markup that is safe to put into a page as it is. JSON cannot forge one: the symbol is not reachable from data. */
export interface Html {
  readonly [made]: true;
  readonly markup: string;
}

export type HtmlValue = string | number | Html | readonly HtmlValue[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Controls that HTML forbids become U+FFFD, the mark for a character that cannot be shown. */
export function escapeHtml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/g, '\uFFFD')
      .replace(/[&<>"']/g, (character) => entities[character]!)
  );
}

export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = strings[0]!;
  for (const [i, value] of values.entries()) {
    invariant(!/<[^>]*=\s*$/.test(strings[i]!), 'html: an attribute value with an interpolation needs quotes');
    markup += markupOf(value) + strings[i + 1]!;
  }
  return trusted(markup);
}

/** Lets text through unescaped: for SVG and CSS that our own code has written, never for anything out of data. */
export const trusted = (markup: string): Html => ({ [made]: true, markup });

function markupOf(value: HtmlValue): string {
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  if (isMany(value)) return value.map(markupOf).join('');
  invariant(value[made] === true, 'html: expected text, a number or what html made');
  return value.markup;
}

// Array.isArray does not narrow a readonly array.
const isMany = (value: HtmlValue): value is readonly HtmlValue[] => Array.isArray(value);
