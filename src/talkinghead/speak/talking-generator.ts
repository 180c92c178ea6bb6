/** SPEAK's generator of talking heads (section 3.3): what is said and felt, and who says it where, to pictures. */
import {
  EqualizedConv2d,
  functional as F,
  type FactoryOptions,
  init,
  Module,
  ModuleList,
  Parameter,
} from '../../nn/index.js';
import { ops, type Tensor, zeros } from '../../torch/index.js';
import { EditingModule } from './editing.js';
import {
  bent,
  MappingNetwork,
  type MappingShape,
  resolutions,
  type StyleShape,
  SynthesisNetwork,
  widthsOf,
} from './stylegan.js';

/**
 * `picture`: made of the codes alone, as published. `portrait`: the portrait's own pixels, moved, where a mask says so, and made
 * ones elsewhere: who it is need not pass through a vector.
 */
export type TalkingForm = 'picture' | 'portrait';

export interface TalkingShape extends Omit<StyleShape, 'style'> {
  readonly form: TalkingForm;
  /** Of the form `portrait`: whether it is seen, too, so that the network knows where things are in it. */
  readonly sees: boolean;
  /** Numbers of what is heard at a frame, and of the codes of IRFD. */
  readonly sound: number;
  readonly codes: { readonly identity: number; readonly emotion: number; readonly pose: number };
  /** Numbers of a level of the editing module, and of the face's code. */
  readonly width: number;
  readonly face: number;
  readonly mapping: MappingShape;
}

/** What a frame is made of, a row each. */
export interface TalkingCodes {
  readonly sound: Tensor;
  readonly identity: Tensor;
  readonly emotion: Tensor;
  readonly pose: Tensor;
}

/** Frames of a generator. */
export interface MadeFrames {
  /** [B, 3, size, size] */
  readonly pictures: Tensor;
  /**
   * [B, size, size, 2]: where in the portrait each pixel is fetched from, across and down, from (-1, -1) at the upper left to (1, 1);
   * of the form `portrait` alone.
   */
  readonly places: Tensor | null;
}

/** Colours; with a portrait also whence each pixel comes, across and down, and how far it is believed. */
const outputs: Readonly<Record<TalkingForm, number>> = { picture: 3, portrait: 6 };
/** The mask before anything is learnt: nearly all of the portrait. */
const believed = 2;

/** Rows repeated, each so many times in turn. */
export const repeated = (rows: Tensor, count: number): Tensor => (count === 1 ? rows : rows.repeatInterleave(count, 0));

/** A portrait's maps of all sizes of the generator's. Keys: `begin`, `layers.N`. */
class PortraitMaps extends Module {
  begin: EqualizedConv2d;
  layers: ModuleList<EqualizedConv2d>;

  constructor(shape: StyleShape, made: FactoryOptions) {
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

/** Keys: `mapping`, `editing`, `synthesis`, and of the form `portrait` `reach` and, where it is seen, `portrait`. */
export class TalkingGenerator extends Module {
  mapping: MappingNetwork;
  editing: EditingModule;
  synthesis: SynthesisNetwork;
  /** How far the two ways and the belief go: 0 at first, so that the portrait is whole before anything is learnt. */
  reach: Parameter | null;
  portrait: PortraitMaps | null;

  constructor(
    readonly shape: TalkingShape,
    made: FactoryOptions = {},
  ) {
    super();
    const { codes, sound, width, face, form, sees } = shape;
    const levels = resolutions(shape).length;
    this.mapping = new MappingNetwork(codes.identity + codes.pose, face, shape.mapping, made);
    this.editing = new EditingModule({ sound, emotion: codes.emotion, face, width, levels }, made);
    // A linear map of both, side by side, is the sum of a map of each: the face's code is added at each convolution.
    const style = { ...shape, style: width + face };
    this.synthesis = new SynthesisNetwork(style, made, outputs[form]);
    this.portrait = form === 'portrait' && sees ? new PortraitMaps(style, made) : null;
    this.reach = form === 'portrait' ? new Parameter(zeros([3, 1, 1], made)) : null;
    this.initSelf(made);
  }

  override resetParameters(): void {
    if (this.reach) init.constant_(this.reach, 0);
  }

  /**
   * @param portraits - [B / each, 3, size, size], from -1 to 1; of the form `portrait` alone
   * @param each - how many frames in turn are of one portrait
   * @returns [B, 3, size, size]
   */
  forward(codes: TalkingCodes, portraits: Tensor | null = null, each = 1): Tensor {
    return this.make(codes, portraits, each).pictures;
  }

  /** The same, and what it was made by. */
  make(codes: TalkingCodes, portraits: Tensor | null = null, each = 1): MadeFrames {
    const face = this.mapping.forward(ops.cat([codes.identity, codes.pose], 1));
    const told = this.editing.forward(codes.sound, codes.emotion, face);
    const levels = told.shape[1]!;
    const slots = Array.from({ length: this.synthesis.slots }, (_, slot) =>
      ops.cat([told.select(1, Math.min(Math.ceil(slot / 2), levels - 1)), face], 1),
    );
    const seen = portraits && this.portrait ? this.portrait.forward(portraits) : [];
    const made = this.synthesis.forward(ops.stack(slots, 1), ...seen.map((map) => repeated(map, each)));
    const portrait = portraits && repeated(portraits, each);
    if (portrait === null || this.reach === null) return { pictures: made.narrow(1, 0, 3), places: null };
    return moved(portrait, ops.cat([made.narrow(1, 0, 3), made.narrow(1, 3, 3).mul(this.reach)], 1));
  }
}

/**
 * A portrait's pixels from elsewhere in it, and made ones where those are not believed.
 * @param portrait - [B, 3, H, W]
 * @param made - [B, 6, H, W]: made colours, how far to the right and down each pixel is fetched from in halves of the picture,
 * and a logit of how far it is believed
 */
export function moved(portrait: Tensor, made: Tensor): MadeFrames {
  const [batch, , height, width] = portrait.shape as [number, number, number, number];
  const [colours, way, logit] = made.split([3, 2, 1], 1) as [Tensor, Tensor, Tensor];
  const still = ops.eye(2, 3, { dtype: portrait.dtype, device: portrait.device }).expand([batch, 2, 3]);
  const places = F.affineGrid(still, [batch, 3, height, width]).add(way.permute([0, 2, 3, 1]));
  const fetched = F.gridSample(portrait, places, { paddingMode: 'border' });
  return { pictures: colours.lerp(fetched, logit.add(believed).sigmoid()), places };
}
