/** What is measured on samples, without a spectrum. Values and defaults are librosa's. */
import { ConfigError } from '../../torch/errors.js';
import { scope, type Tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { centredFrames, type PadMode, padModes } from './frames.js';

export interface FrameOptions {
  /** Samples in a frame; 2048 by default. */
  readonly frameLength?: number;
  /** Samples from one frame to the next; 512 by default. Frame `t` is centred on sample `t * hop`. */
  readonly hop?: number;
}

const frameOptionNames = ['frameLength', 'hop'] as const;

/** @throws ConfigError for what cannot be */
function frameDefaults({ frameLength = 2048, hop = 512 }: FrameOptions): Required<FrameOptions> {
  for (const [name, value] of Object.entries({ frameLength, hop })) {
    if (!(Number.isSafeInteger(value) && value > 0))
      throw new ConfigError(`expected ${name} to be a whole number of samples > 0, got ${value}`);
  }
  return { frameLength, hop };
}

/** Samples as near to 0 as this have no sign. */
const ZERO = 1e-10;

/** The share of samples, in each frame of a sound [..., n], whose sign is not that of the one before: [..., 1, frames]. */
export function zeroCrossingRate(y: Tensor, options: FrameOptions = {}): Tensor {
  checkOptions('zeroCrossingRate', options, frameOptionNames);
  const { frameLength, hop } = frameDefaults(options);
  return scope(() => {
    const negative = centredFrames(y, frameLength, hop, 'edge').lt(-ZERO);
    const changes = negative.narrow(-1, 1, frameLength - 1).ne(negative.narrow(-1, 0, frameLength - 1));
    return changes.sum([-1], { dtype: y.dtype }).div(frameLength).unsqueeze(-2);
  });
}

/** The root of the mean square of each frame of a sound [..., n]: [..., 1, frames]. */
export function rms(y: Tensor, options: FrameOptions & { readonly padMode?: PadMode } = {}): Tensor {
  checkOptions('rms', options, [...frameOptionNames, 'padMode']);
  const { frameLength, hop } = frameDefaults(options);
  const { padMode = 'constant' } = options;
  if (!padModes.includes(padMode))
    throw new ConfigError(`expected a padMode ${padModes.join(', ')}, got '${String(padMode)}'`);
  return scope(() => centredFrames(y, frameLength, hop, padMode).square().mean([-1]).sqrt().unsqueeze(-2));
}
