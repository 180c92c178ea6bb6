/** wav2vec 2.0 (Baevski et al. 2020): sound to a row of numbers for each frame of a video, by Hugging Face's names. */
import { join } from 'node:path';
import {
  isFlag,
  isList,
  isNumber,
  isObject,
  isOneOf,
  isWhole,
  leaf,
  optional,
  readJsonFile,
} from '../../io/json-file.js';
import {
  Conv1d,
  functional as F,
  type FactoryOptions,
  GroupNorm,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  weightNorm,
} from '../../nn/index.js';
import { openWeights } from '../../text/bert-weights.js';
import { noGrad, ShapeError, scope, type Tensor } from '../../torch/index.js';

/** Those of the published base model, whose norms come after each part. Names are those of `config.json`, in camel case. */
export interface Wav2VecConfig {
  readonly convDim: readonly number[];
  readonly convKernel: readonly number[];
  readonly convStride: readonly number[];
  readonly convBias: boolean;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly numConvPosEmbeddings: number;
  readonly numConvPosEmbeddingGroups: number;
  readonly layerNormEps: number;
}

/** A convolution that shortens the sound; the first is normalised channel by channel. Keys: `conv`, `layer_norm`. */
class SoundLayer extends Module {
  conv: Conv1d;
  layer_norm: GroupNorm | null;

  constructor(inChannels: number, config: Wav2VecConfig, i: number, made: FactoryOptions) {
    super();
    const channels = config.convDim[i]!;
    const options = { stride: config.convStride[i]!, bias: config.convBias, ...made };
    this.conv = new Conv1d(inChannels, channels, config.convKernel[i]!, options);
    this.layer_norm = i === 0 ? new GroupNorm(channels, channels, made) : null;
  }

  forward(x: Tensor): Tensor {
    const y = this.conv.forward(x);
    return F.gelu(this.layer_norm ? this.layer_norm.forward(y) : y);
  }
}

/** Keys: `conv_layers.N`. */
class SoundLayers extends Module {
  conv_layers: ModuleList<SoundLayer>;

  constructor(config: Wav2VecConfig, made: FactoryOptions) {
    super();
    const { convDim } = config;
    this.conv_layers = new ModuleList(convDim.map((_, i) => new SoundLayer(convDim[i - 1] ?? 1, config, i, made)));
  }

  /** [B, samples] to [B, channels, steps]. */
  forward(sound: Tensor): Tensor {
    let x = sound.unsqueeze(1);
    for (const layer of this.conv_layers) x = layer.forward(x);
    return x;
  }
}

/** Keys: `layer_norm`, `projection`. */
class Projection extends Module {
  layer_norm: LayerNorm;
  projection: Linear;

  constructor(inFeatures: number, { hiddenSize, layerNormEps }: Wav2VecConfig, made: FactoryOptions) {
    super();
    this.layer_norm = new LayerNorm(inFeatures, { eps: layerNormEps, ...made });
    this.projection = new Linear(inFeatures, hiddenSize, made);
  }

  forward(x: Tensor): Tensor {
    return this.projection.forward(this.layer_norm.forward(x));
  }
}

/** Where a row is, told by its neighbours. Keys: `conv.weight_g`, `conv.weight_v`, `conv.bias`. */
class PlaceLayer extends Module {
  conv: Conv1d;

  constructor(config: Wav2VecConfig, made: FactoryOptions) {
    super();
    const { hiddenSize, numConvPosEmbeddings: kernel, numConvPosEmbeddingGroups: groups } = config;
    const padding = Math.floor(kernel / 2);
    this.conv = weightNorm(new Conv1d(hiddenSize, hiddenSize, kernel, { padding, groups, ...made }), { dim: 2 });
  }

  /** [B, steps, hidden], likewise. */
  forward(x: Tensor): Tensor {
    const steps = x.shape[1]!;
    // A kernel of even size gives one row more.
    return F.gelu(this.conv.forward(x.transpose(1, 2)).narrow(2, 0, steps)).transpose(1, 2);
  }
}

/** Keys: `k_proj`, `v_proj`, `q_proj`, `out_proj`. */
class Attention extends Module {
  k_proj: Linear;
  v_proj: Linear;
  q_proj: Linear;
  out_proj: Linear;
  readonly heads: number;

  constructor({ hiddenSize, numAttentionHeads }: Wav2VecConfig, made: FactoryOptions) {
    super();
    const layer = (): Linear => new Linear(hiddenSize, hiddenSize, made);
    [this.k_proj, this.v_proj, this.q_proj, this.out_proj] = [layer(), layer(), layer(), layer()];
    this.heads = numAttentionHeads;
  }

  forward(x: Tensor): Tensor {
    const split = (y: Tensor): Tensor => y.unflatten(2, [this.heads, -1]).transpose(1, 2);
    const [q, k, v] = [this.q_proj, this.k_proj, this.v_proj].map((layer) => split(layer.forward(x))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return this.out_proj.forward(F.scaledDotProductAttention(q, k, v).transpose(1, 2).flatten(2));
  }
}

/** Keys: `intermediate_dense`, `output_dense`. */
class FeedForward extends Module {
  intermediate_dense: Linear;
  output_dense: Linear;

  constructor({ hiddenSize, intermediateSize }: Wav2VecConfig, made: FactoryOptions) {
    super();
    this.intermediate_dense = new Linear(hiddenSize, intermediateSize, made);
    this.output_dense = new Linear(intermediateSize, hiddenSize, made);
  }

