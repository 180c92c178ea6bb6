/** Batches between threads: their tensors pass a queue by handle, and the rest of their structure as JSON beside them. */
import { ConfigError } from '../torch/errors.js';
import { Tensor } from '../torch/index.js';

/** The structure of a batch: where each tensor of the list stands. */
export type Packing =
  | { readonly tensor: number }
  | { readonly list: readonly Packing[] }
  | { readonly record: Readonly<Record<string, Packing>> }
  | { readonly map: readonly (readonly [string, Packing])[] }
  | { readonly text: string };

/** @throws ConfigError for what cannot go to another thread */
export function pack(batch: unknown): { packing: Packing; tensors: Tensor[] } {
  const tensors: Tensor[] = [];
  const visit = (value: unknown): Packing => {
    if (value instanceof Tensor) return { tensor: tensors.push(value) - 1 };
    if (typeof value === 'string') return { text: value };
    if (Array.isArray(value)) return { list: value.map(visit) };
    if (value instanceof Map) return { map: [...value].map(([key, part]) => [String(key), visit(part)] as const) };
    if (typeof value !== 'object' || value === null) {
      throw new ConfigError(
        `a batch that goes to another thread holds tensors, texts, and lists, records and Maps of them, got ${String(value)}`,
      );
    }
    return { record: Object.fromEntries(Object.entries(value).map(([key, part]) => [key, visit(part)])) };
  };
  return { packing: visit(batch), tensors };
}

/** The other end of `pack`. */
export function unpack(packing: Packing, tensors: readonly Tensor[]): unknown {
  if ('tensor' in packing) return tensors[packing.tensor];
  if ('text' in packing) return packing.text;
  if ('list' in packing) return packing.list.map((part) => unpack(part, tensors));
  if ('map' in packing) return new Map(packing.map.map(([key, part]) => [key, unpack(part, tensors)]));
  return Object.fromEntries(Object.entries(packing.record).map(([key, part]) => [key, unpack(part, tensors)]));
}
