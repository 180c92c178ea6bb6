/** Settings of the training of encoders' trunks. */
import { isAtLeast, isObject, isOneOf, isWhole, type Shape } from '../../../io/index.js';
import { ConfigError } from '../../../torch/index.js';
import { threadCounts } from '../../ranges.js';
import { readSettings, type Settings } from '../../training/settings.js';
import { type EncoderShape, encoderDepths } from '../encoder.js';
import { smallSide } from './trunk-model.js';

/** `bp`: plain backprop; `sequential`: stages with local heads, one after another; `ppll`: the same, all at once. */
export const trunkSchedules = ['bp', 'sequential', 'ppll'] as const;

export interface TrunkConfig {
  readonly seed: number;
  /** Of each stage. */
  readonly threads: number;
  /** Pixels of the pictures' sides. */
  readonly size: number;
  readonly encoder: EncoderShape;
  readonly testPeople: number;
  readonly schedule: (typeof trunkSchedules)[number];
  /** Into how many stages the trunk is cut, evenly. */
  readonly stages: number;
  /** Pictures of a step. */
  readonly batch: number;
  readonly steps: number;
  readonly lr: number;
  readonly keepEvery: number;
}

const standard: TrunkConfig = {
  seed: 1,
  threads: 1,
  size: 64,
  encoder: { depth: 10, width: 16 },
  testPeople: 20,
  schedule: 'ppll',
  stages: 2,
  batch: 16,
  steps: 1500,
  lr: 1e-3,
  keepEvery: 50,
};

export const trunkRecipes: Readonly<Record<string, TrunkConfig>> = {
  standard,
  backprop: { ...standard, schedule: 'bp', stages: 1 },
};

/** The stem, four groups, and the end. */
export const trunkLayers = 6;

const isConfig: Shape = isObject({
  seed: isWhole(0),
  threads: isWhole(...threadCounts),
  size: isWhole(smallSide),
  encoder: isObject({ depth: isWhole(10), width: isWhole(1) }),
  testPeople: isWhole(0),
  schedule: isOneOf(trunkSchedules),
  stages: isWhole(1, trunkLayers),
  batch: isWhole(2),
  steps: isWhole(1),
  lr: isAtLeast(0),
  keepEvery: isWhole(1),
});

/**
 * The settings that a recipe (`standard`, `backprop`), or a JSON file with `recipe` and what it changes, stands for.
 * @throws ConfigError, DataError
 */
export function readTrunkConfig(name: string, set: Settings = {}): TrunkConfig {
  const config = readSettings(name, trunkRecipes, isConfig, set);
  const { encoder, size, schedule, stages } = config;
  if (!encoderDepths.includes(encoder.depth))
    throw new ConfigError(`Expected encoder.depth among ${encoderDepths.join(', ')}, got ${encoder.depth}`);
  if (size % smallSide !== 0) throw new ConfigError(`Expected a size that ${smallSide} divides, got ${size}`);
  if (schedule === 'bp' && stages !== 1)
    throw new ConfigError(`Expected one stage of backprop (stages=1), got ${stages}`);
  return config;
}
