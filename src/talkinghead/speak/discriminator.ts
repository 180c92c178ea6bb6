/** SPEAK's discriminator (section 3.4): whether a picture is a true frame of the person of another picture, patch by patch, at several scales. */
import { EqualizedConv2d, functional as F, type FactoryOptions, Module, ModuleList } from '../../nn/index.js';
import { ops, ShapeError, type Tensor } from '../../torch/index.js';
import { bent } from './stylegan.js';

export interface PatchShape {
  /** Pictures are judged at so many sizes, each half of the one before. */
  readonly scales: number;
  /** Times that the map is halved: each patch sees the more, the more there are. */
  readonly layers: number;
  /** Channels of the first layer, which double with each up to eight times as many. */
  readonly width: number;
}

/** Scores of patches. Keys: `begin`, `layers.N`, `score`. */
class PatchScores extends Module {
  begin: EqualizedConv2d;
  layers: ModuleList<EqualizedConv2d>;
  score: EqualizedConv2d;

  constructor(channels: number, { layers, width }: PatchShape, made: FactoryOptions) {
    super();
    const widths = Array.from({ length: layers + 1 }, (_, i) => Math.min(width << i, 8 * width));
    this.begin = new EqualizedConv2d(channels, widths[0]!, 3, made);
    this.layers = new ModuleList(
      widths.slice(1).map((next, i) => new EqualizedConv2d(widths[i]!, next, 3, { resample: 'down', ...made })),
    );
    this.score = new EqualizedConv2d(widths.at(-1)!, 1, 3, made);
  }

  forward(x: Tensor): Tensor {
    let map = bent(this.begin.forward(x));
    for (const layer of this.layers) map = bent(layer.forward(map));
    return this.score.forward(map);
  }
}

/** Keys: `scales.N`, the largest first. */
export class PatchDiscriminator extends Module {
  scales: ModuleList<PatchScores>;

  /** @param conditional - whether it sees a picture of the person beside the one that it judges */
  constructor(
    shape: PatchShape,
    readonly conditional: boolean,
    made: FactoryOptions = {},
  ) {
    super();
    const channels = conditional ? 6 : 3;
    this.scales = new ModuleList(Array.from({ length: shape.scales }, () => new PatchScores(channels, shape, made)));
  }

  /**
   * @param pictures - [B, 3, H, W] @param person - likewise; null where it is not conditional
   * @returns of each scale [B, 1, h, w]: above 0 what looks true
   */
  forward(pictures: Tensor, person: Tensor | null = null): Tensor[] {
    if ((person !== null) !== this.conditional)
      throw new ShapeError(
        `Expected ${this.conditional ? 'pictures of the persons beside those to be judged' : 'pictures alone'} in PatchDiscriminator`,
      );
    let x = person === null ? pictures : ops.cat([person, pictures], 1);
    return [...this.scales].map((scale, i) => {
      if (i > 0) x = F.avgPool2d(x, 2);
      return scale.forward(x);
    });
  }
}
