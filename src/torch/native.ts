/**
 * Loads the native addon and states its interface. Everything else in this folder goes through here.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ADDON, findAddon, inPackage, packageRoot, RECORD } from './addon-place.js';
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
  /** Whether freed blocks of large tensors are kept for the next. */
  allocatorTuned: boolean;
  /** Intra-op threads of the calling thread. */
  threads: number;
}

/** Memory of the tensors on the CPU that have 64 KiB or more, in bytes, over all threads of the process. */
export interface MemoryStats {
  /** What tensors and the graph have now. */
  readonly allocated: number;
  /** The same, and what was freed and is kept for the next tensor of its size. */
  readonly reserved: number;
  /** The most that was allocated at once. */
  readonly peak: number;
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
  /** Threads that wait for room, or for an item. */
  waiting: number;
  closed: boolean;
}

/** The addon's functions for ranks; a build without Gloo's headers has none of them. */
export interface NativeRanks {
  routeTo(host: string, port: number): string;
  storeOpen(host: string, port: number, serve: boolean, timeoutMs: number): number;
  storeClose(id: number): void;
  storePort(id: number): number;
  storeAdd(id: number, key: string, amount: number, timeoutMs: number): number;
  storeSet(id: number, key: string, text: string, timeoutMs: number): void;
  storeGet(id: number, key: string, timeoutMs: number): string;
  storeHas(id: number, key: string, timeoutMs: number): boolean;
  groupCreate(
    store: number,
    prefix: string,
    rank: number,
    size: number,
    address: string,
    timeoutMs: number,
    patienceMs: number,
    starts: number,
  ): number;
  groupPart(whole: number, name: string, rank: number, size: number, timeoutMs: number): number;
  groupLink(whole: number, name: string, rank: number, broken: string, replaced: string, timeoutMs: number): number;
  groupDrop(id: number): void;
  groupCheck(id: number): void;
  groupStore(id: number): number;
  groupPrefix(id: number): string;
  groupStarts(id: number): number;
  groupRank(id: number): number;
  groupSize(id: number): number;
  groupFail(id: number, reason: string): void;
  groupLeave(id: number): void;
  groupsEnd(reason: string): void;
  groupTransfer(id: number, peer: number, tag: number, receive: boolean): number;
  groupReduce(id: number, operation: string): number;
  groupBroadcast(id: number, root: number): number;
  groupBarrier(id: number): number;
  bucketsCreate(group: number, bytes: number): number;
  bucketsExpect(id: number): void;
  bucketsAgain(id: number): boolean;
  bucketsFinish(id: number, timeoutMs: number, again: boolean): void;
  workWait(id: number, timeoutMs: number): void;
  borderOpen(group: number, peer: number, number: number, capacity: number, receives: boolean, halve: boolean): number;
  borderPut(id: number, text: string, timeoutMs: number): void;
  borderGet(id: number, timeoutMs: number): string;
  borderDepth(id: number): number;
  borderClose(id: number, reason: string, timeoutMs: number): void;
  borderDrop(id: number): void;
  borderAbort(id: number, reason: string): void;
}

/** The addon's functions. Handles are numbers; lists of tensors travel in the call frame (see frame.ts). */
export interface Native extends Partial<NativeRanks> {
  /** The call frame of the copy of this package that came first in this thread; none before. */
  frame?: Float64Array;
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
  watch(object: object, handle: number, care: number): boolean;
  watchGenerator(object: object, id: number): void;
  letGo(handle: number, care: number): void;
  entrust(handle: number, from: number, to: number): void;
  endCare(care: number): void;
  freeDropped(): void;
  memoryStats(): MemoryStats;
  emptyCache(): void;
  setMemoryLimits(collectBytes: number, warnBytes: number, warnCount: number): void;
  looseCount(): number;
  looseBytes(): number;
  liveTensors(): number;
  threadTensors(): number;
  threadBytes(): number;
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
  applyFunction(backward: () => void): void;
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
  autocastOn(device: string): boolean;
  autocastDtype(device: string): string;
  setAutocast(device: string, on: boolean, dtype: string): void;
  createGenerator(seed: bigint, device: string): number;
  seedGenerator(id: number, seed: bigint): void;
  generatorState(id: number): number;
  setGeneratorState(id: number, state: number): void;
  releaseGenerator(id: number): void;
  queueCreate(capacity: number): number;
  queuePut(id: number, text: string, timeoutMs: number): void;
  queueGet(id: number, timeoutMs: number): string;
  queueClose(id: number, reason: string, abort: boolean): void;
  ownStream(device: string): void;
  queueStats(id: number): QueueStats;
  queueDestroy(id: number): void;
  queueAbortAll(reason: string): void;
  buildInfo(): NativeInfo;
  getThreads(): number;
  setThreads(count: number): void;
}

/** What set-up wrote beside the addon. */
export interface BuildRecord {
  /** How libtorch was found: the variable LIBTORCH, the system, or Python's torch. */
  readonly source: string;
  readonly libDir: string;
  readonly version: string;
  readonly cuda: boolean;
  readonly library: { readonly size: number };
  readonly platform: string;
  readonly arch: string;
}

const SETUP = 'run "npx headrace setup"';

/** The record of an addon's build; null where there is none. */
export function readRecord(folder: string): BuildRecord | null {
  const file = path.join(folder, RECORD);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as BuildRecord) : null;
}

function load(): Native {
  if (!inPackage()) {
    throw failure(
      `headrace runs outside its package (looked for its package.json in ${packageRoot}): a bundler must leave it where it is, ` +
        'as esbuild does with --external:headrace --external:headrace/*, since it has an addon and worker threads in files.',
    );
  }
  const { found, looked } = findAddon();
  if (found === null) {
    throw failure(
      `The native addon of headrace is not built yet: ${SETUP} (it builds it against libtorch, in some minutes). ` +
        `Looked in ${looked.join(' and ')}.`,
    );
  }
  const addon = path.join(found, ADDON);
  const changed = changedSince(readRecord(found));
  if (changed !== null) throw failure(`The native addon at ${addon} was built for ${changed}: ${SETUP} again.`);
  try {
    return createRequire(import.meta.url)(addon) as Native;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw failure(
      `The native addon at ${addon} cannot be loaded: ${reason}. It was built against another libtorch or Node.js, ` +
        `or libtorch has moved: ${SETUP} again.`,
      cause,
    );
  }
}

/** What else an addon was built for than what is here; loading it could end the process. Null where nothing is known to differ. */
function changedSince(record: BuildRecord | null): string | null {
  if (record === null) return null;
  const { platform, arch, libDir, version, library } = record;
  if (platform !== process.platform || arch !== process.arch) {
    return `${platform} ${arch}, and this is ${process.platform} ${process.arch}`;
  }
  const file = path.join(libDir, platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so');
  const there = statSync(file, { throwIfNoEntry: false });
  if (there === undefined || there.size === library.size) return null; // the loader says of a missing one what it looked for
  return `libtorch ${version}, and ${file} is another one now`;
}

/** The reader needs the message alone: the stack is of imports. */
function failure(message: string, cause?: unknown): HeadraceError {
  const error = new HeadraceError(message, { code: 'ADDON', cause });
  error.stack = `${error.name}: ${message}`;
  return error;
}

export const native: Native = load();
