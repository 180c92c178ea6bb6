/**
 * The thread that feeds the first stage: it draws batches, marks ends of epochs and checkpoints, and ends the run.
 */
import { parentPort } from 'node:worker_threads';
import { DataLoader, openShared, type SharedDataset, type TensorBatch, type TransformSpec } from '../data/index.js';
import { ProcessGroup } from '../distributed/index.js';
import { DataError, ops, Queue, QueueError, scope, setNumThreads, type Tensor } from '../torch/index.js';
import { markEngineThread } from '../torch/threads.js';
import { messageWithPlace } from '../torch/user-errors.js';
import type { RunConfig } from './config.js';
import { courseOf, type TrainTask } from './course.js';
import { jobOf } from './kept-threads.js';
import type { BatchMessage, Channel, Message, Split } from './messages.js';
import { splitEvenly } from './parts.js';
import { Board, stopper } from './recovery.js';
import { Channels } from './transport.js';
import type { ChannelRef } from './wiring.js';

/** A data set on its way to another thread: its tensors wait in a queue. */
export interface DataPort {
  readonly dataset: Omit<SharedDataset, 'tensors'>;
  readonly queue: number;
  readonly transform: readonly TransformSpec[];
  /** How many of a batch's tensors are inputs. */
  readonly inputs: number;
}

/** What to feed. */
export type SourceTask =
  | TrainTask
  /** All batches of the test set, once. */
  | { readonly kind: 'test' | 'predict' };

export interface SourceJob {
  readonly task: SourceTask;
  readonly output: ChannelRef;
  /** Int32: 1 asks to checkpoint and stop. */
  readonly stop: Int32Array;
  /** The group, where its ranks are started again one by one. */
  readonly lasting: number | null;
  /** Queue of whether to go on, told after each evaluation; null: always. */
  readonly verdicts: number | null;
  readonly train: DataPort | null;
  readonly test: DataPort;
  readonly batchSize: number;
  /** Into how many a batch is cut. */
  readonly microbatches: number;
  /** The most that any stage has: each shall have samples of each microbatch. */
  readonly replicas: number;
  readonly seed: number;
  readonly memoryFormat: RunConfig['memoryFormat'];
  /** Whether batches wait in memory that a CUDA device fetches from by itself. */
  readonly pinned: boolean;
  readonly timeoutMs: number;
}

/** The batches of the training set from a step on, epoch after epoch. */
async function* epochs(
  loader: DataLoader<TensorBatch>,
  fromStep: number,
): AsyncGenerator<TensorBatch, never, undefined> {
  const perEpoch = loader.batchesPerEpoch;
  for (let step = fromStep; ; step += perEpoch - (step % perEpoch)) {
    yield* loader.stream(Math.floor(step / perEpoch), step % perEpoch);
  }
}

class Source {
  readonly #channels: Channels;
  readonly #output: Channel;
  #train: DataLoader<TensorBatch> | null = null;
  #test!: DataLoader<TensorBatch>;

  constructor(private readonly job: SourceJob) {
    this.#channels = new Channels(job.timeoutMs);
    this.#output = this.#channels.open(job.output);
  }

  async run(): Promise<void> {
    const { job } = this;
    if (job.train) this.#train = await this.#open(job.train, true);
    this.#test = await this.#open(job.test, false);
    if (job.task.kind === 'train') await this.#feedTraining(this.#train!, job.task);
    else {
      await this.#feedTest(job.task.kind, 0, 0);
      this.#put({ kind: 'stop', step: 0, reason: 'done' });
    }
    this.#channels.close();
  }

