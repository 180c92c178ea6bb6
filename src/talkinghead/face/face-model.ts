/** A face of any person with any expression: ICT-FaceKit (MIT, USC Institute for Creative Technologies), made small. */
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { arkitCount, arkitNames, ictShapes } from './arkit.js';
import { type EyeAngles, eyeAngles, turnEye } from './eyes.js';
import { type FaceFile, type FacePiece, type FaceRange, indices, shippedFace, withFaceFile } from './face-file.js';

/** The pieces, and what they make together. */
export type FacePart = FacePiece | 'skin' | 'teeth' | 'eyeballLeft' | 'eyeballRight';

/** How people differ: coefficients are independent, with mean 0 and variance 1 over people; the first shapes tell most. */
export interface IdentityShapes {
  readonly count: number;
  /** `[count, V, 3]` in cm. */
  readonly deltas: Float32Array;
  /** `[count, 100]`: a shape as a sum of ICT-FaceKit's identity shapes. */
  readonly basis: Float32Array;
}

/** What expressions move: of each shape only the vertices that it moves by 0.01 mm or more. */
export interface ExpressionShapes {
  /** ICT-FaceKit's names. */
  readonly names: readonly string[];
  /** cm for 1 of `deltas`, one a shape. */
  readonly scales: Float32Array;
  /** Shape `k` owns the moves `[first[k], first[k + 1])`. */
  readonly first: Uint32Array;
  /** The vertex of each move. */
  readonly vertices: Uint32Array;
  /** `[moves, 3]` */
  readonly deltas: Int16Array;
}

export interface FaceOptions {
  /** Coefficients of identity shapes, at most `identity.count`; those left out are 0. */
  readonly identity?: ArrayLike<number>;
  /** The person at rest, `[V * 3]`, instead of `identity`: what an earlier call gave for it. Frames of several people in turn are quick with it. */
  readonly rest?: Float32Array;
  /** ARKit's 52 weights, in its order. Default: at rest. */
  readonly weights?: ArrayLike<number>;
  /** Weights of ICT-FaceKit's own shapes, one for each of `expression.names`, added to those of ARKit. */
  readonly expression?: ArrayLike<number>;
  /** Where both eyeballs look, instead of where `weights` let them look; the lids follow the weights. */
  readonly gaze?: EyeAngles;
  /** `[V * 3]`, overwritten and returned: saves the making of an array. */
  readonly into?: Float32Array;
}

const optionNames = ['identity', 'rest', 'weights', 'expression', 'gaze', 'into'] as const;

/**
 * The face: vertices in cm, +x to the subject's left (the viewer's right), +y up, +z out of the face; triangles run
 * anticlockwise as seen from outside. Plain arrays, no tensors.
 */
export class FaceModel {
  /** `[V * 3]`: the mean face at rest. */
  readonly vertices: Float32Array;
  /** `[T * 3]` */
  readonly triangles: Uint32Array;
  /** `[V * 2]`: ICT-FaceKit's texture coordinates; the whole part of u tells the texture. */
  readonly uv: Float32Array;
  /** For each vertex its mirror image. */
  readonly mirror: Uint32Array;
  /** The 68 landmarks of Multi-PIE, as vertices. */
  readonly landmarks: Uint32Array;
  /** For each vertex its number in ICT-FaceKit. */
  readonly source: Uint32Array;
  readonly identity: IdentityShapes;
  readonly expression: ExpressionShapes;
  readonly parts: Readonly<Record<FacePart, FaceRange>>;

  /** What the 52 weights do to the shapes: `[shape, place in arkitNames]`. */
  private readonly driven: readonly (readonly [shape: number, arkit: number])[];
  private readonly eyes: readonly (readonly [x: number, y: number, z: number])[];
  private rested: { coefficients: Float32Array; face: Float32Array } | null = null;

  private constructor(file: FaceFile, path: string) {
    const count = file.size('neutral');
    const triangles = file.size('triangles');
    const vertexNumbers = (key: string, shape: readonly number[], below = count): Uint32Array =>
      indices(path, key, file.numbers(key, shape), below);
    this.vertices = file.numbers('neutral', [count, 3]) as Float32Array;
    this.triangles = vertexNumbers('triangles', [triangles, 3]);
    this.uv = file.numbers('uv', [count, 2]) as Float32Array;
    this.mirror = vertexNumbers('mirror', [count]);
    this.landmarks = vertexNumbers('landmarks', [68]);
    this.source = vertexNumbers('source', [count], 2 ** 15);
    this.parts = wholes(file.ranges);
    this.identity = readIdentity(file, count, this.parts.skin.vertices[1]);
    const shapes = file.expressions.length;
    const moves = file.size('expression.vertices');
    this.expression = {
      names: file.expressions,
      scales: file.numbers('expression.scale', [shapes]) as Float32Array,
      first: vertexNumbers('expression.first', [shapes + 1], moves + 1),
      vertices: vertexNumbers('expression.vertices', [moves]),
      deltas: file.numbers('expression.deltas', [moves, 3]) as Int16Array,
    };
    this.driven = arkitNames.flatMap((name, arkit) =>
      ictShapes[name].map((shape) => [this.shapeIndex(shape), arkit] as const),
    );
    const eyes = file.numbers('eyes', [2, 3]);
    this.eyes = [0, 3].map((at) => [eyes[at]!, eyes[at + 1]!, eyes[at + 2]!] as const);
  }

