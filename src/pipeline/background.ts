/** A module on a thread of its own: its forward is awaited, and the event loop goes on meanwhile. */
import type { Worker } from 'node:worker_threads';
import { type Packing, pack, unpack } from '../data/pack.js';
import {
  ConfigError,
  checkOptions,
  DataError,
  HeadraceError,
  keep,
  Queue,
  QueueError,
  ShapeError,
  scope,
  type Tensor,
  TorchError,
} from '../torch/index.js';
import { startThread } from '../torch/threads.js';
import { callerPlaces, prepareLoader } from '../torch/user-modules.js';
import { locateRef, type ModuleRef } from './model.js';

export interface BackgroundOptions {
  /** A safetensors, .pt or .pth file to load into the module; must fit it. */
  readonly weights?: string;
  /** Intra-op threads; 1 by default. */
  readonly threads?: number;
  /** Calls that may wait for the thread, the one that it computes included; further ones wait to be sent. 8 by default. */
  readonly inFlight?: number;
  /** Seed of the initial weights of a model that is no module yet (a `ModelSpec`); 0 by default. */
  readonly seed?: number;
}

/** What the thread is started with. */
export interface BackgroundJob {
  readonly ref: ModuleRef;
  readonly weights: string | null;
  readonly threads: number;
  readonly seed: number;
  /** The queues' numbers: of calls, and of answers. */
  readonly there: number;
  readonly back: number;
}

export type Answer = { readonly result: Packing } | { readonly error: DescribedError };

interface DescribedError {
  readonly name: string;
  readonly message: string;
  readonly code: string | null;
}

/** What the thread is told, and what it tells; all else passes the queues. */
export type Message = 'call' | 'close';
export type Notice = 'ready' | 'answered' | { readonly failed: DescribedError };

export function describeError(error: unknown): DescribedError {
  const { name = 'Error', message = String(error), code = null } = error as Partial<DescribedError>;
  return { name, message, code };
}

const classes = [TorchError, ShapeError, DataError, QueueError, ConfigError, HeadraceError];
const plain = [TypeError, RangeError, SyntaxError, ReferenceError];

/** An error with the class that it had on the thread; one of the user's own classes has its name. */
function errorFrom({ name, message, code }: DescribedError): Error {
  const Ours = classes.find((each) => each.name === name);
  if (Ours) return new Ours(message, code === null ? {} : { code });
  const Plain = plain.find((each) => each.name === name) ?? Error;
  return Object.assign(new Plain(message), { name }, code === null ? {} : { code });
}

/** A call that was sent: what to do when its answer is there, or never comes. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A module that computes on a thread of its own. Tensors pass to it and back by handle, without a copy: do not write to one
 * that was sent before its answer is there. Calls are answered in their order; each is made under `noGrad`, in evaluation mode.
 * An open one does not keep the process alive.
 *
 * @example
 * const remote = await BackgroundModule.load({ module: './my-model.js', export: 'classifier', options: {} }, { weights: 'w.safetensors' });
 * const scores = (await remote.forward(images)) as Tensor;
 * await remote.close();
 */
export class BackgroundModule {
  readonly #worker: Worker;
  readonly #there: Queue<Packing>;
  readonly #back: Queue<Answer>;
  readonly #inFlight: number;
  readonly #sent: Waiting[] = [];
  readonly #unsent: Waiting[] = [];
  readonly #idle: (() => void)[] = [];
  /** Calls in flight. */
  #open = 0;
  #ended: Error | null = null;
  #closed: Promise<void> | null = null;
  readonly #exit: Promise<unknown>;

