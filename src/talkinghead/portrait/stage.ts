/** All that is made once of a photograph so that its head can move. */
import type { RgbImage } from '../../media/index.js';
import { type Tensor, tensor } from '../../torch/index.js';
import type { FacePart } from '../face/face-model.js';
import { Raster } from '../render/raster.js';
import { alignment } from './alignment.js';
import { eyeballPicture, eyeballShares } from './eyeballs.js';
import { concatenated, PictureGrid } from './grid.js';
import type { PhotographedHead } from './head.js';
import { type MouthInside, mouthInside } from './inside.js';
import { Lids } from './lids.js';
import { isMouthOpen, LipSeal, onLipLine } from './lips.js';
import { type SeenSkin, seenSkin } from './seen.js';
import { fillBackground } from './still/background.js';
import { lightOf } from './still/light.js';
import { lipLine } from './still/lip-line.js';
import { personMask } from './still/person-mask.js';

/** Numbers of a vertex that the loops of `native/portrait.cpp` and `native/mouth.cpp` read. */
export const attributeCount = 7;

/** What the mesh of a portrait is made of, in the order in which it is drawn. */
export interface PortraitMesh {
  readonly triangles: Tensor;
  /** The first triangles of eyeballs and of the mouth's inside. */
  readonly firstEye: number;
  readonly firstInside: number;
  /** Vertices of the lips' rims, which follow the model's as a second set, for the mouth's inside. */
  readonly rims: Uint32Array;
  /** The model's vertex of each vertex of the mouth's inside. */
  readonly inside: ReadonlyMap<number, number>;
}

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
  readonly grid: PictureGrid;
  readonly mesh: PortraitMesh;
  /** `[9]`: the photograph's light. */
  readonly light: Float32Array;
  /** Pictures as tensors of bytes, `[H, W, 3]`; `person` `[H, W, 4]` has colours times alpha, and alpha. */
  readonly pictures: Readonly<Record<'photo' | 'person' | 'background' | 'eyes' | 'lids', Tensor>>;
}

export function setUp(head: PhotographedHead, picture: RgbImage): Stage {
  const { fit } = head;
  const open = isMouthOpen(head);
  const targets = open ? fit.landmarks : onLipLine(fit.landmarks, lipLine(picture, fit).points);
  const shaped = head.shape(fit.weights);
  const offsets = alignment(head, shaped, targets);
  const face = shaped.map((value, i) => value + offsets[i]!);
  const seal = new LipSeal(head, offsets, open);
  seal.close(face, shaped);
  const skin = seenSkin(head, face);
  const points = head.project(face);
  const lit = lightOf(picture, points, skin.normals, { visible: skin.visible });
  const lids = new Lids(head, picture, face);
  const mouth = mouthInside(head, picture, face, open, lit);
  const mesh = meshOf(head, mouth);
  const person = personMask(picture, fit).alpha;
  const background = fillBackground(picture, person);
  const openEyes = eyePixels(head, points, mesh);
  const eyes = eyeballPicture(head, picture, openEyes);
  return {
    head,
    offsets,
    face,
    seal,
    lids,
    eyeShares: eyeballShares(head, openEyes, points),
    skin,
    mouth,
    mesh,
    grid: new PictureGrid(head, face, skin, person),
    light: lit.light,
    pictures: {
      photo: pictureTensor(picture),
      person: personTensor(picture, background, person),
      background: pictureTensor(background),
      eyes: pictureTensor(eyes),
      lids: pictureTensor(lids.closed),
    },
  };
}

function meshOf({ model }: PhotographedHead, mouth: MouthInside): PortraitMesh {
  const part = (name: FacePart): Uint32Array => model.trianglesOf(name);
  const [skin, eyes] = [part('innerFace'), concatenated([part('scleraLeft'), part('scleraRight')])];
  // The mouth's inside hangs on the lips' rims: as part of it these have other numbers than as skin, so they are there twice.
  const rims = [...new Set(mouth.triangles)].filter((v) => v < model.parts.skin.vertices[1]);
  const copyOf = new Map(rims.map((v, i) => [v, model.vertexCount + i]));
  const all = concatenated([skin, eyes, mouth.triangles.map((v) => copyOf.get(v) ?? v)]);
  return {
    triangles: tensor(Int32Array.from(all), { shape: [all.length / 3, 3] }).keep(),
    firstEye: skin.length / 3,
    firstInside: (skin.length + eyes.length) / 3,
    rims: Uint32Array.from(rims),
    inside: new Map([...new Set(mouth.triangles)].map((v) => [copyOf.get(v) ?? v, v])),
  };
}

/** `[H * W]`: 1 where the photograph shows an eyeball. */
function eyePixels(head: PhotographedHead, points: Float32Array, mesh: PortraitMesh): Uint8Array {
  using raster = new Raster(head.height, head.width);
  raster.draw(withRims(points, mesh.rims), mesh.triangles);
  const drawn = raster.triangle.data() as Int32Array;
  return Uint8Array.from(drawn, (t) => (t >= mesh.firstEye && t < mesh.firstInside ? 1 : 0));
}

/** The rims once more, behind all vertices. */
export function withRims(points: Float32Array, rims: Uint32Array): Float32Array {
  const out = new Float32Array(points.length + 3 * rims.length);
  out.set(points);
  for (const [i, v] of rims.entries()) out.set(points.subarray(3 * v, 3 * v + 3), points.length + 3 * i);
  return out;
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
