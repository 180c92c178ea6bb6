/** StyleGAN2's networks (Karras et al. 2020): styles to a picture by skips, and a residual discriminator. */
import {
  EqualizedConv2d,
  EqualizedLinear,
  functional as F,
  type FactoryOptions,
  init,
  MinibatchStdDev,
  ModulatedConv2d,
  Module,
  ModuleList,
  Parameter,
} from '../../nn/index.js';
import { exactly } from '../../torch/autocast.js';
import { ConfigError, empty, type Generator, ops, randn, type Tensor, tensor, zeros } from '../../torch/index.js';

const slope = 0.2;
/** Keeps the size that a leaky rectifier takes. */
const gain = Math.SQRT2;

const bend = (x: Tensor): Tensor => F.leakyRelu(x, slope);
/** A leaky rectifier that keeps the size of what passes. */
export const bent = (x: Tensor): Tensor => bend(x).mul(gain);

export interface StyleShape {
  /** Pixels of the picture's sides: a power of two from 8 on. */
  readonly size: number;
  /** Numbers of a style. */
  readonly style: number;
  /** Channels of the smallest maps, and what their number times the map's side is at most. */
  readonly channels: number;
  readonly budget: number;
}

/** Sides of the maps, from 4 on. */
export function resolutions({ size }: Pick<StyleShape, 'size'>): number[] {
  const count = Math.log2(size) - 1;
  if (!Number.isInteger(count) || count < 2)
    throw new ConfigError(`Expected a picture's size to be a power of two from 8 on, got ${size}`);
  return Array.from({ length: count }, (_, i) => 4 << i);
}

const channelsAt = ({ channels, budget }: StyleShape, resolution: number): number =>
  Math.max(1, Math.min(channels, Math.floor(budget / resolution)));

/** Channels of the maps of each size, the smallest first. */
export const widthsOf = (shape: StyleShape): number[] => resolutions(shape).map((side) => channelsAt(shape, side));

export interface MappingShape {
  readonly layers: number;
  /** How much faster than others it learns: 0.01 in StyleGAN2, whose input is noise. */
  readonly rate: number;
}

/** Codes to styles: [B, inFeatures] to [B, style]. Keys: `layers.N`. */
export class MappingNetwork extends Module {
  layers: ModuleList<EqualizedLinear>;

  constructor(inFeatures: number, style: number, { layers: depth, rate }: MappingShape, made: FactoryOptions = {}) {
    super();
    const layer = (i: number): EqualizedLinear =>
      new EqualizedLinear(i === 0 ? inFeatures : style, style, { lrMultiplier: rate, ...made });
    this.layers = new ModuleList(Array.from({ length: depth }, (_, i) => layer(i)));
  }

  forward(codes: Tensor): Tensor {
    let x = codes;
    for (const layer of this.layers) x = bent(layer.forward(x));
    return x;
  }
}

/** A modulated convolution, noise, bias, and a bend. Keys: `conv`, `strength`, `bias`, `noise`. */
export class StyleLayer extends Module {
  conv: ModulatedConv2d;
  strength: Parameter;
  bias: Parameter;
  /** Buffer: noise that is the same in every picture, in evaluation and where there is no generator. */
  noise!: Tensor;
  generator: Generator | null = null;

  constructor(
    inChannels: number,
    outChannels: number,
    style: number,
    readonly resolution: number,
    up: boolean,
    made: FactoryOptions = {},
  ) {
    super();
    this.conv = new ModulatedConv2d(inChannels, outChannels, 3, style, { up, ...made });
    this.strength = new Parameter(zeros([1], made));
    this.bias = new Parameter(zeros([outChannels], made));
    this.registerBuffer('noise', empty([1, 1, resolution, resolution], made));
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    init.constant_(this.strength, 0);
    init.constant_(this.bias, 0);
    init.normal_(this.noise, 0, 1, { generator: g });
  }

  /** @param x - [B, in, H, W] @param style - [B, style] */
  forward(x: Tensor, style: Tensor): Tensor {
    const { map, size } = this.conv.convolve(x, style);
    const { resolution, generator } = this;
    const drawn = this.training && generator !== null;
    const shape = [x.shape[0]!, 1, resolution, resolution];
    const noise = drawn ? randn(shape, { generator, dtype: x.dtype, device: x.device }) : this.noise;
    // The bend's gain is taken into its argument: one pass over the map less.
    const added = noise
      .mul(this.strength)
      .add(this.bias.reshape([1, -1, 1, 1]))
      .mul(gain);
    return bend(ops.addcmul(added, map, size!.mul(gain)));
  }
}

/** A map to a picture. Keys: `conv`, `bias`. */
class ToColours extends Module {
  conv: ModulatedConv2d;
  bias: Parameter;

  constructor(channels: number, outputs: number, style: number, made: FactoryOptions) {
    super();
    this.conv = new ModulatedConv2d(channels, outputs, 1, style, { demodulate: false, ...made });
    this.bias = new Parameter(zeros([outputs], made));
    this.initSelf(made);
  }

  override resetParameters(): void {
    init.constant_(this.bias, 0);
  }

