/** Sides that take turns, so that all of them see the same machine. */
import { Turns } from './progress.js';
import type { Turn } from './quiet.js';

/** Takes a turn: what it measured. */
export type Side = () => Promise<number>;

/**
 * Each side once in each round. A turn of each comes before that does not count: heaps grow, and the machine settles.
 * @param unit - of what the sides measure
 * @param turn - put around each measurement
 * @returns what each side measured, round by round
 */
export async function interleave(
  part: string,
  unit: string,
  sides: ReadonlyMap<string, Side>,
  rounds: number,
  turn: Turn,
): Promise<Map<string, number[]>> {
  const found = new Map([...sides.keys()].map((label) => [label, [] as number[]]));
  for (const run of sides.values()) await run();
  const turns = new Turns(part, rounds * sides.size);
  for (let round = 0; round < rounds; round++) {
    for (const [label, run] of sides) {
      const value = await turn(run);
      found.get(label)!.push(value);
      turns.done(`${label} ${value.toFixed(value < 1000 ? 1 : 0)} ${unit}`);
    }
  }
  return found;
}
