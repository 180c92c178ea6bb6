/** The sentiment models by name. */
import { constructSeeded, initialiseUnwritten } from '../../nn/index.js';
import { ConfigError, deriveSeed, Generator } from '../../torch/index.js';
import { Almt } from './almt.js';
import { BertMag } from './bert-mag.js';
import { EfLstm } from './ef-lstm.js';
import { LfDnn } from './lf-dnn.js';
import { Lmf } from './lmf.js';
import { Misa } from './misa.js';
import { Mmim } from './mmim.js';
import type { ModelContext, SentimentModel } from './model.js';
import { Mult } from './mult.js';
import { buildOwn, type OwnModel } from './own.js';
import { SharedPrivate } from './shared-private.js';
import { Tetfn } from './tetfn.js';
import { TextOnly } from './text-only.js';
import { Tfn } from './tfn.js';
import { TfrNet } from './tfr-net.js';

export { poolRows, type RowAlignment } from './aligned.js';
export { Almt, type AlmtOptions } from './almt.js';
export {
  type AlmtShape,
  AttentionBlock,
  CrossFusion,
  HyperLayer,
  LanguageScales,
  LearntTokens,
  TokenEmbedding,
} from './almt-layers.js';
export { AdaptationGate, BertMag, type BertMagOptions } from './bert-mag.js';
export { EfLstm, type EfLstmOptions } from './ef-lstm.js';
export { LfDnn, type LfDnnOptions } from './lf-dnn.js';
export { Lmf, type LmfOptions, LowRankFusion } from './lmf.js';
export { Misa, type MisaOptions } from './misa.js';
export { centralMomentDiscrepancy, differenceLoss } from './misa-losses.js';
export { Mmim, type MmimOptions } from './mmim.js';
export { gaussianEntropy, gaussianLikelihood, predictiveCoding } from './mmim-losses.js';

export {
  asPrediction,
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
export { Mult, type MultOptions } from './mult.js';
export { type CrossmodalSettings, CrossmodalTransformer, sightOf } from './mult-transformer.js';
export { importModel, modelTitle, type OwnModel } from './own.js';
export { Head, SequenceEncoder } from './parts.js';
export { lastRow, meanRow, rowStatistics, textRows } from './rows.js';
export { SharedPrivate, type SharedPrivateOptions } from './shared-private.js';
export { Standardise } from './standardise.js';
export { Tetfn, type TetfnOptions, TextEnhancedTransformer } from './tetfn.js';
export { TextOnly, type TextOnlyOptions } from './text-only.js';
export { Tfn, type TfnOptions, tensorFusion } from './tfn.js';
export { TfrNet, type TfrNetOptions } from './tfr-net.js';
export { GatedRows, MissingRows, missingLoss } from './tfr-parts.js';

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
  'bert-mag': (context, options) => new BertMag(context, options),
  mmim: (context, options) => new Mmim(context, options),
  tetfn: (context, options) => new Tetfn(context, options),
  almt: (context, options) => new Almt(context, options),
  'tfr-net': (context, options) => new TfrNet(context, options),
} as const satisfies Record<string, Build>;

export type ModelName = keyof typeof builders;
export const modelNames = Object.keys(builders) as ModelName[];

/**
 * Builds a model with initial weights that follow from the seed. The text encoder in `context` keeps the weights it has.
 * @param model - a name, or where one's own comes from, which `importModel` has imported
 * @throws ConfigError for an unknown name
 */
export function buildSentimentModel(
  model: ModelName | OwnModel,
  context: ModelContext,
  options: Readonly<Record<string, unknown>>,
  seed: number,
): SentimentModel {
  const built = constructSeeded(() => builderOf(model)(context, options), deriveSeed(seed, 'construct'));
  for (const [child, module] of built.namedChildren()) {
    if (child !== 'text') initialiseUnwritten(module, new Generator(deriveSeed(seed, 'init', child)));
  }
  return built;
}

function builderOf(model: ModelName | OwnModel): Build {
  if (typeof model === 'object') return (context, options) => buildOwn(model, context, options);
  const build = (builders as Readonly<Record<string, Build>>)[model];
  if (build) return build;
  throw new ConfigError(`Expected a model among ${modelNames.join(', ')}, got '${String(model)}'`);
}
