/**
 * Loads the native addon and states its interface. Everything else in this folder goes through here.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { HeadraceError } from './errors.js';

/** Facts about the libtorch in use, as the addon reports them. */
export interface NativeInfo {
  libtorch: string;
  /** libtorch's own description of how it was built. */
  config: string;
  /** libtorch's own description of its threading. */
  parallel: string;
  mkldnn: boolean;
  mkl: boolean;
  openmp: boolean;
  /** The processor whose kernels OpenBLAS uses, as it names it; null for another BLAS. */
  blasKernels: string | null;
  cudaDevices: number;
  mpsDevices: number;
  gloo: boolean;
  nccl: boolean;
  /** Whether glibc was told to keep freed blocks. */
  allocatorTuned: boolean;
  /** Intra-op threads of the calling thread. */
  threads: number;
}

/** A look at a queue. Times are totals over its life. */
export interface QueueStats {
  depth: number;
  maxDepth: number;
  capacity: number;
  puts: number;
  gets: number;
  putWaitMs: number;
  getWaitMs: number;
  closed: boolean;
}

/** The addon's functions. Handles are numbers; lists of tensors travel in the call frame (see frame.ts). */
export interface Native {
  attachFrame(cells: Float64Array): void;
  resolve(name: string): number;
  call(op: number, positional: number, keywords: number): void;
  intern(text: string): number;
  stringOf(id: number): string;
  schemas(): string[];
  beginScope(): void;
  endScope(survivors: number): void;
  release(handle: number): void;
  keep(handle: number): void;
  liveTensors(): number;
  threadTensors(): number;
  sizes(handle: number): number;
  dtype(handle: number): string;
  device(handle: number): string;
  item(handle: number): number;
  fromBytes(bytes: Uint8Array, dtype: string, ndim: number): number;
  byteLength(handle: number): number;
  copyOut(handle: number, bytes: Uint8Array): void;
  backward(retainGraph: boolean, createGraph: boolean): void;
  grad(retainGraph: boolean, createGraph: boolean, allowUnused: boolean): void;
  gradsOf(): void;
  registerHook(handle: number, hook: () => void): void;
  watchGrads(hook: () => void): void;
  clearGrads(): void;
  setGrad(): void;
  requiresGrad(handle: number): boolean;
  setRequiresGrad(handle: number, value: boolean): void;
  isLeaf(handle: number): boolean;
  gradFn(handle: number): string;
  retainGrad(handle: number): void;
  setData(handle: number, other: number): void;
  gradEnabled(): boolean;
  setGradEnabled(enabled: boolean): void;
  createGenerator(seed: bigint, device: string): number;
  seedGenerator(id: number, seed: bigint): void;
  generatorState(id: number): number;
  setGeneratorState(id: number, state: number): void;
  releaseGenerator(id: number): void;
  queueCreate(capacity: number): number;
  queuePut(id: number, text: string, timeoutMs: number): void;
  queueGet(id: number, timeoutMs: number): string;
  queueClose(id: number, reason: string, abort: boolean): void;
  queueStats(id: number): QueueStats;
  queueDestroy(id: number): void;
  queueAbortAll(reason: string): void;
  buildInfo(): NativeInfo;
  getThreads(): number;
  setThreads(count: number): void;
}

/** Where the build puts the addon. */
export const addonPath = fileURLToPath(new URL('../../build/native/headrace.node', import.meta.url));

function load(): Native {
  if (!existsSync(addonPath)) {
    throw new HeadraceError(
      `The native addon is not built: expected it at ${addonPath}. ` +
        'Run "npm run setup" in the package folder (it needs a C++ compiler and libtorch; see docs/install.md).',
      { code: 'ADDON' },
    );
  }
  try {
    return createRequire(import.meta.url)(addonPath) as Native;
  } catch (cause) {
    throw new HeadraceError(
      `The native addon at ${addonPath} cannot be loaded: ${(cause as Error).message}. ` +
        'It was built against another libtorch or Node.js; run "npm run setup" to build it again.',
      { code: 'ADDON', cause },
    );
  }
}

export const native: Native = load();
