/** SPEAK's generator of talking heads (section 3.3): what is said and felt, and who says it where, to pictures. */
import { functional as F, type FactoryOptions, init, Module, ModuleDict } from '../../nn/index.js';
import { ops, ShapeError, type Tensor } from '../../torch/index.js';
import { EditingModule } from './editing.js';
import { PortraitFlow, PortraitMaps, placesAt } from './portrait-flow.js';
import { MappingNetwork, type MappingShape, resolutions, type StyleShape, SynthesisNetwork } from './stylegan.js';
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
/** Of what is heard, all that varies less than this share of the mean is not made louder by as much: it is mostly noise. */
const faint = 1e-2;
/** The mask before anything is learnt: nearly all of the portrait. */
const believed = 2;

/** Rows repeated, each so many times in turn. */
export const repeated = (rows: Tensor, count: number): Tensor => (count === 1 ? rows : rows.repeatInterleave(count, 0));

/** Keys: `whitenings.SOURCE`, `mapping`, `editing`, `synthesis`; where a portrait is seen `portrait` and `flow`. */
export class TalkingGenerator extends Module {
  whitenings: ModuleDict<Whitening>;
  mapping: MappingNetwork;
  editing: EditingModule;
  synthesis: SynthesisNetwork;
  portrait: PortraitMaps | null;
  flow: PortraitFlow | null;

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
    if (sees) whitenings.push(['sound', new Whitening(sound, { least: faint, ...made })]);
    this.whitenings = new ModuleDict(Object.fromEntries(whitenings) as Record<string, Whitening>);
    this.mapping = new MappingNetwork(codes.identity + told * codes.pose, face, shape.mapping, made);
    this.editing = new EditingModule({ sound, emotion: told * codes.emotion, face, width, levels }, made);
    // A linear map of both, side by side, is the sum of a map of each: the face's code is added at each convolution.
    const style = { ...shape, style: width + face };
    this.synthesis = new SynthesisNetwork(style, made, outputs[form]);
    this.portrait = sees ? new PortraitMaps(style, made) : null;
    this.flow = sees ? new PortraitFlow(style, codes.pose, sound + 2 * codes.emotion, made) : null;
    this.initSelf(made);
  }

  /** Of the form `portrait` the ways and the belief are 0 at first, so that the portrait is whole before anything is learnt. */
  override resetParameters(): void {
    const more = outputs[this.shape.form] - 3;
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
    const [turned, moodier] = [change('pose'), change('emotion')];
    const face = this.mapping.forward(
      ops.cat([white('identity', codes.identity), white('pose', codes.pose), ...turned], 1),
    );
    const felt = ops.cat([white('emotion', codes.emotion), ...moodier], 1);
    const told = this.editing.forward(codes.sound, felt, face);
    const seen = portraits && this.portrait ? this.portrait.forward(portraits) : [];
    const made = this.synthesis.forward(this.#styles(told, face), ...seen.map((map) => repeated(map, each)));
    if (portraits === null) return { pictures: made.narrow(1, 0, 3), places: null };
    const [colours, fine, logit] = made.split([3, 2, 1], 1) as [Tensor, Tensor, Tensor];
    let way = fine.mul(stride);
    if (this.flow && own) {
      const spoken = ops.cat([white('sound', codes.sound), ...moodier, white('emotion', own.emotion)], 1);
      way = way.add(this.flow.forward(turned[0]!, spoken, seen, each));
    }
    return moved(repeated(portraits, each), ops.cat([colours, way, logit], 1));
  }

  /** @returns [B, slots, width + face] */
  #styles(told: Tensor, face: Tensor): Tensor {
    const levels = told.shape[1]!;
    const slots = Array.from({ length: this.synthesis.slots }, (_, slot) =>
      ops.cat([told.select(1, Math.min(Math.ceil(slot / 2), levels - 1)), face], 1),
    );
    return ops.stack(slots, 1);
  }
}

/**
 * A portrait's pixels from elsewhere in it, and made ones where those are not believed.
 * @param portrait - [B, 3, size, size]
 * @param made - [B, 6, size, size]: made colours, how far to the right and down each pixel is fetched from in halves of the picture,
 * and a logit of how far it is believed
 */
export function moved(portrait: Tensor, made: Tensor): MadeFrames {
  const [batch, , size] = portrait.shape as [number, number, number];
  const [colours, way, logit] = made.split([3, 2, 1], 1) as [Tensor, Tensor, Tensor];
  const places = placesAt(batch, size, portrait).add(way.permute([0, 2, 3, 1]));
  const fetched = F.gridSample(portrait, places, { paddingMode: 'border' });
  return { pictures: colours.lerp(fetched, logit.add(believed).sigmoid()), places };
}
