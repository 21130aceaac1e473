/** Address of a plain-JavaScript file below scripts/, for `import()`. It has no types; each test states what it uses. */
export const script = (path: string): string => new URL(`../../scripts/${path}`, import.meta.url).href;
