/** The modules and functions of make_style_golden.py, by its names. */
import * as nn from 'headrace/nn';
import { type Tensor, tensor } from 'headrace/torch';
import type { Case } from './cases.js';

const F = nn.functional;
const made = (x: Tensor) => ({ dtype: x.dtype });
const filter = (x: Tensor, ...taps: number[]): Tensor => tensor(taps, made(x));
const smooth = (x: Tensor): Tensor => filter(x, 1, 3, 3, 1);

/** Of an input that gradients are taken of, where the test does not take them itself. */
function ofSlope(given: Tensor, call: (x: Tensor) => Tensor): Tensor {
  if (given.requiresGrad) return call(given);
  const like = given.clone();
  like.requiresGrad = true;
  return call(like);
}

/** A function of its inputs. */
const applied = (call: (...x: Tensor[]) => Tensor): Case => ({ call: (_, ...x) => call(...x) });
const kernel = (size: number, resample: 'up' | 'down'): Case => ({
  make: (o) => new nn.EqualizedConv2d(3, 2, size, { ...o, resample }),
});

class Judge extends nn.Module {
  conv: nn.EqualizedConv2d;

  constructor(options: nn.FactoryOptions) {
    super();
    this.conv = new nn.EqualizedConv2d(2, 3, 3, { ...options, resample: 'down' });
  }

  forward(x: Tensor): Tensor {
    return F.softplus(this.conv.forward(x)).sum([1, 2, 3]);
  }
}

export const styleCases: Record<string, Case> = {
  'fir, neither': applied((x) => F.upfirdn2d(x, filter(x, 1, -2, 0.5), { padding: [1, 2, 0, 1], gain: 0.7 })),
  'fir, up 3': applied((x) => F.upfirdn2d(x, smooth(x), { up: 3, padding: [2, 1, 3, 0] })),
  'fir, down 2, cut': applied((x) => {
    const square = tensor(
      [
        [1, 2],
        [0.5, -1],
      ],
      made(x),
    );
    return F.upfirdn2d(x, square, { down: 2, padding: [-1, 0, 1, 0] });
  }),
  'fir, twice the size': applied((x) => F.upsampleFir(x, smooth(x))),
  'fir, half the size': applied((x) => F.downsampleFir(x, smooth(x))),
  equalizedLinear: { make: (o) => new nn.EqualizedLinear(3, 4, o) },
  'equalizedLinear, slow, no bias': {
    make: (o) => new nn.EqualizedLinear(3, 2, { ...o, bias: false, lrMultiplier: 0.01 }),
  },
  equalizedConv2d: { make: (o) => new nn.EqualizedConv2d(3, 2, 3, o) },
  'equalizedConv2d, down, 1': kernel(1, 'down'),
  'equalizedConv2d, up, 1': kernel(1, 'up'),
  'equalizedConv2d, down, 3': kernel(3, 'down'),
  'equalizedConv2d, up, 3': kernel(3, 'up'),
  modulatedConv2d: { make: (o) => new nn.ModulatedConv2d(3, 4, 3, 5, o) },
  'modulatedConv2d, up': { make: (o) => new nn.ModulatedConv2d(3, 2, 3, 5, { ...o, up: true }) },
  'modulatedConv2d, not demodulated': {
    make: (o) => new nn.ModulatedConv2d(3, 2, 1, 5, { ...o, demodulate: false }),
  },
  minibatchStdDev: { make: () => new nn.MinibatchStdDev(2) },
  'minibatchStdDev of 6 by 4, two features': { make: () => new nn.MinibatchStdDev(4, 2) },
  pixelNorm: { make: () => new nn.PixelNorm() },
  r1: {
    make: (o) => new Judge(o),
    call: (m, given) => ofSlope(given!, (x) => F.squaredGradients((m as Judge).forward(x), x)),
  },
  pathLengths: {
    make: (o) => new nn.ModulatedConv2d(3, 2, 3, 5, { ...o, up: true }),
    call: (m, x, given, noise) =>
      ofSlope(given!, (style) => F.pathLengths((m as nn.ModulatedConv2d).forward(x!, style), style, noise!)),
  },
};
