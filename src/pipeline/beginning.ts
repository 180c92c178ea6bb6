/**
 * Fine-tuning: a run that begins with the weights of a file, of which some stay as they are. Checked as a whole before any
 * stage is built; then each stage takes its own part.
 */
import { SafetensorsFile } from '../io/index.js';
import type { Module } from '../nn/index.js';
import { ConfigError, noGrad, scope } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { buildModel, type ModelSpec } from './model.js';

type Beginning = Pick<RunConfig, 'init' | 'freeze' | 'lrFactors' | 'seed'>;

/** Whether a key of the whole model, such as `layer1.0.conv1.weight`, is of what a prefix such as `layer1` names. */
export function isUnder(key: string, prefix: string): boolean {
  return key === prefix || key.startsWith(prefix.endsWith('.') ? prefix : `${prefix}.`);
}

/**
 * Checks a file and the names of what stays against the whole model.
 * @returns keys whose weights start afresh, since the file's have another shape: those of the last layer alone may
 * @throws ConfigError for keys that the file lacks or holds in another shape, or names that nothing of the model has
 */
export function checkBeginning(spec: ModelSpec, { init, freeze = [], lrFactors = {}, seed }: Beginning): string[] {
  const rated = Object.keys(lrFactors);
  if (init === undefined && freeze.length === 0 && rated.length === 0) return [];
  return scope(() => {
    const model = buildModel(spec, { seed });
    const names = [...model.namedParameters()].map(([name]) => name);
    checkParts(spec, names, freeze, 'to freeze');
    checkParts(spec, names, rated, 'with a learning rate of their own');
    if (names.every((key) => freeze.some((prefix) => isUnder(key, prefix)))) {
      throw new ConfigError(
        `Expected something of ${spec.name} to train; freeze (${freeze.join(', ')}) leaves nothing.`,
      );
    }
    if (init === undefined) return [];
    using file = SafetensorsFile.open(init);
    const last = new Set(lastKeys(spec, model));
    const fresh: string[] = [];
    for (const [key, { shape }] of model.stateDict()) {
      const found = file.entries.get(key);
      if (found?.shape.join() === shape.join()) continue;
      if (found === undefined || !last.has(key)) throw unfit(init, spec, key, shape, found?.shape);
      fresh.push(key);
    }
    return fresh;
  });
}

function unfit(
  file: string,
  { name }: ModelSpec,
  key: string,
  shape: readonly number[],
  found?: readonly number[],
): ConfigError {
  const holds = found === undefined ? 'it has none of that name' : `it holds [${found}]`;
  return new ConfigError(
    `Expected ${file} to hold the weights of ${name}, with ${key} of shape [${shape}]; ${holds}. ` +
      "Keys are PyTorch's; only the last layer may have another number of classes, and then starts afresh.",
  );
}

function checkParts(
  { name }: ModelSpec,
  parameters: readonly string[],
  prefixes: readonly string[],
  what: string,
): void {
  for (const prefix of prefixes) {
    if (parameters.some((key) => isUnder(key, prefix))) continue;
    const groups = [...new Set(parameters.map((key) => key.split('.')[0]))];
    throw new ConfigError(`Expected names of parts of ${name} ${what}, such as ${groups.join(', ')}; got ${prefix}.`);
  }
}

/** Keys of the last layer. */
function lastKeys({ layers }: ModelSpec, model: ReturnType<typeof buildModel>): string[] {
  const { name, prefix } = layers.at(-1)!;
  const [, module] = [...model.named()].find(([own]) => own === name)!;
  return [...module.stateDict(prefix === '' ? '' : `${prefix}.`).keys()];
}

/** Takes over the weights of a file, but for those of another shape. */
export function loadBeginning(module: Module, path: string): void {
  using file = SafetensorsFile.open(path);
  noGrad(() => {
    for (const [key, value] of module.stateDict()) {
      const found = file.entries.get(key);
      if (found && found.shape.join() === value.shape.join()) scope(() => value.copy_(file.get(key)));
    }
  });
}

/** What stays of a module: its parameters get no gradients. @returns the modules whose statistics stay, too */
export function freeze(module: Module, prefixes: readonly string[]): Module[] {
  const frozen = (name: string): boolean => prefixes.some((prefix) => isUnder(name, prefix));
  for (const [name, parameter] of module.namedParameters()) if (frozen(name)) parameter.requiresGrad = false;
  return [...module.namedModules()].filter(([name]) => frozen(name)).map(([, part]) => part);
}
