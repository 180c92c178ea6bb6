/** People who do not exist, drawn by seed: pictures, with everything in them known exactly. */
import type { RgbImage } from '../../media/index.js';
import { ConfigError, checkOptions, deriveSeed, op, scope, type Tensor, tensor, zeros } from '../../torch/index.js';
import { arkitCount, type EyeAngles, type FaceModel } from '../face/index.js';
import { rotation } from '../render/camera.js';
import { Camera, type HeadTurn, Raster, vertexNormals } from '../render/index.js';
import { paintCloth, paintEye, paintMouth } from './body.js';
import { hairlineOf, paintHair } from './hair.js';
import { buildMesh, materialNames, materials, type PersonMesh } from './mesh.js';
import { creasesOf, lampArrives, lightEyes, lightMouth, mouthGap } from './moving.js';
import { blurTaps, curveEnd, drawPlace, type PlaceTraits, paintBackground, toneCurve } from './place.js';
import { paintSkin } from './skin.js';
import { FaceStage } from './stage.js';
import { atlasRegions } from './surface.js';
import { drawTraits, type PersonTraits } from './traits.js';

export interface SyntheticFaceOptions {
  /** Where to draw; shared by all people of one size. By default a new one. */
  readonly stage?: FaceStage;
  /** Pixels of a new stage; 128 by default. */
  readonly size?: number;
  /** Who it is, instead of the seed's own coefficients: as many of `FaceModel.identity` as one likes. */
  readonly identity?: ArrayLike<number>;
  /** Light, camera and background, instead of the seed's own: the same person elsewhere. */
  readonly place?: number;
}

/** What a frame shows. */
export interface SyntheticFrameOptions {
  /** ARKit's 52; at rest by default. */
  readonly weights?: ArrayLike<number>;
  readonly pose?: HeadTurn;
  /** cm: to the viewer's right, up, towards the viewer. */
  readonly position?: readonly [number, number, number];
  /** Where both eyes look in the head, instead of what the weights say. */
  readonly gaze?: EyeAngles;
  /** The frame's number: grain is another in each; 0 by default. */
  readonly index?: number;
  /** Measure the distances, too. */
  readonly depth?: boolean;
}

/** A picture and what is in it. All but the picture and its mask are exact. */
export interface SyntheticFrame {
  readonly image: RgbImage;
  /** `[size * size]`: how much of each pixel the person covers, of 255. */
  readonly mask: Uint8Array;
  /** `[136]`: x and y of the 68, in pixels, hidden ones too; those of the jaw are fixed points of it, not its outline. */
  readonly landmarks: Float32Array;
  /** `[52]` */
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
  readonly position: readonly [number, number, number];
  readonly gaze: EyeAngles | null;
  /** `[size * size]`: cm from the camera along its axis, at the pixels' centres; infinite where nobody is. */
  readonly depth: Float32Array | null;
}

/** About which a head turns, in the face's space: where the neck begins. */
const pivot: readonly [number, number, number] = [0, -5, 0];
/** The part of the head's turn that the shoulders share. */
const shouldersShare = 0.2;
/** cm between the lips from which teeth may be seen. */
const openGap = 0.13;

const frameOptions = ['weights', 'pose', 'position', 'gaze', 'index', 'depth'] as const;

export class SyntheticFace {
  readonly seed: number;
  readonly stage: FaceStage;
  readonly traits: PersonTraits;
  readonly place: PlaceTraits;
  readonly camera: Camera;
  readonly #face: FaceModel;
  readonly #mesh: PersonMesh;
  readonly #kept: Readonly<
    Record<
      | 'view'
      | 'points'
      | 'follows'
      | 'triangles'
      | 'materialOf'
      | 'atlas'
      | 'relief'
      | 'materials'
      | 'lights'
      | 'background'
      | 'taps'
      | 'gains'
      | 'curve',
      Tensor
    >
  >;
  readonly #rest: Float32Array;
  readonly #vertices: Float32Array;
  readonly #attributes: Float32Array;
  readonly #arrives: Float32Array;

