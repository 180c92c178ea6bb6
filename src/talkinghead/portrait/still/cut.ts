/** The cheapest cut of a picture in two. */

export interface Borders {
  /** `[H * W]`: what a border between a pixel and its right neighbour costs. */
  readonly across: Float32Array;
  /** To its lower neighbour. */
  readonly down: Float32Array;
}

/**
 * The set of pixels with the least sum of its costs and of its border's: `min sum(cost * x) + sum(border * |grad x|)` over x
 * from 0 to 1, whose levels are cheapest sets (Chan, Esedoglu and Nikolova, 2006), by primal and dual steps (Chambolle and
 * Pock, 2011, algorithm 1). It begins where the call before ended.
 */
export class Cut {
  private readonly across: Float32Array;
  private readonly down: Float32Array;
  private x: Float32Array<ArrayBuffer>;

  /** @param start - `[H * W]`: what to begin with */
  constructor(
    private readonly borders: Borders,
    private readonly width: number,
    private readonly height: number,
    start: Float32Array,
  ) {
    this.x = Float32Array.from(start);
    this.across = new Float32Array(start.length);
    this.down = new Float32Array(start.length);
  }

  /** @param cost - `[H * W]`: what it costs to have the pixel in the set; below 0 it pays */
  solve(cost: Float32Array, rounds: number): Float32Array<ArrayBuffer> {
    const ahead = Float32Array.from(this.x);
    for (let round = 0; round < rounds; round++) {
      this.tighten(ahead);
      this.move(cost, ahead);
    }
    return Float32Array.from(this.x);
  }

  private tighten(ahead: Float32Array): void {
    const { width, height, across, down, borders } = this;
    for (let y = 0, i = 0; y < height; y++) {
      for (let u = 0; u < width; u++, i++) {
        const here = ahead[i]!;
        if (u + 1 < width) {
          const limit = borders.across[i]!;
          const value = across[i]! + step * (ahead[i + 1]! - here);
          across[i] = Math.min(limit, Math.max(-limit, value));
        }
        if (y + 1 < height) {
          const limit = borders.down[i]!;
          const value = down[i]! + step * (ahead[i + width]! - here);
          down[i] = Math.min(limit, Math.max(-limit, value));
        }
      }
    }
  }

  private move(cost: Float32Array, ahead: Float32Array): void {
    const { width, height, across, down, x } = this;
    for (let y = 0, i = 0; y < height; y++) {
      for (let u = 0; u < width; u++, i++) {
        const spread = across[i]! - (u > 0 ? across[i - 1]! : 0) + down[i]! - (y > 0 ? down[i - width]! : 0);
        const before = x[i]!;
        const moved = before + step * (spread - cost[i]!);
        const next = Math.min(1, Math.max(0, moved));
        x[i] = next;
        ahead[i] = 2 * next - before;
      }
    }
  }
}

/** The largest for which primal and dual steps converge: 1 / the norm of the gradient, which is at most sqrt(8). */
const step = 1 / Math.sqrt(8);

/** What borders cost: `most` between equal colours, less across edges (GrabCut's, Rother et al., 2004), never nothing. */
export function borderCosts(planes: readonly Float32Array[], width: number, height: number, most: number): Borders {
  const square = (i: number, j: number): number => planes.reduce((sum, plane) => sum + (plane[i]! - plane[j]!) ** 2, 0);
  const across = new Float32Array(width * height);
  const down = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width) across[i] = square(i, i + 1);
      if (y + 1 < height) down[i] = square(i, i + width);
    }
  }
  const sum = [across, down].reduce((all, plane) => all + plane.reduce((total, value) => total + value, 0), 0);
  const count = Math.max(1, (width - 1) * height + width * (height - 1));
  const beta = 1 / Math.max(2 * (sum / count), 1);
  const cost = (value: number): number => most * (0.05 + 0.95 * Math.exp(-beta * value));
  return { across: across.map(cost), down: down.map(cost) };
}
