/// <reference lib="esnext.disposable" preserve="true" />
/** Tensors, operators, autograd, scopes, generators and queues. */
import './methods.js';

export { type AutocastOptions, autocast, isAutocastEnabled } from './autocast.js';
export { backward, clearGrads, enableGrad, grad, gradsOf, isGradEnabled, noGrad } from './autograd.js';
export {
  arange,
  cat,
  elementSize,
  empty,
  eye,
  full,
  linspace,
  type NestedArray,
  ones,
  type RandomOptions,
  rand,
  randint,
  randn,
  randperm,
  stack,
  type TensorOptions,
  tensor,
  tensorFromBytes,
  where,
  zeros,
} from './create.js';
export { customFunction, type FunctionContext, type FunctionDefinition } from './custom-function.js';
export type { DType, MemoryFormat, TypedArray } from './dtype.js';
export {
  ConfigError,
  DataError,
  HeadraceError,
  QueueError,
  RankError,
  ShapeError,
  StageError,
  TorchError,
} from './errors.js';
export type { Argument, Result } from './frame.js';
export { defaultGenerator, deriveSeed, Generator, manualSeed } from './generator.js';
export { type GradcheckOptions, gradcheck } from './gradcheck.js';
export { type GradHook, type GradsHook, type RemovableHandle, removable, watchGrads } from './hooks.js';
export { type Index, Slice, slice } from './indexing.js';
export { emptyCache, memoryStats } from './memory-stats.js';
export type { ToOptions } from './methods.js';
export type { NativeInfo, QueueStats } from './native.js';
export { hasOp, type Operator, op, ops } from './ops.js';
export { checkOptions, nearest } from './options.js';
export { type MemoryLimits, setMemoryLimits } from './pile.js';
export { Queue, type QueueItem } from './queue.js';
export { keep, liveBytes, liveTensors, scope } from './scope.js';
export { buildInfo, getNumThreads, operatorSchemas, setNumThreads } from './system.js';
export { type NestedNumbers, Tensor } from './tensor.js';
export { type UniqueOptions, unique, uniqueConsecutive } from './unique.js';

declare global {
  /** Of Node's types or the browser's; a program that has neither can still read the types that name it. */
  interface AbortSignal {}
}
