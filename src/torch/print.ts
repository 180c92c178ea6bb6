/** Text of a tensor, as PyTorch prints it. */
import { noGrad } from './autograd.js';
import { ops } from './ops.js';
import { scope } from './scope.js';
import type { NestedNumbers, Tensor } from './tensor.js';

const PRECISION = 4;
const THRESHOLD = 1000;
const EDGE = 3;
const LINE = 80;

/** Formats one number; all of a tensor share the width. */
type Format = (value: number) => string;

function floatFormat(values: readonly number[]): Format {
  const finite = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const max = Math.max(...finite, 0);
  const min = finite.length ? Math.min(...finite) : 0;
  const special = (value: number) => (Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf');
  const render = (text: Format): Format => {
    const one: Format = (value) => (Number.isFinite(value) ? text(value) : special(value));
    const width = Math.max(...values.map((value) => one(value).length), 1);
    return (value) => one(value).padStart(width);
  };
  if (finite.every(Number.isInteger)) {
    if (max > 1e8) return render(scientific);
    return render((value) => `${Object.is(value, -0) ? '-0' : value}.`);
  }
  if (max / min > 1000 || max > 1e8 || min < 1e-4) return render(scientific);
  return render((value) => value.toFixed(PRECISION));
}

function scientific(value: number): string {
  return value.toExponential(PRECISION).replace(/e([+-])(\d)$/, 'e$10$2');
}

function integerFormat(values: readonly number[], bool: boolean): Format {
  const one: Format = bool ? (value) => (value ? 'True' : 'False') : String;
  const width = Math.max(...values.map((value) => one(value).length), 1);
  return (value) => one(value).padStart(width);
}

function row(values: readonly string[], indent: number): string {
  const perLine = Math.max(1, Math.floor((LINE - indent) / ((values[0]?.length ?? 0) + 2)));
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += perLine) lines.push(values.slice(i, i + perLine).join(', '));
  return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
}

function edges<T>(list: readonly T[], summarise: boolean, gap: T): T[] {
  return summarise && list.length > 2 * EDGE ? [...list.slice(0, EDGE), gap, ...list.slice(-EDGE)] : [...list];
}

const GAP = '...';

function layout(values: NestedNumbers, format: Format, indent: number, summarise: boolean): string {
  if (typeof values === 'number') return format(values);
  if (values.length === 0) return '[]';
  if (typeof values[0] === 'number')
    return row(
      edges(
        values.map((v) => format(v as number)),
        summarise,
        GAP,
      ),
      indent,
    );
  const depth = depthOf(values);
  const parts = edges(values, summarise, [] as NestedNumbers).map((value) =>
    Array.isArray(value) && value.length === 0 && summarise ? GAP : layout(value, format, indent + 1, summarise),
  );
  return `[${parts.join(`,${'\n'.repeat(depth - 1)}${' '.repeat(indent + 1)}`)}]`;
}

function depthOf(values: NestedNumbers): number {
  return typeof values === 'number' ? 0 : 1 + depthOf(values[0] ?? 0);
}

// Only what will be shown is copied out of a large tensor.
function corners(tensor: Tensor): Tensor {
  let result = tensor;
  for (let dim = 0; dim < tensor.ndim; dim++) {
    const size = result.shape[dim]!;
    if (size <= 2 * EDGE + 1) continue;
    const tail = result.narrow(dim, size - EDGE - 1, EDGE + 1);
    result = ops.cat([result.narrow(dim, 0, EDGE), tail], dim);
  }
  return result;
}

/** The text of `tensor([...], dtype=..., grad_fn)`, with PyTorch's four decimals and summary of large tensors. */
export function formatTensor(tensor: Tensor): string {
  const dtype = tensor.dtype;
  const suffix: string[] = [];
  if (tensor.device === 'meta') return `tensor(..., device='meta', size=(${tensor.shape.join(', ')}), dtype=${dtype})`;
  if (tensor.device !== 'cpu') suffix.push(`device='${tensor.device}'`);
  if (!['float32', 'int64', 'bool'].includes(dtype)) suffix.push(`dtype=${dtype}`);
  if (tensor.requiresGrad) suffix.push(tensor.isLeaf ? 'requiresGrad=true' : 'gradFn');
  const summarise = tensor.numel > THRESHOLD;
  const values = noGrad(() => scope(() => (summarise ? corners(tensor.detach()) : tensor).tolist()));
  const flat = (
    typeof values === 'number' ? [values] : (values as unknown[]).flat(Number.POSITIVE_INFINITY)
  ) as number[];
  const isFloat = dtype.startsWith('float') || dtype === 'bfloat16';
  const format = isFloat ? floatFormat(flat) : integerFormat(flat, dtype === 'bool');
  if (flat.length === 0 && tensor.ndim > 1) suffix.unshift(`size=(${tensor.shape.join(', ')})`);
  const body = flat.length === 0 ? '[]' : layout(values, format, 'tensor('.length, summarise);
  return `tensor(${[body, ...suffix].join(', ')})`;
}
