import { expectTensor } from '../torch/expect.js';
import { ConfigError, type Tensor } from '../torch/index.js';
import { MultiheadAttention } from './attention.js';
import { ModuleList } from './containers.js';
import { Dropout } from './dropout.js';
import * as F from './functional/activation.js';
import { Linear } from './linear.js';
import { type FactoryOptions, Module } from './module.js';
import { LayerNorm } from './norm.js';
import * as signature from './signatures.js';

export interface TransformerEncoderLayerOptions extends FactoryOptions {
  /** Default 2048. */
  readonly dimFeedforward?: number;
  /** Default 0.1, as PyTorch's. */
  readonly dropout?: number;
  /** Default `'relu'`. */
  readonly activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor);
  readonly layerNormEps?: number;
  /** Tensors are [B, L, E] instead of [L, B, E]. Default false. */
  readonly batchFirst?: boolean;
  /** Normalise before attention and feed-forward instead of after. Default false. */
  readonly normFirst?: boolean;
}

export interface EncodeOptions {
  /** [L, L] or [B · heads, L, L]: boolean, true marks pairs to ignore; or a number added to each score. */
  readonly srcMask?: Tensor | null;
  /** [B, L]: boolean, true marks positions to ignore; or a number added to their scores. */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Position i sees 0..i only. With a mask it is a hint, as PyTorch's: the mask is what counts. Default false. */
  readonly isCausal?: boolean;
}

export interface EncodeAllOptions extends EncodeOptions {
  /** PyTorch's name for the mask of all layers; `srcMask` is the same. */
  readonly mask?: Tensor | null;
}

/** Self-attention and a feed-forward net, each with dropout, residual and normalisation. Keys as PyTorch's. */
export class TransformerEncoderLayer extends Module {
  self_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  readonly normFirst: boolean;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options?: TransformerEncoderLayerOptions) {
    super();
    const values = signature.encoderLayer.read(this.typeName, [dModel, nhead], options);
    const { dimFeedforward, dropout, layerNormEps, batchFirst, activation, device, dtype } = values;
    const made = { device, dtype };
    this.self_attn = new MultiheadAttention(dModel, nhead, { ...made, dropout, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, made);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, made);
    this.norm1 = new LayerNorm(dModel, { ...made, eps: layerNormEps });
    this.norm2 = new LayerNorm(dModel, { ...made, eps: layerNormEps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = values.normFirst;
    this.activation = activationOf(activation);
  }

  /** [L, B, E], or [B, L, E] batch first, or [L, E] without a batch; to the same. */
  forward(x: Tensor, options?: EncodeOptions): Tensor {
    expectTensor(this.typeName, x);
    const o = signature.encode.read('TransformerEncoderLayer.forward', [], options);
    if (this.normFirst) {
      const attended = x.add(this.attend(this.norm1.forward(x), o));
      return attended.add(this.feed(this.norm2.forward(attended)));
    }
    const attended = this.norm1.forward(x.add(this.attend(x, o)));
    return this.norm2.forward(attended.add(this.feed(attended)));
  }

  private attend(x: Tensor, { srcMask, srcKeyPaddingMask, isCausal }: Required<EncodeOptions>): Tensor {
    const options = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, isCausal, needWeights: false };
    return this.dropout1.forward(this.self_attn.forward(x, x, x, options)[0]);
  }

  private feed(x: Tensor): Tensor {
    const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
    return this.dropout2.forward(this.linear2.forward(hidden));
  }
}

/** The function that an option means. @throws ConfigError */
export function activationOf(activation: 'relu' | 'gelu' | ((x: Tensor) => Tensor)): (x: Tensor) => Tensor {
  if (typeof activation === 'function') return activation;
  const found = { relu: (x: Tensor) => F.relu(x), gelu: (x: Tensor) => F.gelu(x) }[activation];
  if (!found) throw new ConfigError(`Expected activation 'relu', 'gelu' or a function, got '${activation}'`);
  return found;
}

/** Clones of one layer, as PyTorch's stacks have them, or layers built by a function. */
export function layersOf<L extends Module>(layer: L | ((index: number) => L), count: number): ModuleList<L> {
  if (!(layer instanceof Module) && typeof layer !== 'function') {
    throw new ConfigError(`Expected a layer to clone or a function that builds one, got ${typeof layer}`);
  }
  return new ModuleList(Array.from({ length: count }, (_, i) => (layer instanceof Module ? layer.clone() : layer(i))));
}

/** A stack's last layer: untyped callers may give it by name, as in Python, where it has a place of its own here. */
export function checkedNorm(where: string, norm: LayerNorm | null): LayerNorm | null {
  if (norm === null || norm instanceof Module) return norm;
  throw new ConfigError(
    `Expected norm of ${where} to be a layer such as new LayerNorm(8), or null, got ${typeof norm}: give it as the ` +
      'third argument, not in an object.',
  );
}

/** A stack of layers: clones of one, as in PyTorch, or each built by a function. */
export class TransformerEncoder extends Module {
  layers: ModuleList<TransformerEncoderLayer>;
  norm: LayerNorm | null;

  constructor(
    layer: TransformerEncoderLayer | ((index: number) => TransformerEncoderLayer),
    readonly numLayers: number,
    norm: LayerNorm | null = null,
  ) {
    super();
    this.layers = layersOf(layer, numLayers);
    this.norm = checkedNorm('TransformerEncoder', norm);
  }

  /** `mask` and `srcKeyPaddingMask` go to every layer: see {@link TransformerEncoderLayer}. */
  forward(x: Tensor, options?: EncodeAllOptions): Tensor {
    expectTensor(this.typeName, x);
    const { mask, ...o } = signature.encodeAll.read('TransformerEncoder.forward', [], options);
    if (mask && o.srcMask) throw new ConfigError('Expected one of mask and srcMask (the same), got both.');
    const each = { ...o, srcMask: mask ?? o.srcMask };
    let y = x;
    for (const layer of this.layers) y = layer.forward(y, each);
    return this.norm ? this.norm.forward(y) : y;
  }
}
