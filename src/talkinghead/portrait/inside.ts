/** The mouth's inside: which of it is drawn, in which colours, and what of it the photograph itself shows. */
import type { RgbImage } from '../../media/index.js';
import type { FacePart } from '../face/face-model.js';
import { concatenated } from './grid.js';
import type { PhotographedHead } from './head.js';
import { type MouthColours, mouthColours } from './still/mouth-colours.js';

/** cm, out of the face: teeth further back are not drawn. */
const frontTeethFrom = 7.5;

/** cm to either side: lower teeth further aside are not drawn. They would stand out, dark, in the corners of an open mouth. */
const lowerTeethWithin = 1.6;

const parts = ['mouthSocket', 'gums', 'tongue', 'upperTeeth', 'lowerTeeth'] as const satisfies FacePart[];

export interface MouthInside {
  readonly triangles: Uint32Array;
  /** `[V * 3]`: red, green and blue as lit from the front, in the shadow of what lies before; 0 to 255. */
  readonly colours: Float32Array;
}

/** @param open - whether the photograph shows the lips apart */
export function mouthInside(
  head: PhotographedHead,
  picture: RgbImage,
  open: boolean,
  light: { readonly skin: readonly [number, number, number]; readonly bright: number },
): MouthInside {
  const colours = mouthColours(picture, head.fit, { skin: light.skin, bright: light.bright });
  // Teeth that are seen between lips that hardly part stay where they are: on the upper lip's picture.
  const withoutUpper = !open && colours.ownTeeth.seen;
  const drawn = parts.filter((part) => !(withoutUpper && part === 'upperTeeth'));
  const triangles = concatenated(drawn.map((part) => frontOf(head, part)));
  return { triangles, colours: shaded(head, colours, triangles) };
}

function frontOf({ model }: PhotographedHead, part: FacePart): Uint32Array {
  const triangles = model.trianglesOf(part);
  if (part !== 'upperTeeth' && part !== 'lowerTeeth') return triangles;
  const out: number[] = [];
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = triangles.subarray(t, t + 3);
    const counts = (v: number): boolean =>
      model.vertices[3 * v + 2]! > frontTeethFrom &&
      (part === 'upperTeeth' || Math.abs(model.vertices[3 * v]!) < lowerTeethWithin);
    if (corners.every(counts)) out.push(...corners);
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