  private constructor(worker: Worker, there: Queue<Packing>, back: Queue<Answer>, inFlight: number) {
    this.#worker = worker;
    this.#there = there;
    this.#back = back;
    this.#inFlight = inFlight;
    worker.on('message', (notice: Notice) => {
      if (typeof notice === 'object') this.#fail(errorFrom(notice.failed));
      else this.#sent.shift()?.resolve();
    });
    worker.on('error', (error) => this.#fail(error));
    this.#exit = new Promise((resolve) => worker.once('exit', resolve)).then((code) => {
      this.#fail(new HeadraceError(`The background module's thread ended (exit code ${code})`));
      there.destroy();
      back.destroy();
    });
  }

  /**
   * Builds a module on a new thread.
   * @param ref - names a function that gives a module, or a model (`ModelSpec`), which is then built
   * @throws what the function throws; ConfigError, DataError where module or weights are not there or do not fit
   */
  static async load(ref: ModuleRef, options: BackgroundOptions = {}): Promise<BackgroundModule> {
    const places = callerPlaces();
    checkOptions('BackgroundModule.load', options, ['weights', 'threads', 'inFlight', 'seed']);
    const { weights = null, threads = 1, inFlight = 8, seed = 0 } = options;
    for (const [name, value] of Object.entries({ threads, inFlight })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new ConfigError(`Expected ${name} of BackgroundModule.load to be a whole number >= 1, got ${value}`);
      }
    }
    const located = locateRef(ref, places);
    await prepareLoader(located.module);
    const [there, back] = [Queue.create<Packing>(inFlight), Queue.create<Answer>(inFlight)];
    const job: BackgroundJob = { ref: located, weights, threads, seed, there: there.id, back: back.id };
    const worker = startThread(new URL('./background-worker.js', import.meta.url), { workerData: job });
    const opened = new BackgroundModule(worker, there, back, inFlight);
    await opened.#notice(); // that it is built
    worker.unref();
    return opened;
  }

  /**
   * Calls the module's forward on its thread. The result belongs to the caller's scope.
   * @param args - tensors, through which no gradient flows, plain values, and lists and objects of them; as they are at this moment
   * @returns what forward returns, of the same kinds
   * @throws what forward throws, for this call alone; HeadraceError where the module is closed or its thread died
   */
  async forward(...args: readonly unknown[]): Promise<unknown> {
    // What the caller frees from now on is the thread's all the same.
    const { packing, tensors } = pack(args);
    const own = scope(() => tensors.map((tensor) => keep(tensor.detach())));
    try {
      await this.#enter();
    } catch (error) {
      for (const tensor of own) tensor.dispose();
      throw error;
    }
    try {
      // There is room for every call in flight: neither queue makes this thread wait.
      this.#there.put({ meta: packing, tensors: own }, 0);
      for (const tensor of own) tensor.dispose();
      this.#worker.postMessage('call' satisfies Message);
      await this.#notice();
      const { meta, tensors: given } = this.#back.get(0);
      if ('error' in meta) throw errorFrom(meta.error);
      return unpack(meta.result, given as Tensor[]);
    } finally {
      this.#leave();
    }
  }

  /** Ends the thread, once the calls that were made are answered. May be called again. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#ended ??= closedError();
    this.#worker.ref();
    this.#worker.postMessage('close' satisfies Message);
    await this.#exit;
  }

  /** The thread's next word on what was asked of it. */
  #notice(): Promise<void> {
    return new Promise((resolve, reject) => this.#sent.push({ resolve, reject }));
  }

  /** Waits, in the order of calls, until one more may be in flight. */
  async #enter(): Promise<void> {
    if (this.#closed) throw this.#ended ?? closedError();
    if (this.#open < this.#inFlight) this.#open += 1;
    // The place of the call that leaves is handed on.
    else await new Promise<void>((resolve, reject) => this.#unsent.push({ resolve, reject }));
    this.#worker.ref();
    if (!this.#ended) return;
    this.#leave();
    throw this.#ended;
  }

  #leave(): void {
    const next = this.#unsent.shift();
    if (next) next.resolve();
    else this.#open -= 1;
    if (this.#open > 0) return;
    this.#worker.unref();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#sent.splice(0)) reject(this.#ended);
  }
}

function closedError(): HeadraceError {
  return new HeadraceError('The background module is closed', { code: 'CLOSED' });
}
