/** What a fit needs of the face: chosen expressions as whole shapes, and vertices as sums of shapes. */
import { type ArkitName, arkitCount, arkitIndex } from '../face/arkit.js';
import { FaceModel } from '../face/face-model.js';

/**
 * The expressions that landmarks tell: the others move what has none (cheeks, teeth, tongue), or move the landmarks as a sum of
 * these does. `mouthLeft` and `mouthRight` would cancel each other and leave a grimace. Where the eyes look is told by pixels.
 */
export const fittedNames = [
  'jawOpen',
  'mouthClose',
  'mouthFunnel',
  'mouthPucker',
  'mouthSmileLeft',
  'mouthSmileRight',
  'mouthFrownLeft',
  'mouthFrownRight',
  'mouthStretchLeft',
  'mouthStretchRight',
  'mouthRollLower',
  'mouthRollUpper',
  'mouthLowerDownLeft',
  'mouthLowerDownRight',
  'mouthUpperUpLeft',
  'mouthUpperUpRight',
  'browDownLeft',
  'browDownRight',
  'browInnerUp',
  'browOuterUpLeft',
  'browOuterUpRight',
  'eyeBlinkLeft',
  'eyeBlinkRight',
  'eyeSquintLeft',
  'eyeSquintRight',
  'eyeWideLeft',
  'eyeWideRight',
] as const satisfies readonly ArkitName[];

/** How many shapes of people are fitted: 68 points do not tell more. */
export const fittedIdentity = 50;

/** The pivot about which fitted heads turn, in the face's space, and the camera's distance from it: cm. */
export const headPivot: readonly [number, number, number] = [0, -2, 4];
export const cameraDistance = 80;

/** Places in ARKit's order of the fitted expressions. */
export const fittedPlaces: readonly number[] = fittedNames.map(arkitIndex);

/** A face whose fitted expressions lie ready as whole shapes. */
export class FitRig {
  readonly model: FaceModel;
  /** For each of the fitted expressions, how it moves all vertices of the skin: `[skin * 3]`. */
  readonly expressions: readonly Float32Array[];

  constructor(model: FaceModel) {
    this.model = model;
    const rest = model.vertices;
    const skin = 3 * model.parts.skin.vertices[1];
    const weights = new Float32Array(arkitCount);
    const moved = new Float32Array(rest.length);
    this.expressions = fittedPlaces.map((place) => {
      weights[place] = 1;
      model.shape({ weights, into: moved });
      weights[place] = 0;
      return Float32Array.from({ length: skin }, (_, i) => moved[i]! - rest[i]!);
    });
  }

  /** How an identity shape or an expression moves a vertex. */
  shape(kind: 'identity' | 'expression', k: number, vertex: number): readonly [number, number, number] {
    const { deltas } = this.model.identity;
    const [from, at] =
      kind === 'identity' ? [deltas, k * this.model.vertices.length + 3 * vertex] : [this.expressions[k]!, 3 * vertex];
    return [from[at]!, from[at + 1]!, from[at + 2]!];
  }
}

let shipped: FitRig | null = null;

/** The rig of a face; of the one that comes with Headrace, always the same. */
export function fitRig(model?: FaceModel): FitRig {
  if (model !== undefined) return new FitRig(model);
  shipped ??= new FitRig(FaceModel.load());
  return shipped;
}
