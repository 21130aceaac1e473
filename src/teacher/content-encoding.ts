/**
 * Unpacks what a server packed (RFC 9110, section 8.4.1), as Node's fetch does: what ends too soon is given as far as it
 * goes, `deflate` is taken with and without its header, and where a coding is not known nothing is touched.
 */
import { promisify } from 'node:util';
import { brotliDecompress, constants, gunzip, inflate, inflateRaw } from 'node:zlib';

type Unpack = (packed: Uint8Array) => Promise<Uint8Array>;

const [gunzipped, inflated, inflatedRaw] = [gunzip, inflate, inflateRaw].map((unpack): Unpack => {
  const promised = promisify<Uint8Array, object, Buffer>(unpack);
  return (packed) => promised(packed, { finishFlush: constants.Z_SYNC_FLUSH });
}) as [Unpack, Unpack, Unpack];
const unbrotlied = promisify<Uint8Array, object, Buffer>(brotliDecompress);

/** A zlib header says so in the low half of its first byte (RFC 1950, section 2.2). */
const hasZlibHeader = (packed: Uint8Array): boolean => ((packed[0] ?? 0) & 0x0f) === 8;

const codings: ReadonlyMap<string, Unpack> = new Map([
  ['gzip', gunzipped],
  ['x-gzip', gunzipped],
  ['deflate', (packed) => (hasZlibHeader(packed) ? inflated(packed) : inflatedRaw(packed))],
  ['br', (packed) => unbrotlied(packed, { finishFlush: constants.BROTLI_OPERATION_FLUSH })],
]);

/** `contentEncoding`: the header, codings in the order they were applied. Throws zlib's error where it cannot be unpacked. */
export async function unpacked(packed: Uint8Array, contentEncoding: string): Promise<Uint8Array> {
  const unpacks = contentEncoding.split(',').map((name) => codings.get(name.trim().toLowerCase()));
  if (packed.length === 0 || unpacks.includes(undefined)) return packed;
  let bytes = packed;
  for (const unpack of (unpacks as Unpack[]).reverse()) bytes = await unpack(bytes);
  return bytes;
}
