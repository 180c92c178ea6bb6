/** The signatures of `nn.init`, of clipping and of what else is no layer. */
import type { Generator } from '../torch/index.js';
import type { FanMode, KaimingOptions, Nonlinearity } from './init.js';
import { choice, number, orNull, type RulesOf, rule, Signature, whole } from './signature.js';

const nonlinearities = [
  'linear',
  'conv1d',
  'conv2d',
  'conv3d',
  'convTranspose1d',
  'convTranspose2d',
  'convTranspose3d',
  'sigmoid',
  'tanh',
  'relu',
  'leakyRelu',
  'selu',
] as const satisfies readonly Nonlinearity[];

export const generator = orNull(
  rule<Generator>(
    undefined,
    'a Generator',
    (value) => typeof value === 'object' && value !== null && 'manualSeed' in value,
  ),
);
const drawn = { generator };

export const gain = new Signature(
  'calculateGain',
  { nonlinearity: choice<Nonlinearity>(undefined, ...nonlinearities), param: orNull(number()) },
  {},
);
export const uniform = new Signature('uniform_', { a: number(0), b: number(1) }, drawn);
export const normal = new Signature('normal_', { mean: number(0), std: number(1, { min: 0 }) }, drawn);
export const truncNormal = new Signature(
  'truncNormal_',
  { mean: number(0), std: number(1, { min: 0 }), a: number(-2), b: number(2) },
  drawn,
);
export const dirac = new Signature('dirac_', { groups: whole(1, 1) }, {});
export const sparse = new Signature(
  'sparse_',
  { sparsity: number(undefined, { min: 0, max: 1 }), std: number(0.01, { min: 0 }) },
  drawn,
);
export const constant = new Signature('constant_', { val: number() }, {});
export const gained = new Signature('xavierUniform_ xavierNormal_ orthogonal_', { gain: number(1) }, drawn);
export const kaiming = new Signature('kaimingUniform_ kaimingNormal_', {}, {
  a: number(0),
  mode: choice<FanMode>('fanIn', 'fanIn', 'fanOut'),
  nonlinearity: choice<Nonlinearity>('leakyRelu', ...nonlinearities),
  generator,
} satisfies RulesOf<KaimingOptions>);
