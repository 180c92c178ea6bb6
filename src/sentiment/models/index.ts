/** The sentiment models by name. */
import { skipInit } from '../../nn/index.js';
import { ConfigError, deriveSeed, Generator } from '../../torch/index.js';
import type { ModelContext, SentimentModel } from './model.js';
import { SharedPrivate } from './shared-private.js';

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
export { Head, SequenceEncoder } from './parts.js';
export { SharedPrivate, type SharedPrivateOptions } from './shared-private.js';
export { Standardise } from './standardise.js';

type Build = (context: ModelContext, options: Readonly<Record<string, unknown>>) => SentimentModel;

const builders = {
  'shared-private': (context, options) => new SharedPrivate(context, options),
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
  const model = skipInit(() => build(context, options));
  for (const [child, module] of model.namedChildren()) {
    if (child !== 'text') module.initialise(new Generator(deriveSeed(seed, 'init', child)));
  }
  return model;
}
