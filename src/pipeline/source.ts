/**
 * The thread that feeds the first stage: it draws batches, marks ends of epochs and checkpoints, and ends the run.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DataLoader, openShared, type SharedDataset, type TensorBatch, type TransformSpec } from '../data/index.js';
import { DataError, Queue, QueueError, scope, setNumThreads, type Tensor } from '../torch/index.js';
import { markEngineThread } from '../torch/threads.js';
import type { RunConfig } from './config.js';
import { type Channel, type Message, QueueChannel, type Split } from './messages.js';

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
  | {
      readonly kind: 'train';
      /** Steps done before. */
      readonly fromStep: number;
      readonly totalSteps: number;
      readonly evaluation: boolean;
      readonly evalEvery: number;
      readonly checkpointEvery: number;
      readonly checkpoints: boolean;
    }
  /** All batches of the test set, once. */
  | { readonly kind: 'test' | 'predict' };

export interface SourceJob {
  readonly task: SourceTask;
  readonly output: number;
  /** Int32: 1 asks to checkpoint and stop. */
  readonly stop: Int32Array;
  readonly train: DataPort | null;
  readonly test: DataPort;
  readonly batchSize: number;
  readonly seed: number;
  readonly memoryFormat: RunConfig['memoryFormat'];
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
  readonly #output: Channel;
  #train: DataLoader<TensorBatch> | null = null;
  #test!: DataLoader<TensorBatch>;

  constructor(private readonly job: SourceJob) {
    this.#output = new QueueChannel(job.output, 'data loader -> stage 0', job.timeoutMs);
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
  }

  async #open(port: DataPort, train: boolean): Promise<DataLoader<TensorBatch>> {
    const { tensors } = Queue.attach(port.queue).get();
    const dataset = await openShared(port.dataset, tensors as Tensor[]);
    const { batchSize, seed } = this.job;
    return new DataLoader(dataset, { batchSize, shuffle: train, seed, transform: port.transform });
  }

  async #feedTraining(loader: DataLoader<TensorBatch>, task: Extract<SourceTask, { kind: 'train' }>): Promise<void> {
    const perEpoch = loader.batchesPerEpoch;
    if (perEpoch === 0) throw new DataError('expected data to train on, got a set of none');
    const batches = epochs(loader, task.fromStep);
    let evaluatedAt = -1;
    let savedAt = task.fromStep;
    const save = (step: number): void => {
      if (!task.checkpoints || savedAt === step) return;
      this.#put({ kind: 'checkpoint', step, epoch: Math.floor(step / perEpoch) });
      savedAt = step;
    };
    for (let step = task.fromStep + 1; step <= task.totalSteps; step++) {
      if (Atomics.load(this.job.stop, 0) === 1) {
        save(step - 1);
        this.#put({ kind: 'stop', step: step - 1, reason: 'stopped' });
        return;
      }
      const epoch = Math.floor((step - 1) / perEpoch);
      this.#feed('train', step, epoch, (await batches.next()).value);
      const epochEnds = step % perEpoch === 0;
      if (task.evaluation && epochEnds && task.evalEvery > 0 && (epoch + 1) % task.evalEvery === 0) {
        await this.#feedTest('test', step, epoch);
        evaluatedAt = step;
      }
      if (task.checkpointEvery > 0 && step % task.checkpointEvery === 0) save(step);
    }
    const step = task.totalSteps;
    if (task.evaluation && evaluatedAt !== step)
      await this.#feedTest('test', step, Math.floor(Math.max(0, step - 1) / perEpoch));
    save(step);
    this.#put({ kind: 'stop', step, reason: 'done' });
  }

  async #feedTest(split: 'test' | 'predict', step: number, epoch: number): Promise<void> {
    let batch = 0;
    for await (const made of this.#test.stream(0)) this.#feed(split, ++batch, epoch, made);
    if (split === 'test') this.#put({ kind: 'evaluated', step, epoch });
  }

  #feed(split: Split, step: number, epoch: number, made: TensorBatch): void {
    const { memoryFormat } = this.job;
    scope(() => {
      const tensors = Object.values(made) as Tensor[];
      const { inputs } = (split === 'train' ? this.job.train : null) ?? this.job.test;
      if (tensors.length < inputs) {
        throw new DataError(`expected ${inputs} inputs in each batch, got ${Object.keys(made).join(', ')}`);
      }
      const laidOut = tensors
        .slice(0, inputs)
        .map((x) => (memoryFormat === 'channelsLast' && x.ndim === 4 ? x.contiguous({ memoryFormat }) : x));
      const samples = tensors[0]!.shape[0]!;
      const features = inputs === 1 ? {} : { features: inputs };
      const meta = { kind: 'batch', split, step, epoch, samples, microbatch: 0, microbatches: 1, ...features } as const;
      this.#put(meta, [...laidOut, ...tensors.slice(inputs)]);
    });
  }

  #put(meta: Message, tensors: readonly Tensor[] = []): void {
    this.#output.put({ meta, tensors });
  }
}

async function main(): Promise<void> {
  markEngineThread();
  setNumThreads(1);
  try {
    await new Source(workerData as SourceJob).run();
  } catch (error) {
    // A closed queue means that a stage failed, and has said so.
    if (error instanceof QueueError && error.code === 'QUEUE_CLOSED') return;
    const { message } = error as Error;
    parentPort!.postMessage({
      kind: 'failed',
      stage: -1,
      action: null,
      step: 0,
      message: `the data loader: ${message}`,
    });
  }
}

await main();