  forward(x: Tensor, style: Tensor): Tensor {
    // Of 16 bits colours would have steps of half a byte.
    return exactly(x.device, () => {
      const colours = this.conv.forward(x, style.to({ dtype: x.dtype }));
      return colours.add(this.bias.reshape([1, -1, 1, 1]));
    });
  }
}

/**
 * Styles to a picture: a learnt map of 4 x 4, doubled until it is large enough; what each size gives in colours is added up.
 * Keys: `start`, `layers.N`, `colours.N`.
 */
export class SynthesisNetwork extends Module {
  start: Parameter;
  layers: ModuleList<StyleLayer>;
  colours: ModuleList<ToColours>;
  /** Buffer, not of the state: the filter of the skips. */
  fir!: Tensor;
  /** Styles that a picture takes: one of each layer, and of the last colours. */
  readonly slots: number;

  /** @param outputs - maps of the picture: 3 colours, or more */
  constructor(shape: StyleShape, made: FactoryOptions = {}, outputs = 3) {
    super();
    const sides = resolutions(shape);
    const widths = widthsOf(shape);
    this.start = new Parameter(empty([1, widths[0]!, 4, 4], made));
    const layers = sides.flatMap((side, i) => {
      const [before, width] = [widths[Math.max(0, i - 1)]!, widths[i]!];
      const keep = new StyleLayer(width, width, shape.style, side, false, made);
      return i === 0 ? [keep] : [new StyleLayer(before, width, shape.style, side, true, made), keep];
    });
    this.layers = new ModuleList(layers);
    this.colours = new ModuleList(widths.map((width) => new ToColours(width, outputs, shape.style, made)));
    this.registerBuffer('fir', tensor([1, 3, 3, 1], made), false);
    this.slots = layers.length + 1;
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    init.normal_(this.start, 0, 1, { generator: g });
  }

  /**
   * @param styles - [B, style], or one of each slot [B, slots, style]
   * @param seen - what is added to the first map of each size, the smallest first; none for nothing
   * @returns [B, outputs, size, size]
   */
  forward(styles: Tensor, ...seen: readonly Tensor[]): Tensor {
    const batch = styles.shape[0]!;
    const style = (slot: number): Tensor => (styles.ndim === 2 ? styles : styles.select(1, slot));
    let map = this.start.expand([batch, -1, -1, -1]) as Tensor;
    let picture: Tensor | null = null;
    let slot = 0;
    for (const [i, colours] of [...this.colours].entries()) {
      for (let k = 0; k < (i === 0 ? 1 : 2); k++) {
        map = this.layers.at(slot).forward(map, style(slot++));
        if (k === 0 && seen[i]) map = map.add(seen[i]!);
      }
      // Colours take the next layer's style, as in StyleGAN2.
      const told = colours.forward(map, style(slot));
      picture = picture === null ? told : F.upsampleFir(picture, this.fir).add(told);
    }
    return picture!;
  }
}

/** Two convolutions that halve the map, and the short way. Keys: `conv1`, `conv2`, `skip`. */
class DownBlock extends Module {
  conv1: EqualizedConv2d;
  conv2: EqualizedConv2d;
  skip: EqualizedConv2d;

  constructor(inChannels: number, outChannels: number, made: FactoryOptions) {
    super();
    this.conv1 = new EqualizedConv2d(inChannels, inChannels, 3, made);
    this.conv2 = new EqualizedConv2d(inChannels, outChannels, 3, { resample: 'down', ...made });
    this.skip = new EqualizedConv2d(inChannels, outChannels, 1, { resample: 'down', bias: false, ...made });
  }

  forward(x: Tensor): Tensor {
    const y = bent(this.conv2.forward(bent(this.conv1.forward(x))));
    return y.add(this.skip.forward(x)).mul(Math.SQRT1_2);
  }
}

/** Pictures to scores, [B, channels, size, size] to [B, 1]. Keys: `begin`, `blocks.N`, `conv`, `fc`, `score`. */
export class StyleDiscriminator extends Module {
  begin: EqualizedConv2d;
  blocks: ModuleList<DownBlock>;
  variety = new MinibatchStdDev();
  conv: EqualizedConv2d;
  fc: EqualizedLinear;
  score: EqualizedLinear;

  constructor(shape: Omit<StyleShape, 'style'>, channels = 3, made: FactoryOptions = {}) {
    super();
    const widths = resolutions(shape).map((side) => channelsAt({ ...shape, style: 1 }, side));
    const [last] = widths as [number];
    this.begin = new EqualizedConv2d(channels, widths.at(-1)!, 1, made);
    const downwards = widths.slice(1).map((width, i) => new DownBlock(width, widths[i]!, made));
    this.blocks = new ModuleList(downwards.reverse());
    this.conv = new EqualizedConv2d(last + 1, last, 3, made);
    this.fc = new EqualizedLinear(last * 16, last, made);
    this.score = new EqualizedLinear(last, 1, made);
  }

  forward(x: Tensor): Tensor {
    let map = bent(this.begin.forward(x));
    for (const block of this.blocks) map = block.forward(map);
    map = bent(this.conv.forward(this.variety.forward(map)));
    return this.score.forward(bent(this.fc.forward(map.flatten(1))));
  }
}
