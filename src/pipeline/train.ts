/** The front door: a model and data as values, and everything else with a default. */
import { ConfigError } from '../torch/index.js';
import { inEngineThread } from '../torch/threads.js';
import { callerPlaces, locateModule, rememberFunction } from '../torch/user-modules.js';
import { givenOf, type RunConfig, type RunSettings } from './config.js';
import { type ModelSpec, type ModuleRef, resolveModel } from './model.js';
import type { Resume } from './run-folder.js';
import { loadRunData, type RunData, Trainer } from './trainer.js';

/** A model that takes classes and shapes from the data it is trained on, and brings a recipe. `resnet20()` gives one. */
export interface ModelForData {
  readonly name: string;
  /** @throws ConfigError where it cannot be made for such data */
  forData(data: RunData, wishes: Wishes): Omit<RunSettings, 'data'>;
}

/** What a recipe goes by. */
export interface Wishes {
  readonly batchSize?: number | undefined;
  readonly epochs?: number | undefined;
  readonly steps?: number | undefined;
  readonly lr?: number | undefined;
}

/** A function of the program's own that makes a model or data: exported, so that every thread can call it, too. */
export type Maker<T> = (options: never) => T | Promise<T>;

/** What `train` takes as a model. */
export type ModelValue = ModelForData | { readonly ref: ModuleRef } | ModuleRef | Maker<ModelSpec>;
/** What `train` takes as data. */
export type DataValue = ModuleRef | Maker<RunData>;

export interface TrainOptions extends Partial<Omit<RunConfig, 'model' | 'data'>> {
  /** `resnet20()`, a model spec of `headrace/vision`, or an exported function that gives a `ModelSpec`. */
  readonly model: ModelValue;
  /** `mnist()`, or an exported function that gives a `RunData`. */
  readonly data: DataValue;
  /** Replaces the recipe's learning rate. */
  readonly lr?: number;
  /** Go on with the run in `out`; 'auto': where there is one, else begin. Default false. */
  readonly resume?: Resume;
}

/** How a model without a recipe is trained where nothing else is said. */
export const ownRecipe = {
  batchSize: 64,
  epochs: 10,
  optimizer: { name: 'adamw', lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, decay: 'weights' },
  lrSchedule: { name: 'cosine', warmupEpochs: 0.5, minLr: 0 },
  head: { kind: 'linear' },
} as const satisfies Partial<RunConfig>;

/**
 * Trains a model on data, by default in two stages at once with local learning (`schedule`, `stages`). Whatever is not said
 * comes from the model's recipe, or is AdamW at 1e-3 over 10 epochs for a model of your own; every field of `RunConfig` can
 * be said. Iterate the run for its events, or await its `result`; either starts it.
 * @throws ConfigError for a model or data that other threads could not make again
 * @example
 * const run = train({ model: resnet20(), data: mnist(), stages: 2, epochs: 3, out: 'runs/digits' });
 * for await (const event of run) if (event.type === 'eval') console.log(event.epoch, event.metrics.accuracy);
 */
export function train(options: TrainOptions): Trainer {
  if (inEngineThread()) {
    throw new ConfigError(
      'train() was called while a worker thread imported the module of your model or data. Put the call into ' +
        'if (isMainThread) { ... } (of node:worker_threads), or into a file of its own.',
    );
  }
  const { model, data, lr, resume = false, ...overrides } = options;
  const places = callerPlaces();
  const dataRef = refOf(data, 'data', places);
  const choose = chooserOf(model, dataRef, places);
  const settings = async (): Promise<RunSettings> => {
    const said = givenOf(overrides);
    const length = said.steps === undefined ? {} : { epochs: undefined };
    return { ...(await choose({ ...said, lr })), ...length, ...said, data: dataRef };
  };
  return new Trainer(settings, { resume });
}

/** What is trained, and how where nothing else is said; by its data, for a model that is made for them. */
function chooserOf(
  model: ModelValue,
  data: ModuleRef,
  places: readonly string[],
): (wishes: Wishes) => Promise<Omit<RunSettings, 'data'>> {
  if (typeof model === 'object' && 'forData' in model) {
    return async (wishes) => model.forData(await loadRunData(data), wishes);
  }
  const own = refOf(typeof model === 'object' && 'ref' in model ? model.ref : model, 'model', places);
  return async ({ lr = ownRecipe.optimizer.lr }) => {
    const { name } = await resolveModel(own);
    return { ...ownRecipe, optimizer: { ...ownRecipe.optimizer, lr }, model: own, modelName: name };
  };
}

/**
 * How other threads make again what an exported function gives.
 * @param options - plain JSON, its argument
 * @example train({ model: ref(net, { width: 64 }), data: ref(points, { count: 1000 }) })
 */
export function ref<O>(maker: (options: O) => unknown, options: O): ModuleRef {
  return makerRef(maker, options, 'ref', callerPlaces());
}

function refOf(value: ModuleRef | Maker<unknown>, what: 'model' | 'data', places: readonly string[]): ModuleRef {
  if (typeof value === 'function') return makerRef(value, {}, what, places);
  if (typeof value?.module === 'string' && typeof value.export === 'string') {
    return { ...value, module: locateModule(value.module, places) };
  }
  const usual = what === 'model' ? 'resnet20()' : 'mnist()';
  throw new ConfigError(
    `Expected ${what} to be such as ${usual}, an exported function of yours, or { module, export, options }; got ` +
      `${value === undefined ? 'none' : JSON.stringify(value)}.`,
  );
}

/** The function's own module is that of the caller: a value does not know where it was exported. */
function makerRef(maker: unknown, options: unknown, what: string, places: readonly string[]): ModuleRef {
  const name = typeof maker === 'function' ? maker.name : '';
  if (name === '') {
    throw new ConfigError(
      `Expected ${what === 'ref' ? 'ref' : `${what} in train`} to get a function that this file exports by its name, since ` +
        'every thread imports and calls it; got one without a name.',
    );
  }
  rememberFunction(places[0]!, name, maker as Maker<unknown>);
  return { module: places[0]!, export: name, options };
}
