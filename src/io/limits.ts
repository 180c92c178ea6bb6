/**
 * Limits: how much memory a file may make its reader take. Numbers that lie in a file as they are need none, since the file pays for
 * them; what a small file can make large does: packed data, and structure (names, lists, nesting).
 */
import { getHeapStatistics } from 'node:v8';
import { ConfigError, DataError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';

/** What every reader takes. */
export interface ReadLimits {
  /**
   * Bytes that reading may take beyond those of the file: of unpacked data, and of structure by a cautious estimate. Without it, data
   * may unpack to 64 MiB or to 32 times its packed bytes, whichever is more, and structure may take 64 MiB (that of a pickle 16 bytes
   * more for each byte of the file, up to 1 GiB). Structure never takes more than half of what V8 has left.
   */
  readonly maxMemory?: number;
}

/** What any file may take. */
export const freeMemory = 2 ** 26;
/** Measurements, pixels and padded sequences seldom shrink further. */
const usualRatio = 32;

/** @throws ConfigError for unknown options, and for a limit that is no number of bytes */
export function checkLimits(where: string, limits: ReadLimits, others: readonly string[] = []): void {
  checkOptions(where, limits, ['maxMemory', ...others]);
  const { maxMemory } = limits;
  if (maxMemory === undefined || (typeof maxMemory === 'number' && maxMemory > 0)) return;
  throw new ConfigError(`Expected maxMemory of ${where} to be a number of bytes > 0, got ${String(maxMemory)}.`);
}

/** Bytes that `packed` bytes of a file may unpack to. */
export function unpackedLimit(packed: number, { maxMemory }: ReadLimits): number {
  return maxMemory ?? Math.max(freeMemory, usualRatio * packed);
}

/**
 * To be called before anything is unpacked.
 * @param size what is announced
 * @param packed its bytes in the file
 * @throws DataError that names the option which allows it
 */
export function checkUnpacked(where: string, size: number, packed: number, limits: ReadLimits): void {
  const most = unpackedLimit(packed, limits);
  if (size <= most) return;
  throw new DataError(
    `${where} unpacks to ${size} bytes, more than ${most}, from ${packed}, which sound files seldom do: ` +
      `if you trust it, allow more with maxMemory (${size})`,
  );
}

/** What structure usually takes at most that the file has spelled out in `bytes`. */
export function paidFor(bytes: number): number {
  return Math.min(freeMemory + 16 * bytes, 2 ** 30);
}

/** Bytes that structure may take. It lies in V8's heap, whose end is the end of the process. */
export function structureLimit({ maxMemory }: ReadLimits, usual = freeMemory): number {
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
  return Math.min(maxMemory ?? usual, Math.max(0, limit - used) / 2);
}

/** @throws DataError where structure takes more than it may; to be called before memory is taken */
export function checkStructure(where: string, bytes: number, limits: ReadLimits, usual = freeMemory): void {
  const most = structureLimit(limits, usual);
  if (bytes <= most) return;
  throw new DataError(
    `${where}: its names and structure take about ${Math.ceil(bytes)} bytes, more than ${Math.floor(most)}; ` +
      'allow more with maxMemory',
  );
}
