/** The signatures of the parts of StyleGAN2. */
import type { EqualizedConvOptions, EqualizedOptions } from './equalized.js';
import type { UpfirdnOptions } from './functional/resample.js';
import type { ModulatedConvOptions } from './modulated.js';
import { factoryRules, flag, number, orNull, type RulesOf, rule, Signature, tensor, whole } from './signature.js';

const positive = whole(undefined, 1);
const count = whole(undefined, 0);
const isTaps = (value: unknown): boolean =>
  Array.isArray(value) && value.length >= 2 && value.every((tap) => Number.isFinite(tap));
const fir = rule<readonly number[]>([1, 3, 3, 1], 'a filter of two numbers or more', isTaps);
const resample = orNull(rule<'up' | 'down'>(undefined, "'up', 'down'", (value) => value === 'up' || value === 'down'));

export const equalizedLinear = new Signature('EqualizedLinear', { inFeatures: positive, outFeatures: count }, {
  bias: flag(true),
  biasInit: number(0),
  lrMultiplier: number(1, { above: 0 }),
  ...factoryRules,
} satisfies RulesOf<EqualizedOptions>);
const kernel = rule<number>(
  undefined,
  'an odd whole number',
  (value) => Number.isInteger(value) && (value as number) % 2 === 1,
);
const channels = { inChannels: positive, outChannels: count, kernelSize: kernel };
export const equalizedConv = new Signature('EqualizedConv2d', channels, {
  bias: flag(true),
  resample,
  fir,
  ...factoryRules,
} satisfies RulesOf<EqualizedConvOptions>);
export const modulatedConv = new Signature('ModulatedConv2d', { ...channels, styleFeatures: positive }, {
  demodulate: flag(true),
  up: flag(false),
  fir,
  ...factoryRules,
} satisfies RulesOf<ModulatedConvOptions>);
export const minibatchStdDev = new Signature('MinibatchStdDev', { groupSize: whole(4, 1), features: whole(1, 1) }, {});
export const pixelNorm = new Signature('PixelNorm', { eps: number(1e-8, { min: 0 }) }, {});

export const upfirdn2d = new Signature('upfirdn2d', { filter: tensor }, {
  up: whole(1, 1),
  down: whole(1, 1),
  padding: rule<number | readonly number[]>(
    0,
    'a whole number or 4 of them',
    (value) => Number.isInteger(value) || (Array.isArray(value) && value.length === 4 && value.every(Number.isInteger)),
  ),
  gain: number(1),
} satisfies RulesOf<UpfirdnOptions>);