  /**
   * Makes up a person, in some tens of milliseconds.
   * @param seed - a whole number: the same one gives the same person, place and pictures, byte by byte
   * @throws ConfigError, ShapeError
   */
  constructor(seed: number, options: SyntheticFaceOptions = {}) {
    checkOptions('SyntheticFace', options, ['stage', 'size', 'identity', 'place']);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ConfigError(`SyntheticFace: expected a seed of 0 or more, got ${seed}`);
    this.seed = seed;
    this.stage = options.stage ?? new FaceStage({ size: options.size ?? 128 });
    if (options.size !== undefined && options.size !== this.stage.size)
      throw new ConfigError(
        `SyntheticFace: expected the stage's size, ${this.stage.size}, or none, got ${options.size}`,
      );
    const { size, face, texels, skin } = this.stage;
    this.#face = face;
    const drawn = drawTraits(seed, Math.min(50, face.identity.count));
    this.traits = options.identity ? { ...drawn, identity: Float32Array.from(options.identity) } : drawn;
    const placeSeed = options.place ?? seed;
    this.place = drawPlace(placeSeed);
    const { distance, view, centre } = this.place;
    this.camera = new Camera({
      width: size,
      height: size,
      distance,
      pixelsPerCm: size / view,
      centre: [centre[0] * size, centre[1] * size],
      pivot,
    });
    this.#rest = face.shape({ identity: this.traits.identity });
    this.#mesh = buildMesh(this.stage, this.traits, this.#rest);
    this.#vertices = new Float32Array(3 * this.#mesh.count);
    this.#vertices.set(this.#mesh.fixed, this.#rest.length);
    this.#attributes = this.#mesh.attributes.slice();
    this.#arrives = new Float32Array(face.parts.skin.vertices[1]);
    const keep = (values: Float32Array | Uint8Array | Int32Array, shape: number[]): Tensor =>
      tensor(values, { shape }).keep();
    const { triangles, materialOf } = this.#mesh;
    const { count } = this.#mesh;
    this.#kept = {
      view: zeros([count, 3]).keep(),
      points: zeros([count, 3]).keep(),
      follows: keep(this.#mesh.follows, [count]),
      triangles: keep(Int32Array.from(triangles), [triangles.length / 3, 3]),
      materialOf: keep(materialOf, [materialOf.length]),
      atlas: keep(this.#paint(), [texels, 2 * texels, 4]),
      relief: keep(skin.folds, [texels, texels, 4]),
      materials: keep(Float32Array.from(materialNames.flatMap((name) => [...materials[name]])), [
        materialNames.length,
        6,
      ]),
      lights: keep(Float32Array.of(...this.place.ambient, ...this.place.lamp, ...this.place.lampColour), [33]),
      background: keep(paintBackground(placeSeed, size, size), [size, size, 3]),
      taps: keep(blurTaps(this.place.blur), [4]),
      gains: keep(Float32Array.from(this.place.gains), [3]),
      curve: keep(toneCurve(this.place.contrast), [1024]),
    };
  }

  #paint(): Uint8Array {
    const { texels, skin } = this.stage;
    const stride = 2 * texels;
    const atlas = new Uint8Array(4 * stride * texels);
    const regions = atlasRegions(texels);
    paintSkin(skin, this.traits, hairlineOf(this.traits), atlas, stride);
    paintHair(this.traits, regions.hair, atlas, stride);
    paintCloth(this.traits, regions.cloth, atlas, stride);
    paintEye(this.traits, regions.eye, atlas, stride);
    paintMouth(this.traits, regions.mouth, atlas, stride);
    return atlas;
  }

