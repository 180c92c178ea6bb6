/** All that is made once of a photograph so that its head can move. */
import type { RgbImage } from '../../media/index.js';
import { mapInto } from '../../media/map-into.js';
import { type Tensor, tensor } from '../../torch/index.js';
import { Raster } from '../render/raster.js';
import { alignment } from './alignment.js';
import { eyeballPicture, eyeballShares } from './eyeballs.js';
import { type FilmGrain, filmGrainOf } from './grain.js';
import { PictureGrid } from './grid.js';
import type { PhotographedHead } from './head.js';
import { type MouthInside, mouthInside } from './inside.js';
import { Lids } from './lids.js';
import { isMouthOpen, LipSeal, onLipLine } from './lips.js';
import { drawMesh, meshOf, type PortraitMesh } from './portrait-mesh.js';
import { type SeenSkin, seenSkin } from './seen.js';
import { jawVertices, middleOf, shownInside } from './shown.js';
import { fillBackground } from './still/background.js';
import { lightOf } from './still/light.js';
import { lipLine } from './still/lip-line.js';
import { personMask } from './still/person-mask.js';

/** Numbers of a vertex that the loops of `native/portrait.cpp` and `native/mouth.cpp` read. */
export const attributeCount = 7;

export interface Stage {
  readonly head: PhotographedHead;
  /** `[V * 3]`, cm: what is added to the fitted face's vertices, whatever its expression. */
  readonly offsets: Float32Array;
  /** `[V * 3]`, cm: the face as photographed. */
  readonly face: Float32Array;
  readonly seal: LipSeal;
  readonly lids: Lids;
  /** `[V]`: how far what is seen at an eyeball's vertex turns with it. */
  readonly eyeShares: Float32Array;
  readonly skin: SeenSkin;
  readonly mouth: MouthInside;
  /** Whether the photograph shows the lips apart; the vertices that move as the jaw does, and where their middle is there, in pixels. */
  readonly open: boolean;
  readonly jaw: { readonly vertices: Uint32Array; readonly at: readonly [x: number, y: number] };
  readonly grid: PictureGrid;
  readonly mesh: PortraitMesh;
  /** `[9]`: the photograph's light. */
  readonly light: Float32Array;
  readonly grain: FilmGrain;
  /** Pictures as tensors of bytes, `[H, W, 3]`; `person` and the mouth's inside in two layers, `[H, W, 4]`: colours times alpha, and alpha. */
  readonly pictures: Readonly<
    Record<'photo' | 'person' | 'background' | 'eyes' | 'lids' | 'upperInside' | 'lowerInside', Tensor>
  >;
}

/** What {@link setUp} does, in its order. */
export const stageSteps = [
  'reading light, lids and mouth',
  'telling the person from the background',
  'filling the background',
  'giving the picture depth',
] as const;

/** @param begin - told of each of {@link stageSteps} as it begins */
export function setUp(head: PhotographedHead, picture: RgbImage, begin: (what: string) => void): Stage {
  begin(stageSteps[0]);
  const { fit, width, height } = head;
  const open = isMouthOpen(head);
  const line = open ? null : lipLine(picture, fit).points;
  const targets = line === null ? fit.landmarks : onLipLine(fit.landmarks, line);
  const shaped = head.shape(fit.weights);
  const offsets = alignment(head, shaped, targets);
  const face = shaped.map((value, i) => value + offsets[i]!);
  const seal = new LipSeal(head, offsets, line);
  seal.close(face, shaped);
  const skin = seenSkin(head, face);
  const points = head.project(face);
  const lit = lightOf(picture, points, skin.normals, { visible: skin.visible });
  const lids = new Lids(head, picture, face);
  const mouth = mouthInside(head, picture, open, lit);
  const mesh = meshOf(head, mouth);
  begin(stageSteps[1]);
  const person = personMask(picture, fit).alpha;
  begin(stageSteps[2]);
  const background = fillBackground(picture, person);
  const { openEyes, inside } = partPixels(head, points, mesh);
  const eyes = eyeballPicture(head, picture, openEyes);
  const shown = shownInside(head, picture, open ? inside : new Uint8Array(inside.length));
  const jaw = jawVertices(head);
  begin(stageSteps[3]);
  return {
    head,
    offsets,
    face,
    seal,
    lids,
    eyeShares: eyeballShares(head, openEyes, points),
    skin,
    mouth,
    open,
    jaw: { vertices: jaw, at: middleOf(head, jaw, face) },
    mesh,
    grid: new PictureGrid(head, face, skin, person),
    light: lit.light,
    grain: filmGrainOf(picture),
    pictures: {
      photo: pictureTensor(picture),
      person: personTensor(picture, background, person),
      background: pictureTensor(background),
      eyes: pictureTensor(eyes),
      lids: pictureTensor(lids.closed),
      upperInside: tensor(shown.upper, { shape: [height, width, 4] }).keep(),
      lowerInside: tensor(shown.lower, { shape: [height, width, 4] }).keep(),
    },
  };
}

/** `[H * W]`: 1 where the photograph shows an eyeball, and the mouth's inside. */
function partPixels(head: PhotographedHead, points: Float32Array, mesh: PortraitMesh) {
  using raster = new Raster(head.height, head.width);
  drawMesh(raster, points, mesh);
  const drawn = raster.triangle.data() as Int32Array;
  const where = (isPart: (t: number) => boolean): Uint8Array =>
    mapInto(new Uint8Array(drawn.length), drawn, (t) => (isPart(t) ? 1 : 0));
  return {
    openEyes: where((t) => t >= mesh.firstEye && t < mesh.firstInside),
    inside: where((t) => t >= mesh.firstInside),
  };
}

const pictureTensor = ({ width, height, data }: RgbImage): Tensor =>
  tensor(Uint8Array.from(data), { shape: [height, width, 3] }).keep();

/** What the person adds to the background behind, and how much of a pixel the person hides of it. */
function personTensor({ width, height, data }: RgbImage, background: RgbImage, alpha: Float32Array): Tensor {
  const out = new Uint8Array(4 * width * height);
  for (let i = 0; i < alpha.length; i++) {
    const behind = 1 - alpha[i]!;
    for (let c = 0; c < 3; c++) {
      const own = Math.round(data[3 * i + c]! - behind * background.data[3 * i + c]!);
      out[4 * i + c] = Math.min(255, Math.max(0, own));
    }
    out[4 * i + 3] = Math.round(255 * alpha[i]!);
  }
  return tensor(out, { shape: [height, width, 4] }).keep();
}

export function strike({ grid, mesh, pictures }: Stage): void {
  grid.dispose();
  mesh.triangles.dispose();
  for (const picture of Object.values(pictures)) picture.dispose();
}
