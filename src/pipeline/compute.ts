/** What a run's layers compute in: float32, or by autocast 16 bits where that is precise enough. */
import { autocast, type Tensor } from '../torch/index.js';

export const computeTypes = ['float32', 'bfloat16'] as const;
export type ComputeType = (typeof computeTypes)[number];

/** Where autocast is to be had. */
export const canCast = (device: string): boolean => /^(cpu|cuda)\b/.test(device);

/** Runs layers' forward so that their operators compute in this type. @param device - where: `cpu`, `cuda:0` */
export function computing<T>(type: ComputeType | undefined, device: string, forward: () => T): T {
  if (type === undefined || type === 'float32') return forward();
  return autocast({ device: device.startsWith('cuda') ? 'cuda' : 'cpu', dtype: type }, forward);
}

/** What layers gave, as losses and metrics look at it: in float32. */
export function inFull(type: ComputeType | undefined, output: Tensor): Tensor {
  return type === output.dtype ? output.to({ dtype: 'float32' }) : output;
}