  /**
   * Draws the person.
   * @throws ConfigError, ShapeError for numbers that cannot be
   */
  frame(options: SyntheticFrameOptions = {}): SyntheticFrame {
    checkOptions('SyntheticFace.frame', options, frameOptions);
    const weights = Float32Array.from(options.weights ?? new Float32Array(arkitCount));
    const pose = { yaw: 0, pitch: 0, roll: 0, ...options.pose };
    const position = options.position ?? ([0, 0, 0] as const);
    const gaze = options.gaze ?? null;
    const own = this.#vertices.subarray(0, 3 * this.#face.vertexCount);
    this.#face.shape({ rest: this.#rest, weights, ...(gaze ? { gaze } : {}), into: own });
    this.#turn(pose, position);
    const gap = mouthGap(this.#face, own);
    const open = gap > openGap;
    this.#lightUp(pose, own);
    if (open) lightMouth(this.#face, own, gap, this.#attributes);
    const image = this.#draw(weights, open, options.index ?? 0);
    const depth = options.depth ? this.#measure(open) : null;
    return { ...image, landmarks: this.#landmarks(), weights, pose, position, gaze, depth };
  }

  /** From the face's space to the camera's, and to samples. */
  #turn(pose: HeadTurn, position: readonly [number, number, number]): void {
    const { yaw = 0, pitch = 0, roll = 0 } = pose;
    const share = shouldersShare;
    const shoulders = { yaw: share * yaw, pitch: share * pitch, roll: share * roll };
    const turns = Float64Array.of(
      ...rotation('SyntheticFace.frame', pose),
      ...rotation('SyntheticFace.frame', shoulders),
    );
    const { camera } = this;
    const { view, points, follows } = this.#kept;
    scope(() =>
      op('headrace::placeMesh')(
        tensor(this.#vertices, { shape: [this.#mesh.count, 3] }),
        follows,
        tensor(turns, { shape: [2, 9] }),
        pivot,
        position,
        camera.centre.map((at) => 2 * at),
        2 * camera.focal,
        camera.distance,
        view,
        points,
      ),
    );
  }

  /** How much light arrives where. */
  #lightUp(pose: HeadTurn, own: Float32Array): void {
    const [attributes, base] = [this.#attributes, this.#mesh.attributes];
    // Turning the axes of the face's space gives the columns of the rotation: the lamp along each is the lamp in that space.
    const axes = this.camera.turn(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), pose);
    const { lamp } = this.place;
    const turned = [0, 3, 6].map((at) => axes[at]! * lamp[0] + axes[at + 1]! * lamp[1] + axes[at + 2]! * lamp[2]);
    lampArrives(this.stage.visibility, turned, this.#arrives);
    for (let i = 0; i < this.#face.parts.skin.vertices[1]; i++)
      attributes[4 * i + 2] = base[4 * i + 2]! * this.#arrives[i]!;
    lightEyes(this.#face, own, attributes);
  }

  #draw(weights: Float32Array, open: boolean, index: number): Pick<SyntheticFrame, 'image' | 'mask'> {
    const { raster, hairRaster, samples, picture, mask, size } = this.stage;
    const { ends, count } = this.#mesh;
    const kept = this.#kept;
    return scope(() => {
      const { view, points } = kept;
      const normals = vertexNormals(view, kept.triangles);
      const attributes = tensor(this.#attributes, { shape: [count, 4] });
      const creases = tensor(creasesOf(weights, this.traits.age));
      this.#rasterise(raster, points, open);
      const light = (target: Raster, behind: Tensor | null): void => {
        op('headrace::lightMesh')(
          target.triangle,
          target.barycentric,
          target.depth,
          behind,
          kept.triangles,
          kept.materialOf,
          view,
          normals,
          attributes,
          kept.atlas,
          kept.relief,
          creases,
          kept.materials,
          kept.lights,
          this.camera.distance,
          behind === null,
          samples,
        );
      };
      light(raster, null);
      // The inner side first, which shows through gaps between strands of the outer one.
      for (const cull of ['front', 'back'] as const) {
        if (ends.hair === ends.mouth) break;
        hairRaster.clear().draw(points, kept.triangles, { range: [ends.mouth, ends.hair], cull });
        light(hairRaster, raster.depth);
      }
      const seed = deriveSeed(this.seed, `grain ${index}`);
      op('headrace::develop')(
        samples,
        kept.background,
        kept.taps,
        kept.gains,
        kept.curve,
        curveEnd,
        this.place.grain,
        seed,
        picture,
        mask,
      );
      const data = picture.data() as Uint8Array;
      return { image: { width: size, height: size, data }, mask: mask.data() as Uint8Array };
    });
  }

  /** All but hair. */
  #rasterise(raster: Raster, points: Tensor, open: boolean): void {
    const { ends } = this.#mesh;
    const { triangles } = this.#kept;
    raster.clear().draw(points, triangles, { range: [0, ends.skin], cull: 'back' });
    raster.draw(points, triangles, { range: [ends.skin, open ? ends.mouth : ends.outside] });
  }

  /** Distances at the pixels' centres, which lie between the samples. */
  #measure(open: boolean): Float32Array {
    const { size } = this.stage;
    const { count, ends } = this.#mesh;
    return scope(() => {
      using raster = new Raster(size, size);
      const samples = this.#kept.points.data() as Float32Array;
      const scaled = samples.map((value, i) => (i % 3 === 2 ? value : value / 2));
      const points = tensor(scaled, { shape: [count, 3] });
      this.#rasterise(raster, points, open);
      raster.draw(points, this.#kept.triangles, { range: [ends.mouth, ends.hair] });
      return (raster.depth.data() as Float32Array).map((near) => (near > 0 ? 1 / near : Number.POSITIVE_INFINITY));
    });
  }

  #landmarks(): Float32Array {
    const { points } = this.#kept;
    const seen = scope(() => points.indexSelect(0, this.stage.landmarkRows).data() as Float32Array);
    return Float32Array.from({ length: 136 }, (_, k) => seen[3 * (k >> 1) + (k & 1)]! / 2);
  }

  /** Frees the person's tensors; the stage stays. */
  dispose(): void {
    for (const kept of Object.values(this.#kept)) kept.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