  async #open(port: DataPort, train: boolean): Promise<DataLoader<TensorBatch>> {
    const { tensors } = Queue.attach(port.queue).get();
    const dataset = await openShared(port.dataset, tensors as Tensor[]);
    const { batchSize, seed } = this.job;
    return new DataLoader(dataset, { batchSize, shuffle: train, seed, transform: port.transform });
  }

  async #feedTraining(loader: DataLoader<TensorBatch>, task: TrainTask): Promise<void> {
    const perEpoch = loader.batchesPerEpoch;
    if (perEpoch === 0) throw new DataError('expected data to train on, got a set of none');
    const batches = epochs(loader, task.fromStep);
    const asked = (): boolean => Atomics.load(this.job.stop, 0) === 1;
    const { lasting } = this.job;
    const stopped = lasting === null ? asked : stopper(new Board(ProcessGroup.attach(lasting)), asked);
    const verdicts = this.job.verdicts === null ? null : Queue.attach<boolean>(this.job.verdicts);
    const goesOn = (): boolean => verdicts?.get(this.job.timeoutMs).meta ?? true;
    for (const next of courseOf(task, perEpoch, stopped, goesOn)) {
      if (next.kind === 'batch') this.#feed('train', next.step, next.epoch, (await batches.next()).value);
      else if (next.kind === 'test') await this.#feedTest('test', next.step, next.epoch);
      else this.#put(next);
    }
  }

  async #feedTest(split: 'test' | 'predict', step: number, epoch: number): Promise<void> {
    let batch = 0;
    for await (const tensors of this.#test.stream(0)) this.#feed(split, ++batch, epoch, tensors);
    if (split === 'test') this.#put({ kind: 'evaluated', step, epoch });
  }

  #feed(split: Split, step: number, epoch: number, named: TensorBatch): void {
    const { memoryFormat, pinned } = this.job;
    scope(() => {
      const tensors = Object.values(named) as Tensor[];
      const { inputs } = (split === 'train' ? this.job.train : null) ?? this.job.test;
      if (tensors.length < inputs) {
        throw new DataError(`expected ${inputs} inputs in each batch, got ${Object.keys(named).join(', ')}`);
      }
      const laidOut = tensors
        .slice(0, inputs)
        .map((x) => (memoryFormat === 'channelsLast' && x.ndim === 4 ? x.contiguous({ memoryFormat }) : x));
      const samples = tensors[0]!.shape[0]!;
      const features = inputs === 1 ? {} : { features: inputs };
      const meta = { kind: 'batch', split, step, epoch, samples, microbatch: 0, microbatches: 1, ...features } as const;
      const batch = [...laidOut, ...tensors.slice(inputs)];
      this.#cut(meta, pinned ? batch.map((x) => x.pinMemory()) : batch);
    });
  }

  /** A training batch goes out in microbatches, as many as leave each replica a sample. */
  #cut(meta: BatchMessage, tensors: readonly Tensor[]): void {
    const { microbatches, replicas } = this.job;
    const wanted = Math.max(1, Math.min(microbatches, Math.floor(meta.samples / replicas)));
    if (meta.split !== 'train' || wanted === 1) {
      this.#put(meta, tensors);
      return;
    }
    const sizes = splitEvenly(meta.samples, wanted);
    const parts = tensors.map((tensor) => ops.splitWithSizes(tensor, sizes));
    for (const [microbatch, rows] of sizes.entries()) {
      const piece = parts.map((pieces) => pieces[microbatch]!);
      this.#put({ ...meta, microbatch, microbatches: wanted, rows }, piece);
    }
  }

  #put(meta: Message, tensors: readonly Tensor[] = []): void {
    this.#output.put({ meta, tensors });
  }
}

async function main(): Promise<void> {
  markEngineThread();
  setNumThreads(1);
  try {
    await new Source(jobOf<SourceJob>()).run();
    parentPort!.postMessage({ kind: 'finished' });
  } catch (error) {
    // A closed queue means that a stage failed, and has said so.
    if (error instanceof QueueError && error.code === 'QUEUE_CLOSED') return;
    parentPort!.postMessage({
      kind: 'failed',
      stage: -1,
      action: null,
      step: 0,
      message: `the data loader: ${messageWithPlace(error)}`,
    });
  }
}

await main();
