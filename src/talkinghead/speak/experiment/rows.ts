/** What an experiment compares: a configuration, and the same with one thing changed, all with as many steps. */
import { ConfigError } from '../../../torch/index.js';
import { type IrfdConfig, irfdRecipes } from '../irfd-config.js';
import type { LossWeights } from '../losses.js';
import { type TalkingConfig, talkingRecipes } from '../talking/talking-config.js';

export interface ExperimentRow<Config> {
  readonly name: string;
  readonly config: Config;
}

/** The losses as printed, and each loss left out. */
export function irfdRows(config: IrfdConfig): ExperimentRow<IrfdConfig>[] {
  const { mode, sphere, exchanges, exactShare, faceWeight, augment, loss } = irfdRecipes.literal!;
  const printed = { ...config, mode, sphere, exchanges, exactShare, faceWeight, augment, loss };
  const parts = (Object.keys(config.loss) as (keyof LossWeights)[]).filter((name) => config.loss[name] > 0);
  return [
    { name: 'full', config },
    ...(config.mode === mode ? [] : [{ name: 'literal', config: printed }]),
    ...parts.map((name) => ({ name: `without ${name}`, config: { ...config, loss: { ...config.loss, [name]: 0 } } })),
  ];
}

/** The losses as printed, the other form of output, and the paper's ablations: without IRFD, discriminator, sync and perceptual loss. */
export function speakRows(config: TalkingConfig): ExperimentRow<TalkingConfig>[] {
  const { loss, gan } = config;
  const { mode, tune, syncTarget, syncFrom, form, sees, portraitFrom, emotionFrom, hideMouth, augment, ...printed } =
    talkingRecipes.literal!;
  const { weight, kind } = printed.gan;
  const other = config.form === 'portrait' ? 'picture' : 'portrait';
  const own = { mode, tune, syncTarget, syncFrom, form, sees, portraitFrom, emotionFrom, hideMouth, augment };
  const literal = { ...own, loss: printed.loss };
  const without = (part: 'sync' | 'perceptual'): ExperimentRow<TalkingConfig>[] =>
    loss[part] === 0 ? [] : [{ name: `without ${part}`, config: { ...config, loss: { ...loss, [part]: 0 } } }];
  const alone = { ...loss, identity: 0, emotion: 0, pose: 0 };
  return [
    { name: 'full', config },
    ...(config.mode === mode
      ? []
      : [{ name: 'literal', config: { ...config, ...literal, gan: { ...gan, weight, kind } } }]),
    { name: `form ${other}`, config: { ...config, form: other } },
    ...(config.encoders === 'fresh'
      ? []
      : [{ name: 'without irfd', config: { ...config, encoders: 'fresh' as const, tune: 1, loss: alone } }]),
    ...(gan.weight === 0 ? [] : [{ name: 'without gan', config: { ...config, gan: { ...gan, weight: 0 } } }]),
    ...without('sync'),
    ...without('perceptual'),
  ];
}

/** Some of the rows, by their names. @throws ConfigError for one that there is not */
export function chosenRows<Config>(
  rows: readonly ExperimentRow<Config>[],
  names: readonly string[],
): ExperimentRow<Config>[] {
  const known = rows.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new ConfigError(`Expected rows among ${known.join(', ')}, got ${unknown.join(', ')}`);
  return names.length === 0 ? [...rows] : rows.filter(({ name }) => names.includes(name));
}
