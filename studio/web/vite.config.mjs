/**
 * The rating page: a few files with hashed names, addressed relatively, none of them inline (the server forbids that),
 * and beside them the licences of what is in them.
 */
export default {
  base: './',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    emptyOutDir: true,
    license: { fileName: 'licences.md' },
  },
};
