/** Triangles to pixels, with a depth buffer. */
import { ConfigError, checkOptions, op, ops, scope, type Tensor, zeros } from '../../torch/index.js';
import { checkChoice, checkTuple, checkWhole } from './checks.js';
import { type Points, plainTensor, pointsTensor, type Triangles, trianglesTensor, writable } from './mesh.js';

export interface DrawOptions {
  /** `[first, end)`: which of the triangles to draw, such as a part's of `FaceModel`; by default all. */
  readonly range?: readonly [first: number, end: number];
  /** Added to the triangles' numbers in {@link Raster.triangle}, so that a second mesh's differ from the first's; 0 by default. */
  readonly firstId?: number;
  /** What to leave out: `'back'` are triangles whose corners run clockwise in the picture. By default none. */
  readonly cull?: 'none' | 'back' | 'front';
}

export interface InterpolateOptions {
  /** As it was when the mesh was drawn. */
  readonly firstId?: number;
  /** `[V]`: one over each vertex's distance from the camera, or 1/w, for what runs straight in space and not in the picture. */
  readonly inverseDistance?: Tensor;
  /** `[H, W, C]` to write to, which keeps its values where this mesh is not; by default a new one of zeros. */
  readonly into?: Tensor;
}

const culls = ['none', 'back', 'front'] as const;
const largestSide = 32768;
const largestId = 2 ** 31 - 1;

/**
 * A picture of triangles: which of them is nearest in each pixel, how near, and where in it the pixel's centre lies.
 *
 * Coordinates are in pixels: (0, 0) is the upper left corner of the first pixel, whose centre is (0.5, 0.5). Corners are
 * rounded to 1/4096 of a pixel; a pixel belongs to a triangle if its centre is inside, and a centre on an edge that two
 * triangles share belongs to one of them, never to both or none (the top-left rule). Triangles without area are not drawn,
 * nor are those with a corner that is not finite or further than 131,072 pixels from the first pixel: what is behind a
 * {@link Camera} has such corners.
 *
 * **Depth**: larger is nearer. It runs straight across the picture, as z does in an orthographic view and 1 / distance in
 * a perspective one. Of what is equally near, what was drawn first stays: within a mesh the triangle of the lower number.
 *
 * Rows are spread over the threads that `setNumThreads` sets; the result is the same bytes for any number.
 *
 * @example
 * const raster = new Raster(512, 512);
 * raster.draw(camera.project(face.shape()), face.triangles, { cull: 'back' });
 */
export class Raster {
  readonly height: number;
  readonly width: number;
  /** `[H, W]` float32; minus infinity where nothing was drawn. */
  readonly depth: Tensor;
  /** `[H, W]` int32: the number of the triangle, plus `firstId`; -1 where nothing was drawn. */
  readonly triangle: Tensor;
  /** `[H, W, 2]` float32: the weights of the triangle's first and second corner; the third has the rest to 1. */
  readonly barycentric: Tensor;

  /** An empty one, which lives until it is unreachable or disposed, whatever scope it was made in. */
  constructor(height: number, width: number) {
    this.height = checkWhole('Raster', 'height', height, 1, largestSide);
    this.width = checkWhole('Raster', 'width', width, 1, largestSide);
    const size = [height, width];
    this.depth = ops.full(size, Number.NEGATIVE_INFINITY, { dtype: 'float32' }).keep();
    this.triangle = ops.full(size, -1, { dtype: 'int32' }).keep();
    this.barycentric = zeros([...size, 2]).keep();
  }

  /** As new. */
  clear(): this {
    op('headrace::clearRaster')(this.depth, this.triangle, this.barycentric);
    return this;
  }

  /**
   * Draws a mesh over what there is: behind what is nearer, in front of what is further away.
   * @param points - x and y in pixels, and the depth
   * @returns how many triangles there were to draw: neither culled nor without area, and with a pixel's row and column in reach
   * @throws ConfigError, ShapeError for arguments of another kind; TorchError where a triangle names a vertex that is not there
   */
  draw(points: Points, triangles: Triangles, options: DrawOptions = {}): number {
    const where = 'Raster.draw';
    checkOptions(where, options, ['range', 'firstId', 'cull']);
    const cull = culls.indexOf(checkChoice(where, 'cull', options.cull ?? 'none', culls));
    return scope(() => {
      const positions = pointsTensor(where, 'points', points);
      const corners = trianglesTensor(where, triangles);
      const count = corners.shape[0]!;
      const [first, end] = checkRange(where, options.range ?? [0, count], count);
      const firstId = checkWhole(where, 'firstId', options.firstId ?? 0, 0, largestId - count);
      const { depth, triangle, barycentric } = this;
      const rasterise = op('headrace::rasterise');
      return rasterise(positions, corners, first, end, firstId, cull, depth, triangle, barycentric) as number;
    });
  }

  /**
   * What the vertices of a drawn mesh have (colours, places in a photograph, normals), in each pixel of it.
   * @param attributes - `[V, C]` float32
   * @param triangles - those that were drawn, all of them
   * @returns `[H, W, C]` float32; 0 in the pixels where this mesh is not, or what `into` has there
   * @throws ConfigError, ShapeError for arguments of another kind; TorchError where a triangle names a vertex that is not there
   */
  interpolate(attributes: Tensor, triangles: Triangles, options: InterpolateOptions = {}): Tensor {
    const where = 'Raster.interpolate';
    checkOptions(where, options, ['firstId', 'inverseDistance', 'into']);
    const firstId = checkWhole(where, 'firstId', options.firstId ?? 0, 0, largestId);
    return scope(() => {
      const values = plainTensor(where, 'attributes', attributes, 'float32', [null, null]);
      const corners = trianglesTensor(where, triangles);
      const [vertices, channels] = values.shape as [number, number];
      const weight = options.inverseDistance
        ? plainTensor(where, 'inverseDistance', options.inverseDistance, 'float32', [vertices])
        : null;
      const out = writable(where, options.into, 'float32', [this.height, this.width, channels]);
      op('headrace::interpolate')(values, corners, this.triangle, this.barycentric, weight, firstId, out);
      return out;
    });
  }

  /** Frees the three tensors. */
  dispose(): void {
    for (const tensor of [this.depth, this.triangle, this.barycentric]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function checkRange(where: string, range: readonly number[], count: number): [number, number] {
  const [first, end] = checkTuple(where, 'range', range, 2) as [number, number];
  if (Number.isInteger(first) && Number.isInteger(end) && 0 <= first && first <= end && end <= count)
    return [first, end];
  throw new ConfigError(`${where}: expected range [first, end) within the ${count} triangles, got [${first}, ${end}]`);
}
