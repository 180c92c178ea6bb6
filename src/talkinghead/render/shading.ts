/** Light that comes from all sides and changes slowly with the direction, as nine numbers. */

import { expectTensor } from '../../torch/expect.js';
import { ShapeError, scope, stack, type Tensor, tensor } from '../../torch/index.js';
import { checkFinite, checkTuple } from './checks.js';

/** Of the real spherical harmonics up to order 2 (Ramamoorthi and Hanrahan, SIGGRAPH 2001, equation 3). */
const constant = Math.sqrt(1 / (4 * Math.PI));
const linear = Math.sqrt(3 / (4 * Math.PI));
const product = Math.sqrt(15 / (4 * Math.PI));
const square = Math.sqrt(5 / (16 * Math.PI));
const difference = Math.sqrt(15 / (16 * Math.PI));

/** What a matt surface keeps of each order of light: the cosine's own harmonics, over pi (the same, equation 8). */
const mattness = [1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4];

/** The nine harmonics of a direction of length 1: 1, y, z, x, xy, yz, 3zz - 1, xz, xx - yy, each times its constant. */
export function basis(x: number, y: number, z: number): number[] {
  return [
    constant,
    linear * y,
    linear * z,
    linear * x,
    product * x * y,
    product * y * z,
    square * (3 * z * z - 1),
    product * x * z,
    difference * (x * x - y * y),
  ];
}

/**
 * The nine real spherical harmonics of directions `[.., 3]` of length 1, as `[.., 9]`: of orders 0, 1 (y, z, x) and
 * 2 (xy, yz, 3zz - 1, xz, xx - yy).
 * @throws ConfigError, ShapeError
 */
export function sphericalHarmonics(directions: Tensor): Tensor {
  const where = 'sphericalHarmonics';
  expectTensor(where, directions, 'directions');
  const { shape } = directions;
  if (shape.at(-1) !== 3) throw new ShapeError(`${where}: expected directions [.., 3], got [${shape.join(', ')}]`);
  return scope(() => {
    const [x, y, z] = [0, 1, 2].map((axis) => directions.select(-1, axis)) as [Tensor, Tensor, Tensor];
    return stack(
      [
        x.mul(0).add(constant),
        y.mul(linear),
        z.mul(linear),
        x.mul(linear),
        x.mul(y).mul(product),
        y.mul(z).mul(product),
        z.mul(z).mul(3).sub(1).mul(square),
        x.mul(z).mul(product),
        x.mul(x).sub(y.mul(y)).mul(difference),
      ],
      -1,
    );
  });
}

/**
 * How bright surfaces are that face these ways: the sum of each harmonic times its light. It has gradients.
 * @param normals - `[.., 3]` of length 1
 * @param light - `[9]`, or `[9, C]` for channels of their own
 * @returns `[..]`, or `[.., C]`; below 0 where the nine numbers say so
 * @throws ConfigError, ShapeError
 */
export function shade(normals: Tensor, light: Tensor): Tensor {
  expectTensor('shade', light, 'light');
  const { shape } = light;
  if (shape[0] !== 9 || shape.length > 2)
    throw new ShapeError(`shade: expected light [9] or [9, C], got [${shape.join(', ')}]`);
  return scope(() => sphericalHarmonics(normals).matmul(light));
}

/**
 * The light `[9]` of a far lamp on matt skin: brightness is `strength` times the cosine to the lamp, and 0 on the side away
 * from it, but for what order 2 cannot follow: at most 0.094 of `strength`, where light comes from the side.
 * @param direction - towards the lamp, of any length but 0
 * @param ambient - brightness that is everywhere besides
 * @throws ConfigError
 */
export function directionalLight(direction: readonly [number, number, number], strength = 1, ambient = 0): Tensor {
  const where = 'directionalLight';
  checkTuple(where, 'direction', direction, 3);
  checkFinite(where, 'strength', strength);
  checkFinite(where, 'ambient', ambient);
  const length = checkFinite(where, "direction's length", Math.hypot(...direction), 0);
  const [x, y, z] = direction.map((part) => part / length) as [number, number, number];
  const light = basis(x, y, z).map((value, k) => Math.PI * strength * mattness[k]! * value);
  light[0]! += ambient / constant;
  return tensor(light);
}