  /**
   * Reads a face.
   * @param path - made by `scripts/face-model.mjs`; by default the one that comes with Headrace
   * @throws DataError when it is absent or damaged
   */
  static load(path: string = shippedFace): FaceModel {
    return withFaceFile(path, (file) => new FaceModel(file, path));
  }

  /** V */
  get vertexCount(): number {
    return this.vertices.length / 3;
  }

  /** The triangles of a part, of which those at its border touch the part before it: a view, not a copy. */
  trianglesOf(part: FacePart): Uint32Array {
    const [first, end] = this.parts[part].triangles;
    return this.triangles.subarray(3 * first, 3 * end);
  }

  /** The place of one of ICT-FaceKit's expressions. @throws ConfigError for an unknown name */
  shapeIndex(name: string): number {
    const at = this.expression.names.indexOf(name);
    if (at >= 0) return at;
    throw new ConfigError(`Expected an expression among ${this.expression.names.join(', ')}, got ${name}`);
  }

  /** What an expression of ICT-FaceKit moves at weight 1: `[V * 3]` in cm. @throws ConfigError for an unknown name */
  expressionDelta(name: string): Float32Array {
    const delta = new Float32Array(this.vertices.length);
    this.addExpression(delta, this.shapeIndex(name), 1);
    return delta;
  }

  /**
   * ICT-FaceKit's 100 identity coefficients as coefficients of `identity`: the nearest face to the same person's.
   * @throws ShapeError for more than there are
   */
  identityFrom(coefficients: ArrayLike<number>): Float32Array {
    const { basis, count } = this.identity;
    const width = basis.length / count;
    const given = checked('the coefficients of ICT-FaceKit', coefficients, width, false);
    return Float32Array.from({ length: count }, (_, k) => {
      let sum = 0;
      for (let i = 0; i < given.length; i++) sum += basis[k * width + i]! * given[i]!;
      return sum;
    });
  }

  /**
   * The vertices of a person with an expression: `[V * 3]` in cm. The person at rest is kept for the next call, so that
   * frames of the same person are quick.
   * @throws ShapeError for numbers of the wrong count or that are not finite, ConfigError for unknown options
   */
  shape(options: FaceOptions = {}): Float32Array {
    checkOptions('FaceModel.shape', options, optionNames);
    const { identity = [], gaze } = options;
    const weights = checked('weights', options.weights ?? new Float32Array(arkitCount), arkitCount);
    const expression = options.expression && checked('expression', options.expression, this.expression.names.length);
    const face = options.into ?? new Float32Array(this.vertices.length);
    if (face.length !== this.vertices.length)
      throw new ShapeError(`FaceModel.shape: expected into of ${this.vertices.length} numbers, got ${face.length}`);
    const rest = this.givenRest(options) ?? this.rest(checked('identity', identity, this.identity.count, false));
    face.set(rest);
    for (const [shape, arkit] of this.driven) this.addExpression(face, shape, weights[arkit]!);
    if (expression) for (let k = 0; k < expression.length; k++) this.addExpression(face, k, expression[k]!);
    for (const [i, side] of (['left', 'right'] as const).entries())
      this.turn(face, rest, i, gaze ?? eyeAngles(weights, side));
    return face;
  }

  /**
   * The middle of an eyeball of a person, about which it turns: cm.
   * @param identity - coefficients of identity shapes; those left out are 0
   * @throws ShapeError for more than there are
   */
  eyeCentre(side: 'left' | 'right', identity: ArrayLike<number> = []): [x: number, y: number, z: number] {
    return this.centreOf(this.rest(checked('identity', identity, this.identity.count, false)), side === 'left' ? 0 : 1);
  }

  /** An eyeball's middle, which has moved with the person as the eyeball has. */
  private centreOf(rest: Float32Array, eye: number): [x: number, y: number, z: number] {
    const { vertices } = this.parts[eye === 0 ? 'eyeballLeft' : 'eyeballRight'];
    const centre: [number, number, number] = [...this.eyes[eye]!];
    for (let i = 3 * vertices[0]; i < 3 * vertices[1]; i++)
      centre[i % 3]! += (rest[i]! - this.vertices[i]!) / (vertices[1] - vertices[0]);
    return centre;
  }

