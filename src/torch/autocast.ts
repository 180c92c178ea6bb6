/** Automatic mixed precision (`torch.autocast`): 16 bits where that is precise enough, float32 elsewhere. */
import { asynchronous, ConfigError, translating } from './errors.js';
import { expectFunction } from './expect.js';
import { native } from './native.js';
import { checkFlag, checkOptions } from './options.js';

export interface AutocastOptions {
  /** The kind of device whose operators cast. Default `cpu`. */
  readonly device?: 'cpu' | 'cuda';
  /** What convolutions and matrix products compute in: on the CPU `bfloat16` alone. Default `bfloat16`, where PyTorch has float16 on CUDA. */
  readonly dtype?: 'bfloat16' | 'float16';
  /** False switches it off inside of another. Default true. */
  readonly enabled?: boolean;
}

/**
 * Runs `body` with autocast on in this thread: libtorch's operators cast their inputs as its lists say, convolutions and matrix
 * products to 16 bits, many losses to float32. Parameters stay as they are, and so do their gradients. Call `backward` outside:
 * operators of the backward compute in what those of the forward did.
 * @throws TorchError if `body` is asynchronous: autocast would be over before it ends
 */
export function autocast<T>(options: AutocastOptions, body: () => T): T {
  const { device, dtype, enabled } = checked(options);
  expectFunction('autocast', body, 'a function after the options');
  const before = [native.autocastOn(device), native.autocastDtype(device)] as const;
  native.setAutocast(device, enabled, dtype);
  try {
    const result = body();
    if (result instanceof Promise) throw asynchronous('autocast() takes', result);
    return result;
  } finally {
    native.setAutocast(device, ...before);
  }
}

/** Whether operators of this kind of device cast now, in this thread. */
export function isAutocastEnabled(device: 'cpu' | 'cuda' = 'cpu'): boolean {
  return translating(() => native.autocastOn(device));
}

/**
 * Runs `body` in what its inputs are of, under autocast too: places and pictures would be left with steps of a tenth of a pixel and
 * of half a byte.
 * @param where - the device of its tensors
 * @internal
 */
export function exactly<T>(where: string, body: () => T): T {
  const device = where.startsWith('cuda') ? 'cuda' : 'cpu';
  return isAutocastEnabled(device) ? autocast({ device, enabled: false }, body) : body();
}

function checked(options: AutocastOptions = {}): Required<AutocastOptions> {
  checkOptions('autocast', options, ['device', 'dtype', 'enabled']);
  checkFlag('autocast', 'enabled', options.enabled);
  const { device = 'cpu', dtype = 'bfloat16', enabled = true } = options;
  if (device !== 'cpu' && device !== 'cuda')
    throw new ConfigError(`autocast: expected the device 'cpu' or 'cuda', got ${JSON.stringify(device)}`);
  const allowed = device === 'cpu' ? ['bfloat16'] : ['bfloat16', 'float16'];
  if (!allowed.includes(dtype))
    throw new ConfigError(
      `autocast: expected dtype ${allowed.join(' or ')} on the device ${device}, got ${JSON.stringify(dtype)}`,
    );
  return { device, dtype, enabled };
}
