/** What passes between `Hdf5File` and its thread. */
import type { DType } from '../torch/dtype.js';
import type { ReadLimits } from './limits.js';

/** A data set's element type and shape, without its values. */
export interface Hdf5Info {
  /** What its numbers are read as, or `text`. */
  readonly type: DType | 'text';
  readonly shape: readonly number[];
}

export interface Hdf5Start {
  readonly path: string;
  readonly fileSize: number;
  readonly limits: ReadLimits;
}

export type Hdf5Request =
  | { readonly id: number; readonly kind: 'keys'; readonly path: string }
  | { readonly id: number; readonly kind: 'info'; readonly path: string }
  | {
      readonly id: number;
      readonly kind: 'read';
      readonly path: string;
      readonly rows: readonly [number, number] | null;
    };

/** Values are an array of text, or the bytes of numbers in `type`. */
export type Hdf5Answer =
  | { readonly id: number; readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly id: number; readonly kind: 'info'; readonly info: Hdf5Info }
  | {
      readonly id: number;
      readonly kind: 'values';
      readonly info: Hdf5Info;
      readonly values: Uint8Array | readonly string[];
    }
  | { readonly id: number; readonly kind: 'error'; readonly message: string; readonly fatal: boolean };
