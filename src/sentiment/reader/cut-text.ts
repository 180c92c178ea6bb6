/** Texts as the encoder takes them: a long one in several pieces, cut where sentences end. */
import type { PieceTokenizer } from '../../text/pieces.js';
import { unnamed } from './groups.js';

const ends = new Set(['.', '!', '?', '…']);

/** Cuts texts into lists of ids, each in the frame that the encoder wants and of a limited length. */
export class TextCutter {
  readonly #ends: ReadonlySet<number>;

  constructor(
    readonly tokenizer: PieceTokenizer,
    private readonly length: number,
  ) {
    // As it stands after a word.
    this.#ends = new Set([...ends].flatMap((mark) => tokenizer.bare(`a${mark}`).slice(-1)));
  }

  /** The ids of a list that {@link cut} gave, without the frame. */
  bare(piece: readonly number[]): readonly number[] {
    const { start, end } = this.tokenizer.frame;
    return piece.slice(start.length, piece.length - end.length);
  }

  /** @returns one list, or several for a text that is longer */
  cut(text: string): number[][] {
    const { start, end } = this.tokenizer.frame;
    const found = this.tokenizer.bare(unnamed(text));
    // A row must have something, where there is no frame either.
    const rest = found.length + start.length === 0 ? [this.tokenizer.unknown] : found;
    const room = this.length - start.length - end.length;
    const pieces: number[][] = [];
    for (let from = 0; from < rest.length || pieces.length === 0; ) {
      const to = rest.length - from <= room ? rest.length : from + this.#sentences(rest, from, room);
      pieces.push([...start, ...rest.slice(from, to), ...end]);
      from = to;
    }
    return pieces;
  }

  /** How many tokens from a place on end with a sentence and are not too many; as many as there is room for where none ends. */
  #sentences(ids: readonly number[], from: number, room: number): number {
    for (let count = room; count > room / 4; count--) {
      // Of several marks the last.
      if (this.#ends.has(ids[from + count - 1]!) && !this.#ends.has(ids[from + count]!)) return count;
    }
    return room;
  }
}

/** So many of a list, the first and the last among them. */
export function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  if (count === 1) return list.slice(0, 1);
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]!);
}
