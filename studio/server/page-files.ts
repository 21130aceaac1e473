/**
 * The page that raters see: what Vite made of studio/web, read once and served from memory. The language of the page is
 * the first that the browser asks for and that there is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { ConfigError } from '../../src/base/errors.ts';
import { packageRoot } from '../../src/base/paths.ts';

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Page {
  readonly html: string;
  /** By path, such as `/assets/index-Dq3.js`. */
  readonly files: ReadonlyMap<string, PageFile>;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export const pageFolder = join(packageRoot, 'dist-web');

export function readPage(folder = pageFolder): Page {
  const index = join(folder, 'index.html');
  if (!existsSync(index)) {
    throw new ConfigError(`the rating page is missing: ${index}`, {
      hint: 'run `npm run setup` in a checkout, or install the package again',
    });
  }
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(file.slice(folder.length).replaceAll('\\', '/'), { type, bytes: new Uint8Array(readFileSync(file)) });
  }
  return { html: readFileSync(index, 'utf8'), files };
}

export type PageLanguage = 'en' | 'zh';

/** Of the header Accept-Language (RFC 9110, 12.5.4): the better liked of English and Chinese, English where neither is named. */
export function preferredLanguage(header: string | undefined): PageLanguage {
  const liked = (header ?? '').split(',').map((part) => {
    const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
    const weight = parameters.map((one) => /^\s*q=([\d.]+)\s*$/.exec(one)?.[1]).find((q) => q !== undefined);
    return { language: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) };
  });
  const weightOf = (language: PageLanguage) =>
    Math.max(0, ...liked.filter((one) => one.language === language).map(({ weight }) => weight));
  return weightOf('zh') > weightOf('en') ? 'zh' : 'en';
}

export const htmlIn = ({ html }: Page, language: PageLanguage): string =>
  html.replace(/<html lang="[^"]*"/, `<html lang="${language === 'zh' ? 'zh-CN' : 'en'}"`);
