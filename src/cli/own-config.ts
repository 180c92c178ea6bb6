// A model and data of the user's own on the command line: functions that files export.
import { completeConfig, type ModuleRef, ownRecipe, type RunConfig, type RunSettings } from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import { fileExport, locatedExport } from '../torch/user-modules.js';
import type { Given } from './config.js';
import { type RunFlags, settingsOf } from './run-settings.js';

/** Whether a model or data is named by a file, such as `./my-model.js` or `./mine.js:net`. */
export function isOwn(name: string): boolean {
  return fileExport(name) !== null;
}

/** The function in a file: the one after the colon, or its default export. */
function fileRef(text: string, what: string, options: unknown): ModuleRef {
  if (!isOwn(text)) {
    throw new ConfigError(
      `Expected ${what} of your own beside a model of your own, such as ./my-data.js; got ${text}.`,
    );
  }
  return { ...locatedExport(text, what), options };
}

/** The configuration of a model of one's own: AdamW, a linear head at each border, and what the flags say. */
export function ownConfig(model: string, flags: RunFlags, given: Given): RunConfig {
  const { optimizer } = ownRecipe;
  const [lr, weightDecay] = [flags.lr ?? optimizer.lr, flags.weightDecay ?? optimizer.weightDecay];
  if (flags.optimizer === 'sgd') {
    throw new ConfigError(
      'A model of your own trains by adamw or adam on the command line; train() takes any optimizer.',
    );
  }
  const length = flags.steps === undefined ? { epochs: flags.epochs ?? ownRecipe.epochs } : { steps: flags.steps };
  const ref = fileRef(model, 'a model', flags.modelOption);
  const settings: RunSettings = {
    ...ownRecipe,
    ...settingsOf(flags),
    epochs: undefined,
    ...length,
    model: ref,
    modelName: model,
    // What needs no data (a plan) reads none.
    data: flags.data === undefined ? ref : fileRef(flags.data, 'data', flags.dataOption),
    optimizer: { ...optimizer, name: flags.optimizer ?? optimizer.name, lr, weightDecay },
    head: given('head') ? { kind: flags.head, depth: flags.headDepth } : ownRecipe.head,
    batchSize: given('batch') ? flags.batch : ownRecipe.batchSize,
    microbatches: given('microbatches') ? flags.microbatches : 1,
  };
  return completeConfig(settings);
}
