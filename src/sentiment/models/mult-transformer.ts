/** The transformer of MulT, within one modality or from one to another (Tsai et al., ACL 2019, section 3.1 and appendix). */

import type { Modality } from '../../features/specs.js';
import {
  type AttendOptions,
  Dropout,
  init,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
  MultiheadAttention,
} from '../../nn/index.js';
import { ConfigError, cat, type Generator, ops, type Tensor } from '../../torch/index.js';
import type { SequenceInput } from './model.js';
import { lengthsOf, readableRows } from './rows.js';

export interface CrossmodalSettings {
  readonly heads: number;
  readonly layers: number;
  /** On the weights of attention. */
  readonly attentionDropout: number;
  /** Within the feed-forward net. */
  readonly reluDropout: number;
  /** Before each addition to the residual. */
  readonly residualDropout: number;
  /** On the sequences with their positions. */
  readonly embedDropout: number;
}

/** What the models of such transformers share in their settings. */
export interface CrossmodalModelSettings extends Omit<CrossmodalSettings, 'attentionDropout'> {
  /** Of the rows of every modality; the heads must divide it. */
  readonly width: number;
  /** Rows that a convolution reads for one. */
  readonly kernel: Readonly<Record<Modality, number>>;
  /** Whether a row sees only rows up to its own place. */
  readonly causal: boolean;
  /** On the weights of attention to each modality, and within one or what it has seen. */
  readonly attentionDropout: Readonly<Record<Modality | 'memory', number>>;
}

/** What of the other sequence each row may see. */
type Sight = Pick<AttendOptions, 'attnMask' | 'keyPaddingMask'>;

/** As the released code begins: uniform by Glorot's bound, biases 0. */
class GlorotLinear extends Linear {
  override resetParameters(g: Generator): void {
    init.xavierUniform_(this.weight, { generator: g });
    if (this.bias) init.zeros_(this.bias);
  }
}

/**
 * Attention and a feed-forward net four times as wide, each normalised before and added to what came in. Keys:
 * `self_attn.*`, `fc1.*`, `fc2.*`, `layer_norms.0.*`, `layer_norms.1.*`.
 */
class CrossmodalLayer extends Module {
  self_attn: MultiheadAttention;
  fc1: Linear;
  fc2: Linear;
  layer_norms: ModuleList<LayerNorm>;
  relu_dropout: Dropout;
  res_dropout: Dropout;

  constructor(width: number, { heads, attentionDropout, reluDropout, residualDropout }: CrossmodalSettings) {
    super();
    this.self_attn = new MultiheadAttention(width, heads, { dropout: attentionDropout, batchFirst: true });
    this.self_attn.out_proj = new GlorotLinear(width, width);
    this.fc1 = new GlorotLinear(width, 4 * width);
    this.fc2 = new GlorotLinear(4 * width, width);
    this.layer_norms = new ModuleList([new LayerNorm(width), new LayerNorm(width)]);
    this.relu_dropout = new Dropout(reluDropout);
    this.res_dropout = new Dropout(residualDropout);
  }

  forward(x: Tensor, source: Tensor | null, sight: Sight): Tensor {
    const [first, second] = [...this.layer_norms] as [LayerNorm, LayerNorm];
    const query = first.forward(x);
    const keys = source ? first.forward(source) : query;
    const [seen] = this.self_attn.forward(query, keys, keys, { ...sight, needWeights: false });
    const attended = x.add(this.res_dropout.forward(seen));
    const wide = this.relu_dropout.forward(this.fc1.forward(second.forward(attended)).relu());
    return attended.add(this.res_dropout.forward(this.fc2.forward(wide)));
  }
}

/**
 * Layers in which every row of a sequence looks at the rows of another one, always as that came in, or at its own
 * sequence. Keys: `layers.<i>.*`, `layer_norm.*`.
 */
export class CrossmodalTransformer extends Module {
  layers: ModuleList<CrossmodalLayer>;
  layer_norm: LayerNorm;
  dropout: Dropout;

  /** @throws ConfigError for a width that the heads do not divide, or below 4 */
  constructor(
    readonly width: number,
    settings: CrossmodalSettings,
  ) {
    super();
    if (width < 4) throw new ConfigError(`Expected a width of 4 or more, which positions need, got ${width}`);
    this.layers = new ModuleList(Array.from({ length: settings.layers }, () => new CrossmodalLayer(width, settings)));
    this.layer_norm = new LayerNorm(width);
    this.dropout = new Dropout(settings.embedDropout);
  }

  /**
   * @param target - [B, T, width]
   * @param source - [B, S, width]; null for the sequence itself
   * @param sight - see {@link sightOf}
   * @returns [B, T, width]
   */
  forward(target: Tensor, source: Tensor | null, sight: Sight): Tensor {
    let x = this.#placed(target);
    const seen = source && this.#placed(source);
    for (const layer of this.layers) x = layer.forward(x, seen, sight);
    return this.layer_norm.forward(x);
  }

  #placed(sequence: Tensor): Tensor {
    const positions = sinusoidalPositions(sequence.shape[1]!, this.width, sequence);
    return this.dropout.forward(sequence.mul(Math.sqrt(this.width)).add(positions));
  }
}

/**
 * Sines, then cosines, of positions counted from 1: [length, width], like `like` in device and dtype. An odd width ends in
 * a column of zeros.
 */
export function sinusoidalPositions(length: number, width: number, like: Tensor): Tensor {
  const half = width >> 1;
  const { device, dtype } = like;
  const rates = ops
    .arange(half, { device, dtype })
    .mul(-Math.log(10000) / (half - 1))
    .exp();
  const angles = ops
    .arange(1, length + 1, { device, dtype })
    .unsqueeze(1)
    .mul(rates);
  const waves = cat([angles.sin(), angles.cos()], 1);
  return width % 2 === 0 ? waves : ops.constantPadNd(waves, [0, 1], 0);
}

/**
 * What rows of one sequence may see of another: nothing of its padding, and where `causal`, as published, row i no row
 * behind i + |S - T|, T and S being the utterance's own lengths. (The reference takes them from the padded batch, so that
 * there an utterance's score depends on the batch that it is in.)
 */
export function sightOf(target: SequenceInput, source: SequenceInput, heads: number, causal: boolean): Sight {
  const hidden = readableRows(source).logicalNot();
  if (!causal) return { keyPaddingMask: hidden };
  const { device } = source.values;
  const ahead = lengthsOf(source).sub(lengthsOf(target)).abs().view([-1, 1, 1]);
  const row = ops.arange(target.values.shape[1]!, { device }).view([1, -1, 1]);
  const behind = ops.arange(source.values.shape[1]!, { device }).gt(row.add(ahead));
  const mask = behind.logicalOr(hidden.unsqueeze(1));
  const added = ops.zeros(mask.shape, { device, dtype: source.values.dtype }).maskedFill_(mask, -Infinity);
  return { attnMask: added.repeatInterleave(heads, 0) };
}

/** What a sequence's rows see of another one, or within their own: [B, T, width]. */
export function look(
  through: CrossmodalTransformer,
  own: SequenceInput,
  source: SequenceInput | null,
  { heads, causal }: Pick<CrossmodalModelSettings, 'heads' | 'causal'>,
): Tensor {
  return through.forward(own.values, source?.values ?? null, sightOf(own, source ?? own, heads, causal));
}

export type ModalityPair = readonly [of: Modality, to: Modality];

/** Each modality with each other one that it looks at. */
export function pairsOf(modalities: readonly Modality[]): ModalityPair[] {
  return modalities.flatMap((of) => modalities.filter((to) => to !== of).map((to): ModalityPair => [of, to]));
}
