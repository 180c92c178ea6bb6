/** One frame after another of a portrait: what moves is computed anew, what was made once is on the stage. */
import { op, scope, type Tensor, tensor, zeros } from '../../torch/index.js';
import type { EyeAngles } from '../face/eyes.js';
import type { HeadTurn } from '../render/camera.js';
import { vertexNormals } from '../render/mesh.js';
import { Raster } from '../render/raster.js';
import { basis } from '../render/shading.js';
import { drawMesh } from './portrait-mesh.js';
import { middleOf } from './shown.js';
import { attributeCount, type Stage } from './stage.js';
import { smoothstep } from './still/planes.js';

/** An instant of a head's motion, all of it told. */
export interface Moment {
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
  readonly position: readonly [number, number, number];
  readonly gaze?: EyeAngles;
  /** The seed of film grain, if there is to be any. */
  readonly grain?: number;
}

/** Light may change by so much; it changes by the root of what its harmonics say: skin is not all matt. */
const [darkest, brightest] = [0.75, 1.3];

/** What skin has of light that comes from all sides, beyond what the harmonics say: it holds dark places back. */
const ambient = 0.2;

/** How often changes of light are evened out between neighbours: creases of the model are not those of the person. */
const evenRounds = 6;

/** The mesh gives way to the grid where the skin turns away from the camera: cosines. */
const [edgeOn, facing] = [0.02, 0.3];

/** In eye distances: how far the person goes on beyond the picture's borders, mirrored. */
const goesOn = 0.3;

/** Places of a vertex's numbers, as `native/portrait.cpp` reads them. */
const [overAt, lightAt, lidAt] = [2, 3, 6];
const sourceAt = 3; // of the mouth's inside

export class FrameMaker {
  private readonly shaped: Float32Array;
  private readonly face: Float32Array;
  private readonly points: Float32Array;
  private readonly attributes: Float32Array;
  private readonly gridRaster: Raster;
  private readonly meshRaster: Raster;
  /** The face model's. */
  private readonly triangles: Tensor;
  /** `[H, W, 2]`: where in the photograph each pixel comes from. */
  private readonly places: Tensor;
  private readonly out: Tensor;
  /** `[V]`: how bright the photograph's light makes each vertex there. */
  private readonly restLight: Float32Array;
  private readonly restWeights: Float32Array;
  private readonly harmonics: Harmonics;

  constructor(private readonly stage: Stage) {
    const { head, skin } = stage;
    const { vertexCount } = head.model;
    this.shaped = new Float32Array(3 * vertexCount);
    this.face = new Float32Array(3 * vertexCount);
    this.points = new Float32Array(3 * vertexCount);
    this.attributes = fixedAttributes(stage);
    const { triangles } = head.model;
    this.triangles = tensor(Int32Array.from(triangles), { shape: [triangles.length / 3, 3] }).keep();
    this.gridRaster = new Raster(head.height, head.width);
    this.meshRaster = new Raster(head.height, head.width);
    this.places = zeros([head.height, head.width, 2]).keep();
    this.out = zeros([head.height, head.width, 3], { dtype: 'uint8' }).keep();
    this.harmonics = polynomial(stage.light);
    this.restLight = this.brightness(skin.normals);
    this.restWeights = head.fit.weights;
  }

  /** `[H * W * 3]`, red, green and blue. */
  make(moment: Moment): Uint8Array {
    const { head, grid, mesh, pictures } = this.stage;
    const place = head.place(moment.pose, moment.position);
    const { weights, lidShares } = this.shape(moment);
    head.camera.project(this.face, place, this.points);
    const jaw = this.holdInside();
    const box = this.mouthBox();
    return scope(() => {
      this.light(place.pose);
      this.closeLids(lidShares);
      this.draw(grid.project(weights, place));
      const attributes = tensor(this.attributes, { shape: [this.attributes.length / attributeCount, attributeCount] });
      const { triangle, barycentric } = this.meshRaster;
      op('headrace::composePortrait')(
        pictures.photo,
        pictures.person,
        pictures.background,
        pictures.eyes,
        pictures.lids,
        this.gridRaster.triangle,
        this.gridRaster.barycentric,
        grid.triangles,
        grid.sources,
        triangle,
        barycentric,
        mesh.triangles,
        attributes,
        mesh.firstEye,
        mesh.firstInside,
        goesOn * head.eyes,
        this.places,
        this.out,
      );
      op('headrace::composeMouth')(
        pictures.upperInside,
        pictures.lowerInside,
        this.stage.open,
        ...jaw,
        triangle,
        barycentric,
        mesh.triangles,
        attributes,
        mesh.firstInside,
        ...box,
        head.eyes / 100,
        this.out,
      );
      if (moment.grain !== undefined) this.addGrain(moment.grain);
      return this.out.data() as Uint8Array;
    });
  }

