/** SPEAK's generator of talking heads (section 3.3): what is said and felt, and who says it where, to pictures. */
import {
  EqualizedConv2d,
  EqualizedLinear,
  functional as F,
  type FactoryOptions,
  init,
  Module,
  ModuleDict,
  ModuleList,
} from '../../nn/index.js';
import { ops, ShapeError, type Tensor } from '../../torch/index.js';
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
import { Whitening } from './whitening.js';

/**
 * `picture`: made of the codes alone, as published. `portrait`: the portrait's own pixels, moved, where a mask says so, and made
 * ones elsewhere: who it is need not pass through a vector.
 */
export type TalkingForm = 'picture' | 'portrait';

export interface TalkingShape extends Omit<StyleShape, 'style'> {
  readonly form: TalkingForm;
  /**
   * Of the form `portrait`: whether it is seen, too, so that the network knows where things are in it, and how it looks and what it
   * feels, from which all is moved.
   */
  readonly sees: boolean;
  /** Numbers of what is heard at a frame, and of the codes of IRFD. */
  readonly sound: number;
  readonly codes: { readonly identity: number; readonly emotion: number; readonly pose: number };
  /** Numbers of a level of the editing module, and of the face's code. */
  readonly width: number;
  readonly face: number;
  readonly mapping: MappingShape;
}

/** What a frame is made of, beside a portrait. */
type Source = 'sound' | 'identity' | 'emotion' | 'pose';
/** What is made otherwise than it is in a portrait. */
type Changing = 'emotion' | 'pose';

/** A row of each for a frame. */
export interface TalkingCodes extends Readonly<Record<Source, Tensor>> {
  /** Codes of the portrait itself, where it is seen. */
  readonly portrait?: Readonly<Record<Changing, Tensor>> | undefined;
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
/**
 * The way, in halves of the picture, that an output of 1 stands for. Faces move by hundredths of a picture: a step of an optimizer
 * that changed ways by as much would never come to rest.
 */
const stride = 0.1;
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

/** Cells of the net by which a head is moved as a whole, to either side. */
const net = 8;

/** Keys: `whitenings.SOURCE`, `mapping`, `editing`, `synthesis`; of the form `portrait` `turn`, and `portrait`, where it is seen. */
export class TalkingGenerator extends Module {
  whitenings: ModuleDict<Whitening>;
  mapping: MappingNetwork;
  editing: EditingModule;
  synthesis: SynthesisNetwork;
  portrait: PortraitMaps | null;
  /**
   * Where a portrait is seen: the change of its pose to a coarse net of ways. So how a head turns is learnt at once, from few clips in
   * a step, in which all else that is told of a person would be in the way; maps are left to tell what is finer.
   */
  turn: EqualizedLinear | null;

  constructor(
    readonly shape: TalkingShape,
    made: FactoryOptions = {},
  ) {
    super();
    const { codes, sound, width, face, form } = shape;
    const levels = resolutions(shape).length;
    const sees = form === 'portrait' && shape.sees;
    const told = sees ? 2 : 1; // and what of it is another than in the portrait
    const changes = sees ? { emotionChange: codes.emotion, poseChange: codes.pose } : {};
    const whitenings = Object.entries({ ...codes, ...changes }).map(([of, size]) => [of, new Whitening(size, made)]);
    this.whitenings = new ModuleDict(Object.fromEntries(whitenings) as Record<string, Whitening>);
    this.mapping = new MappingNetwork(codes.identity + told * codes.pose, face, shape.mapping, made);
    this.editing = new EditingModule({ sound, emotion: told * codes.emotion, face, width, levels }, made);
    // A linear map of both, side by side, is the sum of a map of each: the face's code is added at each convolution.
    const style = { ...shape, style: width + face };
    this.synthesis = new SynthesisNetwork(style, made, outputs[form]);
    this.portrait = sees ? new PortraitMaps(style, made) : null;
    this.turn = sees ? new EqualizedLinear(codes.pose, 2 * net ** 2, made) : null;
    this.initSelf(made);
  }

  /** Of the form `portrait` the ways and the belief are 0 at first, so that the portrait is whole before anything is learnt. */
  override resetParameters(): void {
    const more = outputs[this.shape.form] - 3;
    if (this.turn) init.constant_(this.turn.weight, 0);
    if (more > 0) for (const { conv } of this.synthesis.colours) init.constant_(conv.weight.narrow(0, 3, more), 0);
  }

  /** Before anything is learnt: codes such as will come, [N, ...] each. What is the same in all of them is taken off. */
  fit({ portrait, ...codes }: TalkingCodes): void {
    const changes = portrait && {
      emotionChange: codes.emotion.sub(portrait.emotion),
      poseChange: codes.pose.sub(portrait.pose),
    };
    const all: Readonly<Record<string, Tensor>> = { ...codes, ...changes };
    for (const [of, whitening] of this.whitenings) whitening.fit(all[of]!);
  }

  /**
   * @param portraits - [B / each, 3, size, size], from -1 to 1; of the form `portrait` alone
   * @param each - how many frames in turn are of one portrait
   * @returns [B, 3, size, size]
   * @throws ShapeError where a portrait is seen and its codes are not given
   */
  forward(codes: TalkingCodes, portraits: Tensor | null = null, each = 1): Tensor {
    return this.make(codes, portraits, each).pictures;
  }

  /** The same, and what it was made by. */
  make(codes: TalkingCodes, portraits: Tensor | null = null, each = 1): MadeFrames {
    const own = this.portrait === null ? undefined : codes.portrait;
    if (this.portrait && !own)
      throw new ShapeError(
        'Expected the codes of the portrait that is seen (portrait: { emotion, pose }), got none in TalkingGenerator',
      );
    const white = (of: string, code: Tensor): Tensor => this.whitenings.get(of).forward(code);
    const change = (of: Changing): Tensor[] => (own ? [white(`${of}Change`, codes[of].sub(own[of]))] : []);
    const turned = change('pose');
    const face = this.mapping.forward(
      ops.cat([white('identity', codes.identity), white('pose', codes.pose), ...turned], 1),
    );
    const felt = ops.cat([white('emotion', codes.emotion), ...change('emotion')], 1);
    const told = this.editing.forward(codes.sound, felt, face);
    const levels = told.shape[1]!;
    const slots = Array.from({ length: this.synthesis.slots }, (_, slot) =>
      ops.cat([told.select(1, Math.min(Math.ceil(slot / 2), levels - 1)), face], 1),
    );
    const seen = portraits && this.portrait ? this.portrait.forward(portraits) : [];
    const made = this.synthesis.forward(ops.stack(slots, 1), ...seen.map((map) => repeated(map, each)));
    const portrait = portraits && repeated(portraits, each);
    if (portrait === null) return { pictures: made.narrow(1, 0, 3), places: null };
    const [colours, fine, logit] = made.split([3, 2, 1], 1) as [Tensor, Tensor, Tensor];
    const way = fine.mul(stride);
    return moved(portrait, ops.cat([colours, this.turn ? way.add(this.#turn(turned[0]!)) : way, logit], 1));
  }

  /** The ways of a head that turns as a whole. */
  #turn(change: Tensor): Tensor {
    const { size } = this.shape;
    const coarse = this.turn!.forward(change).reshape([-1, 2, net, net]);
    return F.interpolate(coarse, { size: [size, size], mode: 'bicubic' });
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
