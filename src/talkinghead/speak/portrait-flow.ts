/** Whence a portrait's pixels come when its head turns and its face speaks: two small networks with short ways to learn by. */
import {
  EqualizedConv2d,
  EqualizedLinear,
  functional as F,
  type FactoryOptions,
  init,
  Module,
  ModuleList,
} from '../../nn/index.js';
import { exactly } from '../../torch/autocast.js';
import { ops, type Tensor } from '../../torch/index.js';
import { bent, type StyleShape, widthsOf } from './stylegan.js';

/** Where pixels lie, across and down, from (-1, -1) at the upper left to (1, 1): [B, size, size, 2]. */
export function placesAt(batch: number, size: number, like: Tensor): Tensor {
  const still = ops.eye(2, 3, { dtype: like.dtype, device: like.device }).expand([batch, 2, 3]);
  return F.affineGrid(still, [batch, 3, size, size]);
}

/** A portrait's maps of all sizes of the generator's. Keys: `begin`, `layers.N`. */
export class PortraitMaps extends Module {
  begin: EqualizedConv2d;
  layers: ModuleList<EqualizedConv2d>;

  constructor(shape: StyleShape, made: FactoryOptions = {}) {
    super();
    const widths = widthsOf(shape).reverse();
    this.begin = new EqualizedConv2d(3, widths[0]!, 3, made);
    this.layers = new ModuleList(widths.slice(1).map((width, i) => new EqualizedConv2d(widths[i]!, width, 3, made)));
  }

  /** @param portrait - [B, 3, size, size] @returns the smallest first */
  forward(portrait: Tensor): Tensor[] {
    const maps = [bent(this.begin.forward(portrait))];
    for (const layer of this.layers) maps.push(bent(layer.forward(F.avgPool2d(maps.at(-1)!, 2))));
    return maps.reverse();
  }
}

/** Cells to either side of the net by which a head is turned as a whole. */
const cells = 8;
/** Ways of moving that a face is looked at for: as many as a jaw, lips, lids and brows have between them. */
const kinds = 24;
/**
 * The way, in halves of the picture, that a number of 1 stands for in a net of a kind. Lips move by a hundredth of a picture: a step of
 * an optimizer that changed ways by as much would never come to rest.
 */
const lipStride = 0.03;
/** Of the portrait's maps so many of the finest are not looked at: nets of a quarter of the picture's size are fine enough. */
const skipped = 2;

/**
 * From the change of pose a coarse net of ways, by one linear layer: so how a head turns is learnt at once, from few clips in a step, in
 * which all else that is told of a person would be in the way. And from the portrait's maps how its face can move (`kinds` nets, the same
 * for all its frames), of each as much as is told of what is heard and felt, by one linear layer: where a mouth lies is the portrait's
 * affair, how far it opens the sound's. All are still at first. Keys: `turn`, `amounts`, `layers.N`, `ways`.
 */
export class PortraitFlow extends Module {
  turn: EqualizedLinear;
  amounts: EqualizedLinear;
  layers: ModuleList<EqualizedConv2d>;
  ways: EqualizedConv2d;

  /** @param pose - numbers of a change of pose @param spoken - numbers of what is heard and felt */
  constructor(
    readonly shape: StyleShape,
    pose: number,
    spoken: number,
    made: FactoryOptions = {},
  ) {
    super();
    const all = widthsOf(shape);
    const widths = all.slice(0, Math.max(1, all.length - skipped));
    this.turn = new EqualizedLinear(pose, 2 * cells ** 2, made);
    this.amounts = new EqualizedLinear(spoken, kinds, made);
    const layer = (width: number, i: number): EqualizedConv2d =>
      new EqualizedConv2d(width + (i === 0 ? 0 : widths[i - 1]!), width, 3, made);
    this.layers = new ModuleList(widths.map(layer));
    this.ways = new EqualizedConv2d(widths.at(-1)!, 2 * kinds, 3, made);
    this.initSelf(made);
  }

  override resetParameters(): void {
    init.zeros_(this.turn.weight);
    init.zeros_(this.ways.weight);
  }

  /**
   * @param turned - [B, pose]
   * @param spoken - [B, spoken]
   * @param maps - the portraits' (see {@link PortraitMaps}), [B / each, ...]
   * @returns how far to the right and down each pixel is fetched from, in halves of the picture: [B, 2, size, size]
   */
  forward(turned: Tensor, spoken: Tensor, maps: readonly Tensor[], each: number): Tensor {
    // Of 16 bits places would have steps of a pixel.
    return exactly(turned.device, () => {
      const [change, told, ...seen] = [turned, spoken, ...maps].map((x) => x.to({ dtype: this.turn.weight.dtype }));
      const ways = this.#turning(change!);
      // A pixel of the turned head is one of the portrait: what that does is told where it is there.
      const there = placesAt(change!.shape[0]!, this.shape.size, change!).add(ways.permute([0, 2, 3, 1]));
      return ways.add(F.gridSample(this.#speaking(told!, seen, each), there, { paddingMode: 'border' }));
    });
  }

  #turning(turned: Tensor): Tensor {
    const { size } = this.shape;
    const coarse = this.turn.forward(turned).reshape([-1, 2, cells, cells]);
    return F.interpolate(coarse, { size: [size, size], mode: 'bicubic' });
  }

  /** Ways in the portrait as it is, of a smaller size. */
  #speaking(spoken: Tensor, maps: readonly Tensor[], each: number): Tensor {
    let map: Tensor | null = null;
    for (const [i, layer] of [...this.layers].entries()) {
      const seen = maps[i]!;
      const coarser: Tensor | null = map && F.interpolate(map, { scaleFactor: 2, mode: 'bilinear' });
      map = bent(layer.forward(coarser ? ops.cat([coarser, seen], 1) : seen));
    }
    const ways = this.ways.forward(map!).mul(lipStride);
    const side = ways.shape[2]!;
    const amounts = this.amounts.forward(spoken).reshape([-1, each, kinds]);
    return amounts.bmm(ways.reshape([-1, kinds, 2 * side ** 2])).reshape([-1, 2, side, side]);
  }
}
