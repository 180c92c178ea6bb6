/** SPEAK's editing module (section 3.2): speech and emotion join first, and the face is told to them level by level. */
import {
  EqualizedLinear,
  functional as F,
  type FactoryOptions,
  init,
  Module,
  ModuleList,
  Parameter,
} from '../../nn/index.js';
import { empty, type Generator, ops, ShapeError, type Tensor, zeros } from '../../torch/index.js';

/**
 * Adaptive instance normalisation of vectors: each row is brought to mean 0 and deviation 1 over its numbers, and scaled and
 * shifted by what a code says. Keys: `affine`, which tells scales (1 at first) and shifts.
 */
export class AdaIn extends Module {
  affine: EqualizedLinear;

  constructor(
    readonly width: number,
    codeFeatures: number,
    made: FactoryOptions = {},
  ) {
    super();
    this.affine = new EqualizedLinear(codeFeatures, 2 * width, made);
  }

  /** @param x - [..., width] @param code - [..., codeFeatures], of the same leading sizes */
  forward(x: Tensor, code: Tensor): Tensor {
    const [scale, shift] = this.affine.forward(code).chunk(2, -1) as [Tensor, Tensor];
    return F.layerNorm(x, [this.width], null, null, 1e-8).mul(scale.add(1)).add(shift);
  }
}

export interface EditingShape {
  /** Numbers of what is heard at a frame, of the code of emotion, and of the code of the face. */
  readonly sound: number;
  readonly emotion: number;
  readonly face: number;
  readonly width: number;
  /** One for each size of the generator's maps: a level for coarse things, one for fine ones. */
  readonly levels: number;
}

/** A fully connected layer, noise, and the face's word. Keys: `fc`, `strength`, `norm`, `noise`. */
class Level extends Module {
  fc: EqualizedLinear;
  strength: Parameter;
  norm: AdaIn;
  /** Buffer: the same for all frames and people, since noise that changes from frame to frame flickers. */
  noise!: Tensor;

  constructor({ width, face }: EditingShape, made: FactoryOptions) {
    super();
    this.fc = new EqualizedLinear(width, width, made);
    this.strength = new Parameter(zeros([1], made));
    this.norm = new AdaIn(width, face, made);
    this.registerBuffer('noise', empty([width], made));
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    init.constant_(this.strength, 0);
    init.normal_(this.noise, 0, 1, { generator: g });
  }

  forward(x: Tensor, face: Tensor): Tensor {
    const joined = F.leakyRelu(this.fc.forward(x), 0.2).add(this.noise.mul(this.strength));
    return this.norm.forward(joined, face);
  }
}

/** Keys: `enter`, `levels.N`. */
export class EditingModule extends Module {
  enter: EqualizedLinear;
  levels: ModuleList<Level>;

  constructor(
    readonly shape: EditingShape,
    made: FactoryOptions = {},
  ) {
    super();
    this.enter = new EqualizedLinear(shape.sound + shape.emotion, shape.width, made);
    this.levels = new ModuleList(Array.from({ length: shape.levels }, () => new Level(shape, made)));
  }

  /**
   * @param sound - [B, sound] @param emotion - [B, emotion] @param face - [B, face]; a row for each frame
   * @returns [B, levels, width]
   */
  forward(sound: Tensor, emotion: Tensor, face: Tensor): Tensor {
    if (sound.shape[0] !== emotion.shape[0] || sound.shape[0] !== face.shape[0])
      throw new ShapeError(
        `Expected as many rows of sound, emotion and face, got ${sound.shape[0]}, ${emotion.shape[0]} and ${face.shape[0]} in EditingModule`,
      );
    let x = this.enter.forward(ops.cat([sound, emotion], 1));
    const told = [...this.levels].map((level) => (x = level.forward(x, face)));
    return ops.stack(told, 1);
  }
}
