/** Sets of pixels as pieces that hang together. */

export interface Pieces {
  /** `[H * W]`: which piece, -1 outside of the set. */
  readonly piece: Int32Array;
  /** Pixels of each. */
  readonly sizes: readonly number[];
}

/** Pieces of which each pixel has a left, right, upper or lower neighbour in the same; in reading order. */
export function pieces(set: Uint8Array, width: number, height: number): Pieces {
  const piece = new Int32Array(set.length).fill(-1);
  const sizes: number[] = [];
  const stack = new Int32Array(set.length);
  for (let first = 0; first < set.length; first++) {
    if (!set[first] || piece[first]! >= 0) continue;
    let [top, size] = [0, 0];
    const visit = (at: number): void => {
      if (!set[at] || piece[at]! >= 0) return;
      piece[at] = sizes.length;
      stack[top++] = at;
    };
    visit(first);
    while (top > 0) {
      const at = stack[--top]!;
      size++;
      const x = at % width;
      if (x > 0) visit(at - 1);
      if (x + 1 < width) visit(at + 1);
      if (at >= width) visit(at - width);
      if (at + width < width * height) visit(at + width);
    }
    sizes.push(size);
  }
  return { piece, sizes };
}
