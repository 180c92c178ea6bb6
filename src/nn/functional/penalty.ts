/** Penalties on gradients: their own gradients are of second order. */
import { expectTensor } from '../../torch/expect.js';
import { grad, ops, ShapeError, type Tensor } from '../../torch/index.js';

/**
 * How steep scores are at their inputs: for each sample the squared length of the gradient. The R1 penalty of Mescheder et
 * al. 2018 is `gamma / 2` times the mean of it over real pictures.
 * @param scores - of each sample by itself, of any shape
 * @param inputs - [B, ...], of which `scores` were made and which require gradients
 * @returns [B], through which gradients flow
 */
export function squaredGradients(scores: Tensor, inputs: Tensor): Tensor {
  expectTensor('squaredGradients', scores);
  expectTensor('squaredGradients', inputs);
  const [slope] = grad(scores.sum(), inputs, { createGraph: true });
  return slope!.square().flatten(1).sum(1);
}

/**
 * How far a picture moves when its style does: the length of J'y, where J is the derivative of the pictures by the styles and
 * y is noise, divided by the root of the number of pixels (Karras et al. 2020, section 3.2). The penalty is the mean squared
 * distance of these lengths from their own running mean.
 * @param pictures - [B, C, H, W], made of `styles`
 * @param styles - [B, W], or [B, layers, W], over whose layers the mean is taken
 * @param noise - of the pictures' shape, normally distributed
 * @returns [B], through which gradients flow
 */
export function pathLengths(pictures: Tensor, styles: Tensor, noise: Tensor): Tensor {
  for (const tensor of [pictures, styles, noise]) expectTensor('pathLengths', tensor);
  const [, , height, width] = pictures.shape;
  if (pictures.ndim !== 4 || (styles.ndim !== 2 && styles.ndim !== 3))
    throw new ShapeError(
      `pathLengths: expected pictures [B, C, H, W] and styles [B, W] or [B, layers, W], got [${pictures.shape}] and [${styles.shape}]`,
    );
  const seen = pictures
    .mul(noise)
    .sum()
    .div(Math.sqrt(height! * width!));
  const [slope] = grad(seen, styles, { createGraph: true });
  const squares = slope!.square().sum(-1);
  return ops.sqrt(squares.ndim === 1 ? squares : squares.mean(1));
}
