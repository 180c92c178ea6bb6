/** The other half of a transformer, and the whole of it. */
import { expectTensors } from '../torch/expect.js';
import { ConfigError, type Generator, ops, type Tensor } from '../torch/index.js';
import { type AttendOptions, MultiheadAttention, NonDynamicallyQuantizableLinear } from './attention.js';
import type { ModuleList } from './containers.js';
import { Dropout } from './dropout.js';
import { xavierUniform_ } from './init.js';
import { Linear } from './linear.js';
import { type FactoryOptions, Module, slots } from './module.js';
import * as signature from './more-signatures.js';
import { LayerNorm } from './norm.js';
import {
  activationOf,
  checkedNorm,
  layersOf,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerEncoderLayerOptions,
} from './transformer.js';

export type TransformerDecoderLayerOptions = TransformerEncoderLayerOptions;

export interface DecodeOptions {
  /** For the target's own positions, [T, T] or [B · heads, T, T]: boolean, true marks pairs to ignore; or a number added. */
  readonly tgtMask?: Tensor | null;
  /** For pairs of target and memory, [T, S] or [B · heads, T, S], as `tgtMask`. */
  readonly memoryMask?: Tensor | null;
  /** [B, T], boolean: true marks positions of the target to ignore. */
  readonly tgtKeyPaddingMask?: Tensor | null;
  /** [B, S], boolean: true marks positions of the memory to ignore. */
  readonly memoryKeyPaddingMask?: Tensor | null;
}

/**
 * Self-attention, attention to a memory and a feed-forward net, each with dropout, residual and normalisation. Keys as
 * PyTorch's: `self_attn`, `multihead_attn`, `linear1`, `linear2`, `norm1`, `norm2`, `norm3`.
 */