  /** The face's vertices; and the weights, less those of the photograph, that the grid follows. */
  private shape({ weights, gaze }: Moment): { weights: Float32Array; lidShares: readonly number[] } {
    const { head, offsets, seal, lids } = this.stage;
    const { weights: open, shares } = lids.split(weights);
    head.model.shape({ identity: head.fit.identity, weights: open, into: this.shaped, ...(gaze && { gaze }) });
    for (let i = 0; i < offsets.length; i++) this.face[i] = this.shaped[i]! + offsets[i]!;
    this.turnEyes();
    seal.close(this.face, this.shaped);
    lids.addTo(open, lids.close(this.face, shares));
    return { weights: open.map((weight, i) => weight - this.restWeights[i]!), lidShares: shares };
  }

  /**
   * Eyes turn by what is seen on their balls: these stay as they fit between the photograph's lids. What is seen at a vertex is
   * what was where it would come from, which for such turns is as far from it as it has gone, on its other side.
   */
  private turnEyes(): void {
    const { head, face, eyeShares } = this.stage;
    for (const part of ['scleraLeft', 'scleraRight'] as const) {
      const [first, end] = head.model.parts[part].vertices;
      const still = face.subarray(3 * first, 3 * end);
      const turned = this.face.subarray(3 * first, 3 * end);
      const seen = head.project(
        still.map((value, i) => value + eyeShares[first + Math.floor(i / 3)]! * (value - turned[i]!)),
      );
      for (let v = first; v < end; v++)
        this.attributes.set(seen.subarray(3 * (v - first), 3 * (v - first) + 2), attributeCount * v);
      turned.set(still);
    }
  }

  /**
   * What a photograph shows between the lips stays where it is with the head, wherever the model has its own teeth, and what is below
   * follows the jaw. So each vertex is looked up where the photograph has the place at which it is now.
   * @returns how far the jaw has gone in the photograph, in pixels
   */
  private holdInside(): [x: number, y: number] {
    const { head, open, jaw, mesh } = this.stage;
    if (!open) return [0, 0];
    const points = new Float32Array(3 * mesh.inside.size);
    let i = 0;
    for (const own of mesh.inside.values()) points.set(this.face.subarray(3 * own, 3 * own + 3), 3 * i++);
    const seen = head.project(points);
    i = 0;
    for (const v of mesh.inside.keys()) {
      this.attributes.set(seen.subarray(3 * i, 3 * i + 2), attributeCount * v + sourceAt);
      i++;
    }
    const [x, y] = middleOf(head, jaw.vertices, this.face);
    return [x - jaw.at[0], y - jaw.at[1]];
  }

  /** As much as pixels lack of the photograph's own grain because they were made, or looked up between its pixels. */
  private addGrain(seed: number): void {
    const { grain, mesh, open, pictures } = this.stage;
    // Of an open mouth the photograph shows the inside.
    const firstDrawn = open ? mesh.triangles.shape[0]! : mesh.firstInside;
    op('headrace::addGrain')(
      this.places,
      pictures.person,
      this.meshRaster.triangle,
      firstDrawn,
      grain.strength,
      grain.beside,
      grain.together,
      seed,
      this.out,
    );
  }

  private draw(nodes: Float32Array): void {
    const { grid, mesh } = this.stage;
    this.gridRaster.clear().draw(nodes, grid.triangles);
    drawMesh(this.meshRaster.clear(), this.points, mesh);
  }

