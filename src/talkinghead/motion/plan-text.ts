/** Plans as text: pieces that know where they stand, and errors that show it. */
import { ConfigError } from '../../torch/index.js';

/** A piece of a plan's text, without the blanks around it. */
export interface Piece {
  readonly text: string;
  /** The place of its first character in the plan. */
  readonly at: number;
  /** The plan that it is of. */
  readonly whole: string;
}

export function pieceOf(whole: string): Piece {
  return trimmed(whole, 0, whole);
}

function trimmed(text: string, at: number, whole: string): Piece {
  return { text: text.trim(), at: at + text.length - text.trimStart().length, whole };
}

/** The pieces between separators. */
export function split(piece: Piece, separator: string): Piece[] {
  let at = piece.at;
  return piece.text.split(separator).map((text) => {
    const part = trimmed(text, at, piece.whole);
    at += text.length + separator.length;
    return part;
  });
}

/** What stands before and after the first separator; after is null without one. */
export function cut(piece: Piece, separator: string): [before: Piece, after: Piece | null] {
  const i = piece.text.indexOf(separator);
  if (i < 0) return [piece, null];
  const rest = i + separator.length;
  return [
    trimmed(piece.text.slice(0, i), piece.at, piece.whole),
    trimmed(piece.text.slice(rest), piece.at + rest, piece.whole),
  ];
}

/** The error for a piece, with the plan and a mark under the place. */
export function wrong(piece: Piece, expected: string, advice = ''): ConfigError {
  const got = piece.text === '' ? 'nothing' : `'${piece.text}'`;
  return new ConfigError(
    `Expected ${expected}, got ${got} at character ${piece.at + 1}.${advice && ` ${advice}`}\n  ${piece.whole}\n  ${' '.repeat(piece.at)}^`,
  );
}

/** @throws ConfigError unless it is a decimal number from `least` to `most` */
export function numberFrom(piece: Piece, what: string, least: number, most: number): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(piece.text) ? Number(piece.text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw wrong(piece, `${what}, a number from ${least} to ${most}`);
}

/** Seconds: `2.5`, `2.5s` or `1:02.5`. @throws ConfigError */
export function secondsFrom(piece: Piece): number {
  const match = /^(?:(\d+):(?=[0-5]?\d(?:\.|s|$)))?(\d+\.?\d*|\.\d+)s?$/.exec(piece.text);
  if (match !== null) return 60 * Number(match[1] ?? 0) + Number(match[2]);
  throw wrong(piece, 'a time in seconds, such as 2.5, or in minutes and seconds, such as 1:02.5');
}
