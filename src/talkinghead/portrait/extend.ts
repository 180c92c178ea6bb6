/** Values that a part of a grid has, carried on over the rest of it. */
import { blur } from './still/planes.js';

/** `[rows * columns * channels]`, the channels of a cell side by side. */
export interface GridValues {
  readonly columns: number;
  readonly rows: number;
  readonly channels: number;
  readonly values: Float32Array;
}

/**
 * Makes the unknown cells what is between the known ones: harmonic where `decay` is 0, falling off otherwise (a screened
 * Poisson equation; its values fall by e over 1 / sqrt(decay) cells), by successive over-relaxation.
 * @param known - `[rows * columns]`
 * @param cells - those to make anew, among the unknown; by default all
 */
export function extend(grid: GridValues, known: Uint8Array, decay: number, rounds: number, cells?: Uint32Array): void {
  const { columns, rows, channels, values } = grid;
  const wanted = cells ?? Uint32Array.from([...known.keys()].filter((i) => !known[i]));
  const faster = decay > 0 ? 1.2 : 1.8;
  for (let round = 0; round < rounds; round++)
    for (const i of wanted) {
      const [x, y] = [i % columns, Math.floor(i / columns)];
      const left = (x > 0 ? i - 1 : i) * channels;
      const right = (x < columns - 1 ? i + 1 : i) * channels;
      const up = (y > 0 ? i - columns : i) * channels;
      const down = (y < rows - 1 ? i + columns : i) * channels;
      const at = i * channels;
      for (let c = 0; c < channels; c++) {
        const mean = (values[left + c]! + values[right + c]! + values[up + c]! + values[down + c]!) / (4 + decay);
        values[at + c]! += faster * (mean - values[at + c]!);
      }
    }
}

/** A first guess of unknown cells, for one channel: the known ones' blurred mean. */
export function roughFill({ columns, rows, values }: GridValues, known: Uint8Array): void {
  const sigma = Math.max(columns, rows) / 6;
  const sum = blur(
    values.map((value, i) => (known[i] ? value : 0)),
    columns,
    rows,
    sigma,
  );
  const weight = blur(Float32Array.from(known), columns, rows, sigma);
  for (let i = 0; i < values.length; i++) if (!known[i]) values[i] = sum[i]! / Math.max(weight[i]!, 1e-3);
}
