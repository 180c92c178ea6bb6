/** Numbers that callers give. */

import { misfit } from '../../torch/expect.js';
import { ConfigError } from '../../torch/index.js';
import type { Range } from '../ranges.js';

/** @throws ConfigError unless it is a whole number from `least` to `most` */
export function checkWhole(where: string, name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw misfit(where, `${name} to be a whole number from ${least} to ${most}`, value);
}

/** @throws ConfigError unless it is a number within a range */
export function checkWithin(where: string, name: string, value: number, [least, most]: Range): number {
  if (value >= least && value <= most) return value;
  throw misfit(where, `${name} to be a number from ${least} to ${most}`, value);
}

/** @throws ConfigError unless it is a finite number, and above `above` where that is given */
export function checkFinite(where: string, name: string, value: number, above?: number): number {
  if (Number.isFinite(value) && (above === undefined || value > above)) return value;
  throw misfit(where, `${name} to be a finite number${above === undefined ? '' : ` above ${above}`}`, value);
}

/** @throws ConfigError unless it is a list of so many finite numbers */
export function checkTuple<Numbers extends readonly number[]>(
  where: string,
  name: string,
  value: Numbers,
  count: number,
): Numbers {
  if (!Array.isArray(value)) throw misfit(where, `${name} to be a list of ${count} numbers`, value);
  if (value.length !== count)
    throw new ConfigError(`${where}: expected ${name} to be a list of ${count} numbers, got ${value.length}`);
  for (const [i, number] of value.entries()) checkFinite(where, `${name}[${i}]`, number as number);
  return value;
}

/** @throws ConfigError unless it is one of these words */
export function checkChoice<Choice extends string>(
  where: string,
  name: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (choices.includes(value)) return value;
  throw misfit(where, `${name} to be ${choices.map((choice) => `'${choice}'`).join(' or ')}`, value);
}
