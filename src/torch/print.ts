/** Text of a tensor, as PyTorch prints it: four decimals, one width for all elements, large tensors summarised. */
import { noGrad } from './autograd.js';
import { HeadraceError } from './errors.js';
import { ops } from './ops.js';
import { scope } from './scope.js';
import type { Tensor } from './tensor.js';

const PRECISION = 4;
const THRESHOLD = 1000;
const EDGE = 3;
const LINE = 80;
const OPENING = 'tensor(';

/** Formats single numbers; `width` is what most of them take. */
interface Format {
  width: number;
  text(value: number): string;
}

// Python rounds an exact half to the even digit, JavaScript away from zero; 40 digits show whether it is one.
function halfEven(value: number, write: (value: number, digits: number) => string): string {
  const size = Math.abs(value);
  const [, last, rest] = /\.\d{3}(\d)(\d+)/.exec(write(size, 40)) ?? [];
  const half = rest !== undefined && /^50*$/.test(rest);
  const text = write(half && Number(last) % 2 === 0 ? size * (1 - Number.EPSILON) : size, PRECISION);
  // Negative zero included, which JavaScript would write without its sign.
  return value < 0 || Object.is(value, -0) ? `-${text}` : text;
}

function fixed(value: number): string {
  return halfEven(value, (x, digits) => x.toFixed(digits));
}

function scientific(value: number): string {
  return halfEven(value, (x, digits) => x.toExponential(digits)).replace(/e([+-])(\d)$/, 'e$10$2');
}

function whole(value: number): string {
  return `${Object.is(value, -0) ? '-0' : value}.`;
}

function notation(values: readonly number[]): (value: number) => string {
  const sizes = values.map(Math.abs);
  const greatest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const least = sizes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const integers = values.every(Number.isInteger);
  if (greatest / least > 1000 || greatest > 1e8 || (!integers && least < 1e-4)) return scientific;
  return integers ? whole : fixed;
}

// Zeros and what is not finite neither choose the notation nor count for the width.
function floatFormat(values: readonly number[]): Format {
  const telling = values.filter((value) => Number.isFinite(value) && value !== 0);
  const write = notation(telling);
  const width = telling.reduce((most, value) => Math.max(most, write(value).length), 1);
  const text = (value: number) => {
    if (Number.isFinite(value)) return write(value).padStart(width);
    return (Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf').padStart(width);
  };
  return { width, text };
}

/** The shown elements of a tensor, as text, in order. */
interface Elements {
  texts: string[];
  width: number;
}

function floats(values: ArrayLike<number>): Elements {
  const list = Array.from(values);
  const { width, text } = floatFormat(list);
  return { texts: list.map(text), width };
}

function complexes(values: ArrayLike<number>): Elements {
  const list = Array.from(values);
  const real = floatFormat(list.filter((_, i) => i % 2 === 0));
  const imaginary = floatFormat(list.filter((_, i) => i % 2 === 1));
  const texts: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const second = imaginary.text(list[i + 1]!).trimStart();
    texts.push(`${real.text(list[i]!)}${second.startsWith('-') ? '' : '+'}${second}j`);
  }
  return { texts, width: real.width + imaginary.width + 1 };
}

function integers(values: ArrayLike<number | bigint>, bool: boolean): Elements {
  const texts = Array.from(values, (value) => (bool ? (value ? 'True' : 'False') : String(value)));
  const width = texts.reduce((most, text) => Math.max(most, text.length), 1);
  return { texts: texts.map((text) => text.padStart(width)), width };
}

function elementsOf(tensor: Tensor): Elements {
  const { dtype } = tensor;
  if (dtype.startsWith('complex')) return complexes(ops.viewAsReal(tensor.resolveConj()).data() as Float64Array);
  const values = tensor.data();
  if (dtype.startsWith('float') || dtype === 'bfloat16') return floats(values as Float64Array);
  return integers(values, dtype === 'bool');
}

// Only what will be shown is copied out of a large tensor.
function corners(tensor: Tensor): Tensor {
  let result = tensor;
  for (const [dim, size] of tensor.shape.entries()) {
    if (size <= 2 * EDGE) continue;
    result = ops.cat([result.narrow(dim, 0, EDGE), result.narrow(dim, size - EDGE, EDGE)], dim);
  }
  return result;
}

function vector(texts: readonly string[], width: number, indent: number): string {
  const perLine = Math.max(1, Math.floor((LINE - indent) / (width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(', '));
  return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`;
}

/** `shape` is the tensor's; of a summarised one, `elements` holds the corners. */
function layout({ texts, width }: Elements, shape: readonly number[], summarise: boolean): string {
  let next = 0;
  const build = (dim: number, indent: number): string => {
    if (dim === shape.length) return texts[next++]!;
    const cut = summarise && shape[dim]! > 2 * EDGE;
    const last = dim === shape.length - 1;
    const parts = Array.from({ length: cut ? 2 * EDGE : shape[dim]! }, () => build(dim + 1, indent + 1));
    if (cut) parts.splice(EDGE, 0, last ? ' ...' : '...');
    if (last) return vector(parts, width, indent);
    return `[${parts.join(`,${'\n'.repeat(shape.length - dim - 1)}${' '.repeat(indent + 1)}`)}]`;
  };
  return build(0, OPENING.length);
}

/** The elements' text, or null for a tensor that has none to show: on the meta device, sparse, quantised. */
function contents(tensor: Tensor): string | null {
  if (tensor.device === 'meta') return null;
  const summarise = tensor.numel > THRESHOLD;
  try {
    const elements = noGrad(() => scope(() => elementsOf(summarise ? corners(tensor.detach()) : tensor.detach())));
    return layout(elements, tensor.shape, summarise);
  } catch (error) {
    if (error instanceof HeadraceError) return null;
    throw error;
  }
}

function suffixesOf(tensor: Tensor, elided: boolean): string[] {
  const { device, dtype, shape } = tensor;
  const empty = tensor.numel === 0;
  const suffixes: string[] = [];
  if (device !== 'cpu') suffixes.push(`device='${device}'`);
  if (elided || (empty && shape.length !== 1)) {
    suffixes.push(`size=(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`);
  }
  // Numbers tell int64 and bool from the default, float32; an empty list does not.
  const evident = empty || elided ? ['float32'] : ['float32', 'complex64', 'int64', 'bool'];
  if (!evident.includes(dtype)) suffixes.push(`dtype=${dtype}`);
  const { gradFn } = tensor;
  if (gradFn) suffixes.push(`gradFn=<${gradFn}>`);
  else if (tensor.requiresGrad) suffixes.push('requiresGrad=true');
  return suffixes;
}

/** The text of `tensor([...], dtype=…, gradFn=…)`. */
export function formatTensor(tensor: Tensor): string {
  const body = tensor.numel === 0 && tensor.device !== 'meta' ? '[]' : contents(tensor);
  let text = OPENING + (body ?? '...');
  let line = text.length - text.lastIndexOf('\n') + 1;
  for (const suffix of suffixesOf(tensor, body === null)) {
    if (line + suffix.length + 2 > LINE) {
      text += `,\n${' '.repeat(OPENING.length)}${suffix}`;
      line = OPENING.length + suffix.length;
    } else {
      text += `, ${suffix}`;
      line += suffix.length + 2;
    }
  }
  return `${text})`;
}