  private givenRest({ rest, identity }: FaceOptions): Float32Array | null {
    if (rest === undefined) return null;
    if (identity !== undefined)
      throw new ConfigError('FaceModel.shape: expected either identity or rest, which has it, got both');
    if (rest.length !== this.vertices.length)
      throw new ShapeError(`FaceModel.shape: expected rest of ${this.vertices.length} numbers, got ${rest.length}`);
    return rest;
  }

  private rest(coefficients: ArrayLike<number>): Float32Array {
    const same = (kept: Float32Array): boolean => kept.every((value, i) => value === Math.fround(coefficients[i] ?? 0));
    if (this.rested !== null && same(this.rested.coefficients)) return this.rested.face;
    const face = Float32Array.from(this.vertices);
    const kept = new Float32Array(this.identity.count);
    kept.set(coefficients);
    const { deltas } = this.identity;
    for (let k = 0; k < kept.length; k++) {
      const weight = kept[k]!;
      if (weight === 0) continue;
      const from = k * face.length;
      for (let i = 0; i < face.length; i++) face[i]! += weight * deltas[from + i]!;
    }
    this.rested = { coefficients: kept, face };
    return face;
  }

  private addExpression(face: Float32Array, shape: number, weight: number): void {
    if (weight === 0) return;
    const { first, scales, vertices, deltas } = this.expression;
    const factor = weight * scales[shape]!;
    const end = first[shape + 1]!;
    for (let move = first[shape]!; move < end; move++) {
      const at = 3 * vertices[move]!;
      face[at]! += factor * deltas[3 * move]!;
      face[at + 1]! += factor * deltas[3 * move + 1]!;
      face[at + 2]! += factor * deltas[3 * move + 2]!;
    }
  }

  /** Turns an eyeball about its middle. */
  private turn(face: Float32Array, rest: Float32Array, eye: number, angles: EyeAngles): void {
    const { yaw, pitch } = angles;
    if (!Number.isFinite(yaw) || !Number.isFinite(pitch))
      throw new ShapeError(`FaceModel.shape: expected gaze of finite degrees, got yaw ${yaw}, pitch ${pitch}`);
    if (yaw === 0 && pitch === 0) return;
    const { vertices } = this.parts[eye === 0 ? 'eyeballLeft' : 'eyeballRight'];
    turnEye(face, vertices, this.centreOf(rest, eye), angles);
  }
}

/** @throws ShapeError unless there are `count` finite numbers, or at most so many where not `all` are needed */
function checked(name: string, values: ArrayLike<number>, count: number, all = true): ArrayLike<number> {
  if (all ? values.length !== count : values.length > count)
    throw new ShapeError(
      `FaceModel: expected ${name} of ${all ? '' : 'at most '}${count} numbers, got ${values.length}`,
    );
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]))
      throw new ShapeError(`FaceModel: expected ${name} to be finite numbers, got ${values[i]} at ${i}`);
  }
  return values;
}

function wholes(ranges: Readonly<Record<FacePiece, FaceRange>>): Record<FacePart, FaceRange> {
  const span = (from: FacePiece, to: FacePiece): FaceRange => ({
    vertices: [ranges[from].vertices[0], ranges[to].vertices[1]],
    triangles: [ranges[from].triangles[0], ranges[to].triangles[1]],
  });
  return {
    ...ranges,
    skin: span('innerFace', 'headNeck'),
    teeth: span('upperTeeth', 'lowerTeeth'),
    eyeballLeft: span('scleraLeft', 'irisLeft'),
    eyeballRight: span('scleraRight', 'irisRight'),
  };
}

/** Skin shapes as they stand; inside of mouth and eyes each shape is a mixture of a few. */
function readIdentity(file: FaceFile, vertices: number, skin: number): IdentityShapes {
  const [count, mixed] = [file.size('identity.skin.scale'), file.size('identity.inside.scale')];
  const width = 3 * vertices;
  const deltas = new Float32Array(count * width);
  const scales = file.numbers('identity.skin.scale', [count]);
  const onSkin = file.numbers('identity.skin.deltas', [count, skin, 3]);
  const mix = file.numbers('identity.inside.mix', [count, mixed]);
  const insideScales = file.numbers('identity.inside.scale', [mixed]);
  const inside = file.numbers('identity.inside.deltas', [mixed, vertices - skin, 3]);
  const insideWidth = width - 3 * skin;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < 3 * skin; i++) deltas[k * width + i] = scales[k]! * onSkin[k * 3 * skin + i]!;
    for (let m = 0; m < mixed; m++) {
      const factor = mix[k * mixed + m]! * insideScales[m]!;
      const at = k * width + 3 * skin;
      for (let i = 0; i < insideWidth; i++) deltas[at + i]! += factor * inside[m * insideWidth + i]!;
    }
  }
  const basis = file.numbers('identity.basis', [count, 100]) as Float32Array;
  return { count, deltas, basis };
}
