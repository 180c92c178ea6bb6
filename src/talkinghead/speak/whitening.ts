/** Codes brought to a mean of 0, and to numbers that differ by as much as each other and say nothing of each other. */
import { type FactoryOptions, init, Module } from '../../nn/index.js';
import { empty, noGrad, ops, scope, type Tensor, zeros } from '../../torch/index.js';

export interface WhiteningOptions extends FactoryOptions {
  /** Of the mean variance: what varies less than this is not made larger by as much. Default 1e-5. */
  readonly least?: number;
}

/**
 * Most of a code is the same for all faces, and much of the rest goes up and down together; what tells poses apart may be a hundredth
 * of it. A network that is given it as it is needs thousands of steps to begin to look at that. Changes nothing until it is fitted.
 * Keys, both buffers: `mean`, `matrix`.
 */
export class Whitening extends Module {
  mean!: Tensor;
  /** [size, size] */
  matrix!: Tensor;
  readonly #least: number;

  constructor(size: number, { least = 1e-5, ...made }: WhiteningOptions = {}) {
    super();
    this.#least = least;
    this.registerBuffer('mean', zeros([size], made));
    this.registerBuffer('matrix', empty([size, size], made));
    this.initSelf(made);
  }

  override resetParameters(): void {
    init.zeros_(this.mean);
    init.eye_(this.matrix);
  }

  /** @param rows - [N, size], such as will come */
  fit(rows: Tensor): void {
    noGrad(() =>
      scope(() => {
        const all = rows.to({ dtype: 'float64' });
        const mean = all.mean(0);
        const apart = all.sub(mean);
        const [values, vectors] = ops.linalgEigh(apart.t().matmul(apart).div(all.shape[0]!));
        const floor = this.#least * values.mean().item() + 1e-12;
        // By the eigenvectors and back, so that numbers stay as near to what they were as they can.
        const matrix = vectors.mul(values.clamp(0).add(floor).rsqrt()).matmul(vectors.t());
        this.mean.copy_(mean);
        this.matrix.copy_(matrix);
      }),
    );
  }

  /** @param x - [..., size] */
  forward(x: Tensor): Tensor {
    return x.sub(this.mean).matmul(this.matrix);
  }
}
