/** What all people share: the face model, where its skin lies in a texture, what hides what, and the raster that is drawn on. */
import { checkOptions, type Tensor, tensor, zeros } from '../../torch/index.js';
import { FaceModel } from '../face/index.js';
import { checkWhole } from '../render/checks.js';
import { Raster } from '../render/index.js';
import { markedLandmarks } from './marks.js';
import { findDirections, type SkinDirections } from './skull.js';
import { mapSkin, type SkinMap } from './surface.js';
import { lookAround, type Visibility } from './visibility.js';

export interface StageOptions {
  /** Pixels of the pictures' width and height, 16 to 2048; 128 by default. */
  readonly size?: number;
  /** By default the one that comes with Headrace. */
  readonly face?: FaceModel;
}

/**
 * Where synthetic faces of one size are drawn. Making one takes half a second; share it among people. It draws one picture at a time.
 */
export class FaceStage {
  readonly size: number;
  readonly face: FaceModel;
  /** The 68 vertices of labels: the face's own, but for brows and jaw line, which lie where people mark them. */
  readonly landmarks: Uint32Array;
  /** @internal `[68]`: {@link landmarks}. */
  readonly landmarkRows: Tensor;
  /** Texels of the skin's width and height. */
  readonly texels: number;
  /** @internal */
  readonly skin: SkinMap;
  /** @internal */
  readonly directions: SkinDirections;
  /** @internal */
  readonly visibility: Visibility;
  /** @internal Two samples a pixel, across and down. */
  readonly raster: Raster;
  /** @internal */
  readonly hairRaster: Raster;
  /** @internal `[2 size, 2 size, 4]`: light and its share. */
  readonly samples: Tensor;
  /** @internal */
  readonly picture: Tensor;
  /** @internal */
  readonly mask: Tensor;

  constructor(options: StageOptions = {}) {
    checkOptions('FaceStage', options, ['size', 'face']);
    this.size = checkWhole('FaceStage', 'size', options.size ?? 128, 16, 2048);
    this.face = options.face ?? FaceModel.load();
    this.texels = this.size <= 160 ? 256 : this.size <= 320 ? 512 : 1024;
    this.landmarks = markedLandmarks(this.face);
    this.landmarkRows = tensor(Int32Array.from(this.landmarks)).keep();
    this.skin = mapSkin(this.face, this.landmarks, this.texels);
    this.directions = findDirections(this.face);
    this.visibility = lookAround(this.face);
    const side = 2 * this.size;
    this.raster = new Raster(side, side);
    this.hairRaster = new Raster(side, side);
    this.samples = zeros([side, side, 4]).keep();
    this.picture = zeros([this.size, this.size, 3], { dtype: 'uint8' }).keep();
    this.mask = zeros([this.size, this.size], { dtype: 'uint8' }).keep();
  }

  /** Frees what was drawn on. */
  dispose(): void {
    this.raster.dispose();
    this.hairRaster.dispose();
    for (const held of [this.landmarkRows, this.samples, this.picture, this.mask]) held.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
