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

/**
 * Evens out what rises too steeply, for one channel of values above 0: from one cell to the next they rise by `slope` times the
 * value at most. What comes out is midway between the largest such surface below the values and the smallest above them.
 */
export function limitSlope(grid: GridValues, slope: number): Float32Array {
  const below = Float32Array.from(grid.values);
  const above = grid.values.map((value) => 1 / value);
  for (const surface of [below, above]) lower(surface, grid.columns, slope);
  return below.map((value, i) => (value + 1 / above[i]!) / 2);
}

/** Lowers values to the largest surface below them that rises by `slope` times the value for each cell at most. */
function lower(values: Float32Array, columns: number, slope: number): void {
  const sweep = (from: number, step: number): void => {
    const before = [
      [-step, 0],
      [0, -step],
      [-step, -step],
      [step, -step],
    ] as const;
    for (let i = from; i >= 0 && i < values.length; i += step) {
      const x = i % columns;
      for (const [dx, dy] of before) {
        const [beside, other] = [x + dx, i + dx + dy * columns];
        if (beside < 0 || beside >= columns || other < 0 || other >= values.length) continue;
        const most = values[other]! * (1 + slope * Math.hypot(dx, dy));
        if (values[i]! > most) values[i] = most;
      }
    }
  };
  // Two sweeps suffice, since distances along rows, columns and diagonals need no more.
  sweep(0, 1);
  sweep(values.length - 1, -1);
}
