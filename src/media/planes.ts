/** Colours beside each other to colours apart, as networks take them. */

/**
 * Red, green and blue of each pixel in turn to a plane of each.
 * @param rgb - 3 bytes a pixel
 * @param into - as many bytes
 */
export function toPlanes(rgb: Uint8Array, into: Uint8Array): void {
  const area = into.length / 3;
  for (let i = 0; i < area; i++) {
    into[i] = rgb[3 * i]!;
    into[area + i] = rgb[3 * i + 1]!;
    into[2 * area + i] = rgb[3 * i + 2]!;
  }
}