  forward(x: Tensor): Tensor {
    return this.output_dense.forward(F.gelu(this.intermediate_dense.forward(x)));
  }
}

/** Keys: `attention`, `layer_norm`, `feed_forward`, `final_layer_norm`. */
class EncoderLayer extends Module {
  attention: Attention;
  layer_norm: LayerNorm;
  feed_forward: FeedForward;
  final_layer_norm: LayerNorm;

  constructor(config: Wav2VecConfig, made: FactoryOptions) {
    super();
    const norm = (): LayerNorm => new LayerNorm(config.hiddenSize, { eps: config.layerNormEps, ...made });
    this.attention = new Attention(config, made);
    this.layer_norm = norm();
    this.feed_forward = new FeedForward(config, made);
    this.final_layer_norm = norm();
  }

  forward(x: Tensor): Tensor {
    const y = this.layer_norm.forward(x.add(this.attention.forward(x)));
    return this.final_layer_norm.forward(y.add(this.feed_forward.forward(y)));
  }
}

/** Keys: `pos_conv_embed`, `layer_norm`, `layers.N`. */
class Encoder extends Module {
  pos_conv_embed: PlaceLayer;
  layer_norm: LayerNorm;
  layers: ModuleList<EncoderLayer>;

  constructor(config: Wav2VecConfig, made: FactoryOptions) {
    super();
    this.pos_conv_embed = new PlaceLayer(config, made);
    this.layer_norm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps, ...made });
    const { numHiddenLayers } = config;
    this.layers = new ModuleList(Array.from({ length: numHiddenLayers }, () => new EncoderLayer(config, made)));
  }

  forward(x: Tensor): Tensor {
    let y = this.layer_norm.forward(x.add(this.pos_conv_embed.forward(x)));
    for (const layer of this.layers) y = layer.forward(y);
    return y;
  }
}

/** Keys: `feature_extractor`, `feature_projection`, `encoder`, as Hugging Face has them. Without dropout and masking. */
export class Wav2Vec extends Module {
  feature_extractor: SoundLayers;
  feature_projection: Projection;
  encoder: Encoder;

  constructor(
    readonly config: Wav2VecConfig,
    made: FactoryOptions = {},
  ) {
    super();
    this.feature_extractor = new SoundLayers(config, made);
    this.feature_projection = new Projection(config.convDim.at(-1)!, config, made);
    this.encoder = new Encoder(config, made);
  }

  /**
   * @param sound - [B, samples], 16 kHz
   * @param frames - rows to give: those of the convolutions (some 50 a second) are interpolated to as many, so that sound and
   * pictures cannot drift. By default there are as many as convolutions give.
   * @returns [B, frames, hidden]
   */
  forward(sound: Tensor, frames?: number): Tensor {
    if (sound.ndim !== 2) throw new ShapeError(`Expected [batch, samples], got [${sound.shape}] in Wav2Vec`);
    // Each recording is brought to mean 0 and variance 1, as the published model had its own.
    const level = sound.sub(sound.mean(1, true));
    const heard = this.feature_extractor.forward(level.div(level.square().mean(1, true).add(1e-7).sqrt()));
    const rows =
      frames === undefined ? heard : F.interpolate(heard, { size: frames, mode: 'linear', alignCorners: true });
    return this.encoder.forward(this.feature_projection.forward(rows.transpose(1, 2)));
  }

  /**
   * Reads a model of Hugging Face's form from a folder: `config.json`, and `model.safetensors` or `pytorch_model.bin`. Heads of
   * tasks and what pre-training alone needs are left out.
   * @throws DataError for another kind of model, or weights that do not fit
   */
  static load(folder: string): Wav2Vec {
    const model = new Wav2Vec(readWav2VecConfig(folder));
    const file = openWeights(folder);
    try {
      scope(() => {
        const weights = file.keys().flatMap((key) => {
          const name = nameOf(key);
          return name === null ? [] : [[name, file.get(key)] as const];
        });
        noGrad(() => model.loadStateDict(new Map(weights)));
      });
    } finally {
      file.close();
    }
    return model.eval();
  }
}

/** The model's key for a file's; null for what is not part of it. Newer files name the weights of normed layers otherwise. */
function nameOf(key: string): string | null {
  const bare = key.replace(/^wav2vec2\./, '');
  if (!/^(feature_extractor|feature_projection|encoder)\./.test(bare)) return null;
  return bare
    .replace('parametrizations.weight.original0', 'weight_g')
    .replace('parametrizations.weight.original1', 'weight_v');
}

const isConfig = isObject({
  model_type: isOneOf(['wav2vec2']),
  feat_extract_norm: isOneOf(['group']),
  do_stable_layer_norm: optional(leaf('false', (value) => value === false)),
  hidden_act: optional(isOneOf(['gelu'])),
  conv_dim: isList(isWhole(1)),
  conv_kernel: isList(isWhole(1)),
  conv_stride: isList(isWhole(1)),
  hidden_size: isWhole(1),
  num_hidden_layers: isWhole(1),
  num_attention_heads: isWhole(1),
  intermediate_size: isWhole(1),
  num_conv_pos_embeddings: isWhole(1),
  num_conv_pos_embedding_groups: isWhole(1),
  layer_norm_eps: isNumber,
  conv_bias: isFlag,
});

/** What `config.json` says. @throws DataError for another kind of model, naming what does not fit */
export function readWav2VecConfig(folder: string): Wav2VecConfig {
  const found = readJsonFile<Record<string, number & readonly number[] & boolean>>(
    join(folder, 'config.json'),
    'the configuration of a wav2vec 2.0 of the base kind',
    isConfig,
  );
  const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [camel(name), value]),
  ) as unknown as Wav2VecConfig;
}
