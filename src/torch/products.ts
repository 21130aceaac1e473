/**
 * Matrix products without gradients. libtorch's, but for bf16 on processors that do not multiply it themselves: there
 * libtorch takes seven times as long as in float32, and pieces made float32 for libtorch's products
 * (native/kernels/products.cpp) take little longer than float32. Either way sums are float32 and rounded once.
 */
import { bmmWidened, mmWidened, mmWidenedInto } from './kernels.ts';
import { computesInBf16 } from './machine.ts';
import { intoOperator, tensorOperator } from './operator.ts';
import type { Tensor } from './tensor.ts';

const mmOfLibtorch = tensorOperator<[Tensor, Tensor]>('aten::mm');
const mmOut = intoOperator<[Tensor, Tensor]>('aten::mm.out');
const addmmOut = intoOperator<[Tensor, Tensor, Tensor, number, number]>('aten::addmm.out');
const bmmOfLibtorch = tensorOperator<[Tensor, Tensor]>('aten::bmm');

let emulates: boolean | undefined;
function processorEmulates(): boolean {
  emulates ??= !computesInBf16();
  return emulates;
}

/** Whether libtorch's products of such a tensor are emulated. */
export const isEmulated = (x: Tensor): boolean => x.dtype === 'bfloat16' && x.device === 'cpu' && processorEmulates();

/** Whether products are faster with such a factor laid out anew than transposed: oneDNN's, which libtorch takes for bf16. */
export const wantsRowsAdjacent = (x: Tensor): boolean => x.dtype === 'bfloat16' && !isEmulated(x);

/** One of two factors; the other may be float32. */
const isEither = (a: Tensor, b: Tensor): boolean => isEmulated(a) || isEmulated(b);

/** a [rows, inner] · b [inner, columns], in a's dtype; of one dtype or, where bf16 is emulated, of bf16 and float32. */
export const mm = (a: Tensor, b: Tensor): Tensor => (isEither(a, b) ? mmWidened(a, b) : mmOfLibtorch(a, b));

/** a [batch, rows, inner] · b [batch, inner, columns]; dtypes as `mm`'s, here and below. */
export const bmm = (a: Tensor, b: Tensor): Tensor => (isEither(a, b) ? bmmWidened(a, b) : bmmOfLibtorch(a, b));

/** out [rows, columns] = a · b */
export function mmInto(out: Tensor, a: Tensor, b: Tensor): Tensor {
  if (!isEither(a, b)) return mmOut(out, a, b);
  mmWidenedInto(out, null, a, b, 1);
  return out;
}

/** out = addend ([rows, columns], or [columns] for every row; `out` itself, to add to it) + scale · a · b */
export function addmmInto(out: Tensor, addend: Tensor, a: Tensor, b: Tensor, scale = 1): Tensor {
  if (!isEither(a, b)) return addmmOut(out, addend, a, b, 1, scale);
  mmWidenedInto(out, addend, a, b, scale);
  return out;
}