export class TransformerDecoderLayer extends Module {
  self_attn: MultiheadAttention;
  multihead_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  norm3: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  dropout3: Dropout;
  readonly normFirst: boolean;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(dModel: number, nhead: number, options?: TransformerDecoderLayerOptions) {
    super();
    const values = signature.decoderLayer.read('TransformerDecoderLayer', [dModel, nhead], options);
    const { dimFeedforward, dropout, layerNormEps: eps, batchFirst, device, dtype } = values;
    const made = { device, dtype };
    this.self_attn = new MultiheadAttention(dModel, nhead, { ...made, dropout, batchFirst });
    this.multihead_attn = new MultiheadAttention(dModel, nhead, { ...made, dropout, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, made);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, made);
    this.norm1 = new LayerNorm(dModel, { ...made, eps });
    this.norm2 = new LayerNorm(dModel, { ...made, eps });
    this.norm3 = new LayerNorm(dModel, { ...made, eps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.normFirst = values.normFirst;
    this.activation = activationOf(values.activation);
  }

  /** Target [T, B, E] and memory [S, B, E] (or batch first) to the target's shape. */
  forward(tgt: Tensor, memory: Tensor, options?: DecodeOptions): Tensor {
    expectTensors(this.typeName, tgt, memory);
    const o = signature.decode.read('TransformerDecoderLayer.forward', [], options);
    const own = { attnMask: o.tgtMask, keyPaddingMask: o.tgtKeyPaddingMask };
    const across = { attnMask: o.memoryMask, keyPaddingMask: o.memoryKeyPaddingMask };
    const parts: [LayerNorm, (x: Tensor) => Tensor][] = [
      [this.norm1, (x) => this.dropout1.forward(attend(this.self_attn, x, x, own))],
      [this.norm2, (x) => this.dropout2.forward(attend(this.multihead_attn, x, memory, across))],
      [this.norm3, (x) => this.dropout3.forward(this.feed(x))],
    ];
    let x = tgt;
    for (const [norm, part] of parts) {
      x = this.normFirst ? x.add(part(norm.forward(x))) : norm.forward(x.add(part(x)));
    }
    return x;
  }

  private feed(x: Tensor): Tensor {
    return this.linear2.forward(this.dropout.forward(this.activation(this.linear1.forward(x))));
  }
}

function attend(attention: MultiheadAttention, x: Tensor, to: Tensor, masks: AttendOptions): Tensor {
  return attention.forward(x, to, to, { ...masks, needWeights: false })[0];
}

/** A stack of decoder layers: clones of one layer, as in PyTorch, or each built by a function. */
export class TransformerDecoder extends Module {
  layers: ModuleList<TransformerDecoderLayer>;
  norm: LayerNorm | null;

  constructor(
    layer: TransformerDecoderLayer | ((index: number) => TransformerDecoderLayer),
    readonly numLayers: number,
    norm: LayerNorm | null = null,
  ) {
    super();
    this.layers = layersOf(layer, numLayers);
    this.norm = checkedNorm('TransformerDecoder', norm);
  }

  /** As {@link TransformerDecoderLayer.forward}. */
  forward(tgt: Tensor, memory: Tensor, options?: DecodeOptions): Tensor {
    expectTensors(this.typeName, tgt, memory);
    const o = signature.decode.read('TransformerDecoder.forward', [], options);
    let x = tgt;
    for (const layer of this.layers) x = layer.forward(x, memory, o);
    return this.norm ? this.norm.forward(x) : x;
  }
}

export interface TransformerOptions extends TransformerDecoderLayerOptions {
  /** Width of all embeddings. Default 512. */
  readonly dModel?: number;
  /** Heads of each attention. Default 8. */
  readonly nhead?: number;
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
}

export interface TranslateOptions extends DecodeOptions {
  /** [S, S] or [B · heads, S, S], for the source's own positions, as `tgtMask`. */
  readonly srcMask?: Tensor | null;
  /** [B, S], boolean: true marks positions of the source to ignore. */
  readonly srcKeyPaddingMask?: Tensor | null;
}

/** Encoder and decoder of "Attention is all you need", without embeddings and output layer. Keys: `encoder`, `decoder`. */
export class Transformer extends Module {
  encoder: TransformerEncoder;
  decoder: TransformerDecoder;
  readonly dModel: number;
  readonly nhead: number;
  readonly batchFirst: boolean;

  constructor(options?: TransformerOptions) {
    super();
    const values = signature.transformer.read('Transformer', [], options);
    const { dModel, nhead, numEncoderLayers, numDecoderLayers, ...layer } = values;
    const { layerNormEps: eps, device, dtype } = layer;
    const norm = () => new LayerNorm(dModel, { eps, device, dtype });
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = layer.batchFirst;
    const encode = () => new TransformerEncoderLayer(dModel, nhead, layer);
    const decode = () => new TransformerDecoderLayer(dModel, nhead, layer);
    this.encoder = new TransformerEncoder(encode, numEncoderLayers, norm());
    this.decoder = new TransformerDecoder(decode, numDecoderLayers, norm());
    drawByGlorot(this, { device, dtype });
  }

  /** Source [S, B, E] and target [T, B, E] (or batch first) to the target's shape. */
  forward(src: Tensor, tgt: Tensor, options?: TranslateOptions): Tensor {
    expectTensors(this.typeName, src, tgt);
    const o = signature.translate.read('Transformer.forward', [], options);
    const { srcMask, srcKeyPaddingMask, ...decoding } = o;
    const batch = this.batchFirst ? 0 : 1;
    if (src.ndim === 3 && src.shape[batch] !== tgt.shape[batch]) {
      throw new ConfigError(`Expected source and target of one batch size, got [${src.shape}] and [${tgt.shape}]`);
    }
    const memory = this.encoder.forward(src, { srcMask, srcKeyPaddingMask });
    return this.decoder.forward(tgt, memory, decoding);
  }

  /** [size, size]: 0 where a position may look, at itself and before, and -Infinity after. */
  static generateSquareSubsequentMask(size: number, options?: FactoryOptions): Tensor {
    const { device, dtype } = signature.causalMask.read('Transformer.generateSquareSubsequentMask', [size], options);
    return ops.full([size, size], -Infinity, { dtype, device }).triu(1);
  }
}

/** A linear map whose weight is drawn by Glorot's uniform distribution, as all matrices of PyTorch's Transformer are. */
class GlorotLinear extends Linear {
  override resetParameters(generator: Generator): void {
    super.resetParameters(generator);
    xavierUniform_(this.weight, { generator });
  }

  override get typeName(): string {
    return 'Linear';
  }
}

class GlorotProjection extends NonDynamicallyQuantizableLinear {
  override resetParameters(generator: Generator): void {
    super.resetParameters(generator);
    xavierUniform_(this.weight, { generator });
  }

  override get typeName(): string {
    return 'NonDynamicallyQuantizableLinear';
  }
}

/** Puts maps drawn by Glorot's distribution in the place of all linear ones. */
function drawByGlorot(root: Module, made: Required<FactoryOptions>): void {
  for (const module of [...root.modules()]) {
    for (const [name, child] of [...module.namedChildren()]) {
      if (!(child instanceof Linear)) continue;
      const Kind = child instanceof NonDynamicallyQuantizableLinear ? GlorotProjection : GlorotLinear;
      slots(module)[name] = new Kind(child.inFeatures, child.outFeatures, made);
    }
  }
}
