/**
 * HDF5 files, through the HDF5 library as WebAssembly (npm `h5wasm`), loaded when the first file is opened. It runs on a thread of its
 * own: what it takes of memory goes with it, and a damaged file that brings it down brings down nothing else.
 */
import type { Worker } from 'node:worker_threads';
import { DataError } from '../torch/errors.js';
import { optionalFolder } from '../torch/optional.js';
import { startThread } from '../torch/threads.js';
import { FileReader } from './file.js';
import type { Hdf5Answer, Hdf5Info, Hdf5Request, Hdf5Start } from './hdf5-messages.js';
import { checkLimits, type ReadLimits } from './limits.js';
import type { RawArray } from './raw.js';

/** How to read an HDF5 file. */
export interface Hdf5Options extends ReadLimits {
  /** After how long one reading is given up, in milliseconds; two minutes by default. */
  readonly timeout?: number;
}

interface Pending {
  readonly resolve: (answer: Hdf5Answer) => void;
  readonly reject: (error: Error) => void;
}

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

/**
 * An open HDF5 file. Paths are names joined by `/`. Links of any kind are refused, as are data sets whose values lie in other files.
 *
 * @example
 * await using file = await Hdf5File.open('CMU_MOSI_COVAREP.csd');
 * const [root] = await file.keys('');
 * const frames = await file.read(`${root}/data/03bSnISJMiM/features`);   // RawArray, float32 [frames, 74]
 */
export class Hdf5File {
  private readonly pending = new Map<number, Pending>();
  private counter = 0;
  private failure: DataError | null = null;

  private constructor(
    readonly path: string,
    private readonly worker: Worker,
    private readonly timeout: number,
  ) {
    worker.on('message', (answer: Hdf5Answer) => this.receive(answer));
    worker.on('error', (error: Error) => this.stop(`the HDF5 library failed: ${error.message}`));
    worker.on('exit', () => this.stop('the HDF5 library ended'));
  }

  /** @throws DataError when the file is absent, not HDF5 or damaged; ConfigError where the package h5wasm is not installed */
  static async open(path: string, options: Hdf5Options = {}): Promise<Hdf5File> {
    checkLimits('Hdf5File.open', options, ['timeout']);
    const fileSize = FileReader.with(path, (file) => file.size); // our words for absent files and folders
    optionalFolder('h5wasm', 'Reading HDF5 files');
    const { maxMemory } = options;
    const start: Hdf5Start = { path, fileSize, limits: maxMemory === undefined ? {} : { maxMemory } };
    const url = new URL('./hdf5-worker.js', import.meta.url);
    // What the library prints comes with our errors; the streams are left unread, since reading them keeps a program alive.
    const worker = startThread(url, { workerData: start, stdout: true, stderr: true });
    const file = new Hdf5File(path, worker, options.timeout ?? 120_000);
    try {
      await file.keys('');
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The names in a group; the root is `''`. @throws DataError when there is no such group */
  async keys(group: string): Promise<readonly string[]> {
    const answer = await this.ask({ kind: 'keys', path: group });
    return answer.kind === 'keys' ? answer.keys : [];
  }

  /** A data set's type and shape. @throws DataError when there is none, or its type is not read */
  async info(path: string): Promise<Hdf5Info> {
    const answer = await this.ask({ kind: 'info', path });
    return (answer as Extract<Hdf5Answer, { kind: 'info' }>).info;
  }

  /**
   * Numbers, row-major.
   * @param rows the part of the first dimension to read, from and to (exclusive); all without it
   * @throws DataError when the data set is absent, damaged, no numbers, or larger than `maxMemory`
   */
  async read(path: string, rows: readonly [number, number] | null = null): Promise<RawArray> {
    const { info, values } = await this.values(path, rows);
    if (info.type === 'text' || !(values instanceof Uint8Array)) {
      throw new DataError(`${this.path}: expected numbers at '${path}', got text`);
    }
    return { dtype: info.type, shape: info.shape, bytes: values };
  }

  /** Text, of fixed or variable length, row-major. @throws DataError as `read` */
  async readText(path: string): Promise<readonly string[]> {
    const { info, values } = await this.values(path, null);
    if (values instanceof Uint8Array) {
      throw new DataError(`${this.path}: expected text at '${path}', got ${info.type} [${info.shape.join(', ')}]`);
    }
    return values;
  }

  /** Ends the thread and frees its memory. Safe to call twice. */
  async close(): Promise<void> {
    this.failure ??= new DataError(`${this.path} was closed`);
    await this.worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async values(
    path: string,
    rows: readonly [number, number] | null,
  ): Promise<Extract<Hdf5Answer, { kind: 'values' }>> {
    return (await this.ask({ kind: 'read', path, rows })) as Extract<Hdf5Answer, { kind: 'values' }>;
  }

  private async ask(request: Unnumbered<Hdf5Request>): Promise<Hdf5Answer> {
    if (this.failure !== null) throw this.failure;
    const id = this.counter++;
    this.worker.ref();
    const timer = setTimeout(() => {
      this.stop(`reading '${request.path}' took longer than ${this.timeout} ms`);
      void this.worker.terminate();
    }, this.timeout);
    try {
      return await new Promise<Hdf5Answer>((resolve, reject) => {
        this.pending.set(id, { resolve, reject });
        this.worker.postMessage({ ...request, id });
      });
    } finally {
      clearTimeout(timer);
      if (this.pending.size === 0) this.worker.unref(); // an open file does not keep the program alive
    }
  }

  private receive(answer: Hdf5Answer): void {
    if (answer.kind === 'error' && answer.fatal) this.stop(answer.message);
    const waiting = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if (answer.kind === 'error') waiting?.reject(new DataError(`${this.path}: ${answer.message}`));
    else waiting?.resolve(answer);
  }

  private stop(why: string): void {
    this.failure ??= new DataError(`${this.path}: ${why}`);
    for (const { reject } of this.pending.values()) reject(this.failure);
    this.pending.clear();
  }
}
