/** BERT with the head that guesses hidden pieces, as layers of a pipeline. */
import { functional, Module } from '../../nn/index.js';
import { MeanMetric, type Metric, type ModelSpec, type Task } from '../../pipeline/index.js';
import { BertLinear, BertNorm } from '../../text/bert.js';
import { type BertConfig, parseBertConfig } from '../../text/bert-config.js';
import { type DType, ops, type Tensor } from '../../torch/index.js';
import { beginWith, type VectorsFrom } from './begin-with.js';
import { encoderLayers } from './encoder-layers.js';
import { encoderNetwork } from './network.js';

export interface MaskedModelOptions {
  /** As in Hugging Face's config.json. */
  readonly config: object;
  readonly compute: DType;
  /** Tokens of a row, for measuring. */
  readonly length: number;
  /** Word vectors to begin with. */
  readonly vectors?: VectorsFrom | null;
}

/** Keys, below `cls.predictions`: `transform.dense`, `transform.LayerNorm`, `decoder`, as of `BertForMaskedLM`. */
class Transform extends Module {
  dense: BertLinear;
  LayerNorm: BertNorm;

  constructor(config: BertConfig) {
    super();
    this.dense = new BertLinear(config.hiddenSize, config.hiddenSize);
    this.LayerNorm = new BertNorm(config.hiddenSize, { eps: config.layerNormEps });
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(functional.gelu(this.dense.forward(x)));
  }
}

/** Reads the layers' rows at the places of what is hidden: logits float32 [B, K, vocabulary]. */
class MaskedHead extends Module {
  transform: Transform;
  decoder: BertLinear;

  constructor(config: BertConfig) {
    super();
    this.transform = new Transform(config);
    this.decoder = new BertLinear(config.hiddenSize, config.vocabSize);
  }

  forward(x: Tensor, places: Tensor): Tensor {
    const width = x.shape[2]!;
    const hidden = x.gather(1, places.unsqueeze(2).expand([-1, -1, width]));
    return this.decoder.forward(this.transform.forward(hidden)).to({ dtype: 'float32' });
  }
}

/** Guessing hidden pieces: logits [B, K, V], pieces [B, K]. Metrics: `perplexity`, `accuracy`, `loss` in nats a piece. */
export function maskedModelling(): Task {
  const loss = (output: Tensor, target: Tensor): Tensor =>
    functional.crossEntropy(output.flatten(0, 1), target.flatten());
  const mean = (of: (output: Tensor, target: Tensor) => Tensor): MeanMetric =>
    new MeanMetric((output, target) => of(output, target!));
  return {
    name: 'masked language modelling',
    loss: (output, target) => loss(output, target!),
    metrics: () => {
      const inner = mean(loss);
      const perplexity: Metric = {
        update: (output, ...targets) => inner.update(output, ...targets),
        compute: () => Math.exp(inner.compute()),
      };
      const accuracy = mean((output, target) => output.argmax(2).eq(target).to({ dtype: 'float32' }).mean());
      return { perplexity, accuracy, loss: mean(loss) };
    },
    selects: { metric: 'perplexity', best: 'lowest' },
  };
}

/** For a pipeline of bp, or of PPLL with a head that guesses at each border. */
export function maskedModel({ config: json, compute, length, vectors }: MaskedModelOptions): ModelSpec {
  const config = parseBertConfig(json, 'the model of the configuration');
  const begin = vectors ? beginWith(vectors) : undefined;
  const head = (): MaskedHead => {
    const made = new MaskedHead(config);
    begin?.(made.decoder.weight);
    return made;
  };
  return {
    name: 'masked BERT',
    task: maskedModelling(),
    layers: [
      ...encoderLayers({ network: encoderNetwork(json), compute, carries: 'places', begin }),
      { name: 'cls', prefix: 'cls.predictions', build: head },
    ],
    head,
    example: (size, generator) => {
      const draw = (limit: number, width: number): Tensor =>
        ops.randint(0, limit, [size, width], { generator, dtype: 'int64' });
      const hidden = Math.max(1, Math.round(length * 0.15));
      return {
        inputs: [draw(config.vocabSize, length), draw(length, hidden)],
        targets: [draw(config.vocabSize, hidden)],
      };
    },
  };
}
