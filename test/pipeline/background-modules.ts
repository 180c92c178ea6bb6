// Modules that the background tests build on threads of their own.
import { Linear, Module, Sequential } from 'headrace/nn';
import { Generator, ones, type Tensor } from 'headrace/torch';

export const linear = ({ seed }: { seed: number }): Linear => new Linear(4, 3).initialise(new Generator(seed));

/** Some tenths of a second of matrix products. */
class Heavy extends Module {
  override forward(x: Tensor): Tensor {
    let y = x;
    for (let i = 0; i < 40; i++) y = y.matmul(x).tanh();
    return y;
  }
}
export const heavy = (): Module => new Sequential(new Heavy());

class Odd extends Module {
  override forward(given: Tensor | [Tensor, { mask: Tensor }], how: string): unknown {
    if (Array.isArray(given)) return [given[0], given[1].mask.add(given[0])];
    const x = given;
    if (how === 'list') return [x, x.mul(2)];
    if (how === 'function') return () => x;
    if (how === 'names') return { once: x, twice: x.mul(2) };
    if (how === 'mode') return ones([1]).mul(this.training ? 1 : 0);
    if (how === 'range') throw new RangeError('too far');
    if (how === 'end') process.exit(3);
    return how === 'shape' ? x.matmul(ones([7, 7])) : 'nothing';
  }
}
export const odd = (): Module => new Odd();

export const failing = (): Module => {
  throw new TypeError('cannot be built');
};
