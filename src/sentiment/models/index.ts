/** The sentiment models by name. */
import { constructSeeded, initialiseUnwritten } from '../../nn/index.js';
import { ConfigError, deriveSeed, Generator } from '../../torch/index.js';
import { EfLstm } from './ef-lstm.js';
import { LfDnn } from './lf-dnn.js';
import { Lmf } from './lmf.js';
import { Misa } from './misa.js';
import type { ModelContext, SentimentModel } from './model.js';
import { Mult } from './mult.js';
import { SharedPrivate } from './shared-private.js';
import { TextOnly } from './text-only.js';
import { Tfn } from './tfn.js';

export { EfLstm, type EfLstmOptions, poolRows } from './ef-lstm.js';
export { LfDnn, type LfDnnOptions } from './lf-dnn.js';
export { Lmf, type LmfOptions, LowRankFusion } from './lmf.js';
export { Misa, type MisaOptions } from './misa.js';
export { centralMomentDiscrepancy, differenceLoss } from './misa-losses.js';

export {
  asPrediction,
  type ModelContext,
  type SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
export { Mult, type MultOptions } from './mult.js';
export { type CrossmodalSettings, CrossmodalTransformer, sightOf } from './mult-transformer.js';
export { Head, SequenceEncoder } from './parts.js';
export { SharedPrivate, type SharedPrivateOptions } from './shared-private.js';
export { Standardise } from './standardise.js';
export { TextOnly, type TextOnlyOptions } from './text-only.js';
export { Tfn, type TfnOptions, tensorFusion } from './tfn.js';

type Build = (context: ModelContext, options: Readonly<Record<string, unknown>>) => SentimentModel;

const builders = {
  'shared-private': (context, options) => new SharedPrivate(context, options),
  /** The same model: what makes it Self-MM is a configuration without alignment. */
  'self-mm': (context, options) => new SharedPrivate(context, options),
  'text-only': (context, options) => new TextOnly(context, options),
  'ef-lstm': (context, options) => new EfLstm(context, options),
  'lf-dnn': (context, options) => new LfDnn(context, options),
  tfn: (context, options) => new Tfn(context, options),
  lmf: (context, options) => new Lmf(context, options),
  mult: (context, options) => new Mult(context, options),
  misa: (context, options) => new Misa(context, options),
} as const satisfies Record<string, Build>;

export type ModelName = keyof typeof builders;
export const modelNames = Object.keys(builders) as ModelName[];

/**
 * Builds a model with initial weights that follow from the seed. The text encoder in `context` keeps the weights it has.
 * @throws ConfigError for an unknown name
 */
export function buildSentimentModel(
  name: ModelName,
  context: ModelContext,
  options: Readonly<Record<string, unknown>>,
  seed: number,
): SentimentModel {
  const build = (builders as Readonly<Record<string, Build>>)[name];
  if (!build) throw new ConfigError(`Expected a model among ${modelNames.join(', ')}, got '${String(name)}'`);
  const model = constructSeeded(() => build(context, options), deriveSeed(seed, 'construct'));
  for (const [child, module] of model.namedChildren()) {
    if (child !== 'text') initialiseUnwritten(module, new Generator(deriveSeed(seed, 'init', child)));
  }
  return model;
}
