/** Models of one's own: a file exports a class, or a function that makes one. */
import { Module } from '../../nn/index.js';
import { ConfigError } from '../../torch/index.js';
import { failureOf } from '../../torch/user-errors.js';
import { callerPlaces, functionInHand, importFunction, locateModule } from '../../torch/user-modules.js';
import { type ModelContext, SentimentModel, type SentimentOutput } from './model.js';

/**
 * Where a model of one's own comes from, as JSON, so that every thread imports it by itself: the class, or the function of
 * (context, options), that `module` exports as `export`. A module is a URL, a path or a package, as of `ref` in pipelines.
 */
export interface OwnModel {
  readonly module: string;
  readonly export: string;
}

type OwnMaker =
  | ((context: ModelContext, options: Readonly<Record<string, unknown>>) => SentimentModel)
  | (new (
      context: ModelContext,
      options: Readonly<Record<string, unknown>>,
    ) => SentimentModel);

/** How a model is called: one of one's own by its export, or its file where that is the default. */
export function modelTitle(model: string | OwnModel): string {
  if (typeof model === 'string') return model;
  return model.export === 'default' ? model.module.replace(/^.*\//, '').replace(/\.[cm]?[jt]s$/, '') : model.export;
}

/** With the URL of its module, which other threads and later sessions find it by. @throws ConfigError where there is none */
export function locateOwn<N extends string>(model: N | OwnModel, places = callerPlaces()): N | OwnModel {
  return typeof model === 'string' ? model : { ...model, module: locateModule(model.module, places) };
}

/**
 * Imports a model of one's own on this thread, which must be before a network of it is made or loaded here. Of the models by name,
 * nothing is to do.
 * @example await importModel({ module: './mine.js', export: 'Mine' });
 * @throws ConfigError where there is no such module, or it exports no such thing
 */
export async function importModel(model: string | OwnModel): Promise<void> {
  if (typeof model === 'string') return;
  const { module, export: name } = locateOwn(model) as OwnModel;
  await importFunction(module, name);
}

/** @throws ConfigError where it has not been imported, or makes no model */
export function buildOwn(
  model: OwnModel,
  context: ModelContext,
  options: Readonly<Record<string, unknown>>,
): SentimentModel {
  const { module, export: name } = locateOwn(model) as OwnModel;
  const make = functionInHand<(...given: never[]) => unknown>(module, name) as OwnMaker | null;
  if (make === null) {
    throw new ConfigError(
      `The model ${name} of ${module} has not been imported on this thread: await importModel(config.model) first`,
    );
  }
  let made: SentimentModel;
  try {
    made = isClass(make) ? new make(context, options) : make(context, options);
  } catch (cause) {
    throw failureOf(module, name, cause);
  }
  if (made instanceof Module && typeof made.forward === 'function') return made;
  throw new ConfigError(`Expected ${name} of ${module} to give a SentimentModel, got ${typeof made}`);
}

function isClass(make: OwnMaker): make is Extract<OwnMaker, new (...given: never[]) => unknown> {
  return make.prototype instanceof SentimentModel;
}

/** @throws ConfigError unless a model gave what its batch and its context ask for */
export function checkOutput(model: string | OwnModel, output: SentimentOutput, rows: number, outputs: number): void {
  const title = modelTitle(model);
  const lacking = ['prediction', 'unimodal', 'features', 'hidden', 'losses'].filter(
    (name) => !(name in Object(output)),
  );
  if (lacking.length > 0) {
    throw new ConfigError(`Expected ${title} to give a SentimentOutput, which has ${lacking.join(', ')}, too`);
  }
  const expected = outputs === 1 ? [rows] : [rows, outputs];
  const { shape } = output.prediction;
  if (shape.join() === expected.join()) return;
  throw new ConfigError(
    `Expected the prediction of ${title} to be [${expected.join(', ')}] for ${rows} utterances, got [${shape.join(', ')}]`,
  );
}
