/** What training begins with: a network as drawn, or with what another run has learnt. */
import { ConfigError, noGrad } from '../torch/index.js';
import { readWeights } from './bundle.js';
import type { SentimentConfig } from './config.js';
import { SentimentNetwork } from './network.js';
import type { PreparedData } from './prepare.js';

/** What {@link beginWith} did. */
export interface InitReport {
  /** Of the run whose weights were taken. */
  readonly seed: number;
  readonly taken: readonly string[];
  /** Keys of the network that the run lacks or has in another shape: they stay as drawn. */
  readonly fresh: readonly string[];
}

/** What a seed is trained from: drawn, then begun with the run that `config.init` names, scaled to the training split. */
export function freshNetwork(
  config: SentimentConfig,
  { data, splits, shape, reader }: PreparedData,
  seed: number,
): { readonly network: SentimentNetwork; readonly begun: InitReport | null } {
  const network = new SentimentNetwork(config, shape, reader?.encoder(seed) ?? null, seed);
  const begun = config.init ? beginWith(network, config.init, reader?.vocabulary ?? null) : null;
  network.scale.fit(data.features, splits.train.indices);
  return { network, begun };
}

/**
 * Loads every weight of a run that has the same name and shape; the scales of features stay those of the new data. Layers that
 * differ, such as the last one after another task, stay as drawn.
 * @param vocabulary - of the network's texts; null when they are not read word by word
 * @throws ConfigError when the run has another vocabulary, or nothing that fits
 */
export function beginWith(network: SentimentNetwork, folder: string, vocabulary: readonly string[] | null): InitReport {
  const { tensors, seed, vocabulary: theirs } = readWeights(folder);
  if (vocabulary?.join('\n') !== theirs?.join('\n')) {
    throw new ConfigError(
      `Expected the run to begin with to have the same words (${vocabulary?.length ?? 'none'}), got ${theirs?.length ?? 'none'} ` +
        `in ${folder}: give both the same text.vectors, all of them (text.vocabulary)`,
    );
  }
  const own = network.stateDict();
  const taken = [...own].flatMap(([key, { shape }]) =>
    key.startsWith('model.') && tensors.get(key)?.shape.join() === shape.join() ? [key] : [],
  );
  if (taken.length === 0) {
    throw new ConfigError(`Expected a run to begin with of a similar network, got ${folder}: no layer of it fits`);
  }
  noGrad(() => {
    for (const key of taken) own.get(key)!.copy_(tensors.get(key)!);
  });
  return { seed, taken, fresh: [...own.keys()].filter((key) => key.startsWith('model.') && !taken.includes(key)) };
}
