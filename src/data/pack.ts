/** Batches and calls between threads: their tensors pass a queue by handle, the rest of their structure as JSON beside them. */
import { ConfigError } from '../torch/errors.js';
import { Tensor } from '../torch/index.js';

/** The structure of a value: where each tensor of the list stands. */
export type Packing =
  | { readonly tensor: number }
  | { readonly list: readonly Packing[] }
  | { readonly record: Readonly<Record<string, Packing>> }
  | { readonly map: readonly (readonly [string, Packing])[] }
  | { readonly plain: string | number | boolean | null }
  | { readonly absent: true };

/** @throws ConfigError for what cannot go to another thread */
export function pack(whole: unknown): { packing: Packing; tensors: Tensor[] } {
  const tensors: Tensor[] = [];
  const visit = (value: unknown): Packing => {
    if (value instanceof Tensor) return { tensor: tensors.push(value) - 1 };
    if (isPlain(value)) return { plain: value };
    if (value === undefined) return { absent: true };
    if (Array.isArray(value)) return { list: value.map(visit) };
    if (value instanceof Map) return { map: [...value].map(([key, part]) => [String(key), visit(part)] as const) };
    if (typeof value !== 'object' || value === null) {
      throw new ConfigError(
        `What goes to another thread holds tensors, texts, finite numbers, and lists, records and Maps of them, got ${String(value)}`,
      );
    }
    return { record: Object.fromEntries(Object.entries(value).map(([key, part]) => [key, visit(part)])) };
  };
  return { packing: visit(whole), tensors };
}

function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

/** The other end of `pack`. */
export function unpack(packing: Packing, tensors: readonly Tensor[]): unknown {
  if ('tensor' in packing) return tensors[packing.tensor];
  if ('plain' in packing) return packing.plain;
  if ('absent' in packing) return undefined;
  if ('list' in packing) return packing.list.map((part) => unpack(part, tensors));
  if ('map' in packing) return new Map(packing.map.map(([key, part]) => [key, unpack(part, tensors)]));
  return Object.fromEntries(Object.entries(packing.record).map(([key, part]) => [key, unpack(part, tensors)]));
}
