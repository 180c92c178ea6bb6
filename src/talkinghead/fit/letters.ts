/** Small letters made of pixels, for what a sheet says: no fonts are needed, and the bytes are the same everywhere. */
import type { RgbImage } from '../../media/index.js';

/** 3 x 5 dots, row by row from the top left. */
const glyphs: Readonly<Record<string, string>> = {
  ' ': '000000000000000',
  '0': '111101101101111',
  '1': '010110010010111',
  '2': '111001111100111',
  '3': '111001011001111',
  '4': '101101111001001',
  '5': '111100111001111',
  '6': '111100111101111',
  '7': '111001010010010',
  '8': '111101111101111',
  '9': '111101111001111',
  a: '010101111101101',
  b: '110101110101110',
  c: '011100100100011',
  d: '110101101101110',
  e: '111100110100111',
  f: '111100110100100',
  g: '011100101101011',
  h: '101101111101101',
  i: '111010010010111',
  j: '001001001101010',
  k: '101101110101101',
  l: '100100100100111',
  m: '101111111101101',
  n: '110101101101101',
  o: '010101101101010',
  p: '110101110100100',
  q: '010101101110011',
  r: '110101110101101',
  s: '011100010001110',
  t: '111010010010010',
  u: '101101101101111',
  v: '101101101101010',
  w: '101101111111101',
  x: '101101010101101',
  y: '101101010010010',
  z: '111001010100111',
  '.': '000000000000010',
  ',': '000000000010100',
  ':': '000010000010000',
  '-': '000000111000000',
  '+': '000010111010000',
  '%': '101001010100101',
  '/': '001001010100100',
  '(': '001010010010001',
  ')': '100010010010100',
  '=': '000111000111000',
  _: '000000000000111',
};

const [columns, rows] = [3, 5];

/** Pixels that a line takes, with the space below. */
export const lineHeight = (size: number): number => (rows + 3) * size;

/**
 * Writes a line into a picture; what does not fit is cut off, what has no letter is a space.
 * @param size - pixels of a dot
 */
export function write(
  picture: RgbImage,
  text: string,
  left: number,
  top: number,
  colour: readonly [number, number, number],
  size = 2,
): void {
  const { data, width, height } = picture;
  for (const [place, letter] of [...text.toLowerCase()].entries()) {
    const dots = glyphs[letter] ?? glyphs[' ']!;
    for (let y = 0; y < rows * size; y++) {
      for (let x = 0; x < columns * size; x++) {
        if (dots[Math.floor(y / size) * columns + Math.floor(x / size)] !== '1') continue;
        const [px, py] = [left + place * (columns + 1) * size + x, top + y];
        if (px >= 0 && px < width && py >= 0 && py < height) data.set(colour, 3 * (py * width + px));
      }
    }
  }
}
