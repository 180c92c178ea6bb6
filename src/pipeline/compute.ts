/** What a run's layers compute in: float32, or by autocast 16 bits where that is precise enough. */
import { autocast, ConfigError, type Tensor } from '../torch/index.js';

export const computeTypes = ['float32', 'bfloat16'] as const;
export type ComputeType = (typeof computeTypes)[number];

/** @throws ConfigError for devices where there is no autocast */
export function checkCompute(type: ComputeType | undefined, devices: readonly string[]): void {
  const without = type === 'bfloat16' ? devices.find((device) => !/^(cpu|cuda)\b/.test(device)) : undefined;
  if (without !== undefined)
    throw new ConfigError(
      `Expected compute float32 on the device ${without}, got bfloat16, which is for cpu and cuda.`,
    );
}

/** Runs layers' forward so that their operators compute in this type. @param device - where: `cpu`, `cuda:0` */
export function computing<T>(type: ComputeType | undefined, device: string, forward: () => T): T {
  if (type === undefined || type === 'float32') return forward();
  return autocast({ device: device.startsWith('cuda') ? 'cuda' : 'cpu', dtype: type }, forward);
}

/** What layers gave, as losses and metrics look at it: in float32. */
export function inFull(type: ComputeType | undefined, output: Tensor): Tensor {
  return type === output.dtype ? output.to({ dtype: 'float32' }) : output;
}