  /** How the light on each vertex has changed. */
  private light(pose: HeadTurn): void {
    const { head, mouth, mesh, skin } = this.stage;
    const skinEnd = head.model.parts.innerFace.vertices[1];
    const normals = vertexNormals(this.face, this.triangles).data() as Float32Array;
    head.camera.turn(normals, pose, normals);
    const change = this.brightness(normals);
    for (let v = 0; v < skinEnd; v++)
      change[v] = Math.sqrt(Math.min(brightest, Math.max(darkest, change[v]! / this.restLight[v]!)));
    skin.smooth(change, evenRounds);
    for (let v = 0; v < skinEnd; v++) {
      this.attributes[attributeCount * v + lightAt] = change[v]!;
      const over = skin.over[v]!;
      this.attributes[attributeCount * v + overAt] = skin.fixed[v]
        ? over
        : over * smoothstep(edgeOn, facing, normals[3 * v + 2]!);
    }
    for (const [v, own] of mesh.inside) {
      const facing = Math.min(1, Math.max(0.25, 0.5 + 0.5 * normals[3 * own + 2]!));
      for (let c = 0; c < 3; c++) this.attributes[attributeCount * v + c] = mouth.colours[3 * own + c]! * facing;
    }
  }

  private brightness(normals: Float32Array): Float32Array {
    const [l0, ly, lz, lx, lxy, lyz, lzz, lxz, lxxyy] = this.harmonics;
    const out = new Float32Array(this.stage.head.model.parts.innerFace.vertices[1]);
    for (let v = 0; v < out.length; v++) {
      const [x, y, z] = [normals[3 * v]!, normals[3 * v + 1]!, normals[3 * v + 2]!];
      const linear = l0 + ly * y + lz * z + lx * x;
      const square = lxy * x * y + lyz * y * z + lzz * (3 * z * z - 1) + lxz * x * z + lxxyy * (x * x - y * y);
      out[v] = Math.max(0, linear + square) + ambient;
    }
    return out;
  }

  /** How far each vertex takes its colour from the picture of closed eyes. */
  private closeLids(shares: readonly number[]): void {
    const { head, lids } = this.stage;
    const end = head.model.parts.innerFace.vertices[1];
    for (let v = 0; v < end; v++) {
      const side = head.model.vertices[3 * v]! > 0 ? 1 : 0;
      this.attributes[attributeCount * v + lidAt] = lids.closedShare(v, shares[side]!);
    }
  }

  /** The pixels about the mouth's inside: left, top, right, bottom. */
  private mouthBox(): [number, number, number, number] {
    const { head } = this.stage;
    const { landmarks } = head.model;
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let k = 48; k < 68; k++) {
      const [x, y] = [this.points[3 * landmarks[k]!]!, this.points[3 * landmarks[k]! + 1]!];
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
    const [w, h] = [head.width, head.height];
    const within = (value: number, most: number): number => Math.min(most, Math.max(0, Math.round(value)));
    const margin = 0.03 * head.eyes + 2;
    if (!(left <= right && top <= bottom)) return [0, 0, 0, 0];
    return [within(left - margin, w), within(top - margin, h), within(right + margin, w), within(bottom + margin, h)];
  }

  dispose(): void {
    this.gridRaster.dispose();
    this.meshRaster.dispose();
    for (const held of [this.triangles, this.places, this.out]) held.dispose();
  }
}

/** Of 1, y, z, x, xy, yz, 3zz - 1, xz, xx - yy. */
type Harmonics = readonly [number, number, number, number, number, number, number, number, number];

/** Light as what stands before each term of {@link basis}. */
function polynomial(light: Float32Array): Harmonics {
  const [level, along, between] = [basis(0, 0, 0), basis(1, 1, 1), basis(1, 0, 0)];
  const factors = [
    along[0]!,
    along[1]!,
    along[2]!,
    along[3]!,
    along[4]!,
    along[5]!,
    -level[6]!,
    along[7]!,
    between[8]!,
  ];
  return factors.map((factor, k) => factor * light[k]!) as unknown as Harmonics;
}

/** What no frame changes: places in the photograph, shares of the mesh, lids' places. */
function fixedAttributes({ head, skin, lids, mesh }: Stage): Float32Array {
  const { model } = head;
  const out = new Float32Array(attributeCount * (model.vertexCount + mesh.rims.length));
  for (let v = 0; v < model.vertexCount; v++) {
    const place = [skin.sources[2 * v]!, skin.sources[2 * v + 1]!];
    out.set(
      [...place, skin.over[v]!, 1, lids.closedPlaces[2 * v]!, lids.closedPlaces[2 * v + 1]!, 0],
      attributeCount * v,
    );
  }
  for (const v of mesh.inside.keys()) out.fill(0, attributeCount * v, attributeCount * (v + 1));
  return out;
}
