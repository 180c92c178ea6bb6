/** Meshes as the native loops take them: vertices and triangles, from tensors or from the face's plain arrays. */

import { expectTensor, misfit } from '../../torch/expect.js';
import { type DType, op, ShapeError, scope, Tensor, tensor, zeros } from '../../torch/index.js';

/** Three numbers a vertex: a tensor `[V, 3]` of float32, or one array after the other, as `FaceModel.shape` gives them. */
export type Points = Tensor | Float32Array;

/** Three vertices a triangle: a tensor `[T, 3]` of int32, or one array after the other, as `FaceModel.triangles`. */
export type Triangles = Tensor | Uint32Array | Int32Array;

/** The tensor of these points, contiguous. Within a scope, which frees what had to be made. */
export function pointsTensor(where: string, name: string, points: Points): Tensor {
  if (points instanceof Float32Array) return tensor(points, { shape: rowsOf(where, name, points.length) });
  if (!(points instanceof Tensor)) throw misfit(where, `a Float32Array or a tensor [V, 3] for ${name}`, points);
  return plainTensor(where, name, points, 'float32', [null, 3]);
}

/** As {@link pointsTensor}, for triangles. */
export function trianglesTensor(where: string, triangles: Triangles): Tensor {
  if (triangles instanceof Uint32Array || triangles instanceof Int32Array) {
    const { buffer, byteOffset, length } = triangles;
    return tensor(new Int32Array(buffer, byteOffset, length), { shape: rowsOf(where, 'triangles', length) });
  }
  if (!(triangles instanceof Tensor)) {
    throw misfit(where, 'a Uint32Array, an Int32Array or a tensor [T, 3] for triangles', triangles);
  }
  return plainTensor(where, 'triangles', triangles, 'int32', [null, 3]);
}

function rowsOf(where: string, name: string, length: number): [number, number] {
  if (length % 3 !== 0) throw new ShapeError(`${where}: expected ${name} in threes, got ${length} numbers`);
  return [length / 3, 3];
}

/**
 * `value`, contiguous, once it is what a native loop can read. `null` in `shape` stands for any size.
 * @throws ConfigError, ShapeError
 */
export function plainTensor(
  where: string,
  name: string,
  value: Tensor,
  dtype: DType | readonly DType[],
  shape: readonly (number | null)[],
): Tensor {
  expectTensor(where, value, name);
  const dtypes = Array.isArray(dtype) ? (dtype as readonly DType[]) : [dtype as DType];
  const sizes = value.shape;
  const fits = sizes.length === shape.length && shape.every((size, i) => size === null || size === sizes[i]);
  if (!fits || !dtypes.includes(value.dtype)) {
    const expected = `${dtypes.join(' or ')} [${shape.map((size) => size ?? 'any').join(', ')}]`;
    throw new ShapeError(`${where}: expected ${name} of ${expected}, got ${value.dtype} [${sizes.join(', ')}]`);
  }
  if (value.device !== 'cpu')
    throw misfit(where, `${name} on the CPU`, value, `It is on ${value.device}: move it with .to({ device: 'cpu' }).`);
  if (value.requiresGrad)
    throw misfit(where, `${name} without a gradient`, value, 'Drawing has none: detach() it first.');
  return value.contiguous();
}

/** A tensor to write a result to: the one given, or a new one of zeros. @throws ConfigError, ShapeError */
export function writable(
  where: string,
  into: Tensor | undefined,
  dtype: 'float32' | 'uint8',
  shape: readonly number[],
): Tensor {
  if (into === undefined) return zeros(shape, { dtype });
  plainTensor(where, 'into', into, dtype, shape);
  return into;
}

/**
 * The normals of a mesh's vertices `[V, 3]`, of length 1: the mean of its triangles' normals by their areas. They point to
 * where triangles are seen to run anticlockwise, which is outside for `FaceModel`. A vertex of no triangle, or only of such
 * as have no area or a corner that is not finite, has the normal (0, 0, 0).
 * @throws ConfigError, ShapeError for arrays of another kind; TorchError where a triangle names a vertex that is not there
 */
export function vertexNormals(points: Points, triangles: Triangles): Tensor {
  const where = 'vertexNormals';
  return scope(() => {
    const corners = trianglesTensor(where, triangles);
    return op('headrace::vertexNormals')(pointsTensor(where, 'points', points), corners) as Tensor;
  });
}
