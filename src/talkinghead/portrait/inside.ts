/** The mouth's inside: which of it is drawn, in which colours, and what of it the photograph itself shows. */
import type { RgbImage } from '../../media/index.js';
import type { FacePart } from '../face/face-model.js';
import { Raster } from '../render/raster.js';
import { concatenated } from './grid.js';
import type { PhotographedHead } from './head.js';
import { type MouthColours, mouthColours } from './still/mouth-colours.js';

/** cm, out of the face: teeth further back are not drawn. */
const frontTeethFrom = 7.5;

const parts = ['mouthSocket', 'gums', 'tongue', 'upperTeeth', 'lowerTeeth'] as const satisfies FacePart[];

export interface MouthInside {
  readonly triangles: Uint32Array;
  /** `[V * 3]`: red, green and blue as lit from the front, in the shadow of what lies before; 0 to 255. */
  readonly colours: Float32Array;
  /** `[V]`: how much of a vertex the photograph itself shows. */
  readonly shown: Float32Array;
}

/**
 * @param face - `[V * 3]`: the aligned face as photographed
 * @param open - whether the photograph shows the lips apart
 */
export function mouthInside(
  head: PhotographedHead,
  picture: RgbImage,
  face: Float32Array,
  open: boolean,
  light: { readonly skin: readonly [number, number, number]; readonly bright: number },
): MouthInside {
  const { model } = head;
  const colours = mouthColours(picture, head.fit, { skin: light.skin, bright: light.bright });
  // Teeth that are seen between lips that hardly part stay where they are: on the upper lip's picture.
  const withoutUpper = !open && colours.ownTeeth.seen;
  const drawn = parts.filter((part) => !(withoutUpper && part === 'upperTeeth'));
  const triangles = concatenated(drawn.map((part) => frontOf(head, part)));
  return {
    triangles,
    colours: shaded(head, colours, triangles),
    shown: open ? shownVertices(head, face, triangles) : new Float32Array(model.vertexCount),
  };
}

function frontOf({ model }: PhotographedHead, part: FacePart): Uint32Array {
  const triangles = model.trianglesOf(part);
  if (part !== 'upperTeeth' && part !== 'lowerTeeth') return triangles;
  const out: number[] = [];
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = triangles.subarray(t, t + 3);
    if (corners.every((v) => model.vertices[3 * v + 2]! > frontTeethFrom)) out.push(...corners);
  }
  return Uint32Array.from(out);
}

/** Colours in the dark of the mouth: less light further back, beyond the corners, and behind the lower lip. */
function shaded({ model }: PhotographedHead, colours: MouthColours, triangles: Uint32Array): Float32Array {
  const out = new Float32Array(3 * model.vertexCount);
  const of = {
    mouthSocket: colours.socket,
    gums: colours.gums,
    tongue: colours.tongue,
    upperTeeth: colours.teeth,
    lowerTeeth: colours.teeth,
  };
  const put = (v: number, part: (typeof parts)[number]): void => {
    const depth = Math.min(6, Math.max(0, 11 - model.vertices[3 * v + 2]!));
    const aside = Math.max(0, Math.abs(model.vertices[3 * v]!) - 1.5);
    const open = Math.max(0.3, Math.exp(-Math.max(0, depth - 0.4) / 2.2 - aside / 1.4));
    const light = part === 'lowerTeeth' ? 0.8 * open : open;
    for (let c = 0; c < 3; c++) out[3 * v + c] = of[part][c]! * light;
  };
  for (const v of triangles) put(v, 'mouthSocket'); // the lips' rims among them, where the socket hangs on the skin
  for (const part of parts) {
    const [first, end] = model.parts[part].vertices;
    for (let v = first; v < end; v++) put(v, part);
  }
  return out;
}

/** Vertices that the photograph shows between the lips. */
function shownVertices(head: PhotographedHead, face: Float32Array, triangles: Uint32Array): Float32Array {
  const { model, width, height } = head;
  const scale = 3;
  const points = head.project(face).map((value, i) => (i % 3 === 2 ? value : value * scale));
  using raster = new Raster(height * scale, width * scale);
  raster.draw(points, model.trianglesOf('skin'));
  const skinCount = model.trianglesOf('skin').length / 3;
  raster.draw(points, triangles, { firstId: skinCount });
  const depth = raster.depth.data() as Float32Array;
  const drawn = raster.triangle.data() as Int32Array;
  const shown = new Float32Array(model.vertexCount);
  for (const v of new Set(triangles)) {
    const [x, y] = [Math.floor(points[3 * v]!), Math.floor(points[3 * v + 1]!)];
    if (!(x >= 0 && y >= 0 && x < width * scale && y < height * scale)) continue;
    const at = y * width * scale + x;
    if (drawn[at]! >= skinCount && 1 / points[3 * v + 2]! - 1 / depth[at]! < 0.35) shown[v] = 1;
  }
  return shown;
}
