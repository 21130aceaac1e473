/**
 * Text out of data inside Markdown: escaped where it stands in a line or a table cell, fenced where its own form is to
 * be kept. Readers of Markdown let HTML through, so `<` is escaped as well. Nothing here reads Markdown.
 */

/** For one line of prose or a table cell: white space becomes single spaces, marks lose their meaning. */
export function escapeMarkdown(text: string): string {
  return (
    text
      .replace(/\s+/g, ' ')
      .replace(/[\\`*_{}[\]|#~]/g, '\\$&')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // A bare address would become a link in many readers.
      .replace(/:\/\//g, ':\u200B//')
  );
}

/** A block that shows `text` as it is: the fence is longer than any run of backticks in it. */
export function fenced(text: string, language = ''): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}
