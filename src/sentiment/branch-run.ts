/** The training of one seed by branches: feeds their threads, chooses the epoch, and gathers the best weights. */
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { DataLoader } from '../data/index.js';
import type { BatchMessage, ControlMessage, FaultConfig, Message } from '../pipeline/index.js';
import { HeadraceError, keep, Queue, QueueError, scope, type Tensor, tensor } from '../torch/index.js';
import type { BranchJob, BranchNotice, BranchResult, BranchStation } from './branch-worker.js';
import { dropoutOf, inputKeys } from './branches.js';
import { checkBranches, checkSentimentConfig, type SentimentConfig } from './config.js';
import type { Modality, SentimentBatch } from './datasets/index.js';
import { evaluationLoader, lossSum } from './evaluate.js';
import type { SharedPrivate } from './models/shared-private.js';
import { SentimentNetwork } from './network.js';
import { givenLabel } from './objective.js';
import type { PreparedData } from './prepare.js';
import { type EpochRecord, labelledSamples, type SeedHooks, type SeedResult, seedResult } from './train-seed.js';

/** Milliseconds between looks at whether a thread has failed. */
const POLL_MS = 200;
/** Milliseconds that threads have to tell of a failure, or to end after one. */
const GRACE_MS = 3000;
const DEFAULT_TIMEOUT_MS = 600_000;
/** Batches that may wait before a branch. */
const CAPACITY = 2;

/** Milliseconds of an epoch. */
export interface BranchTimes {
  readonly busyMs: number;
  /** For what the others give it, or for room where it puts its own. */
  readonly waitMs: number;
}

export interface BranchOptions {
  /** How long any part may wait for another. Default 600 000. */
  readonly timeoutMs?: number;
  /** Told after every epoch how each branch and the `fusion` spent the time of its training batches. */
  readonly onTimes?: (times: Readonly<Record<string, BranchTimes>>) => void;
  /** For tests. */
  readonly faults?: FaultConfig;
}

type Envelope = { readonly meta: Message; readonly tensors: readonly Tensor[] };
type Outcome = { readonly meta: BranchResult; readonly tensors: readonly Tensor[] };

/** The threads of the branches with their queues: the first failure ends all. */
class Threads {
  readonly results: Queue<BranchResult>;
  readonly #weights: Queue<readonly string[]>[] = [];
  readonly #queues: Queue<Message>[];
  readonly #workers: Worker[] = [];
  readonly #exits: Promise<void>[] = [];
  #failure: HeadraceError | null = null;

  constructor(
    /** Of the branches, in their order. */
    readonly inputs: readonly Queue<Message>[],
    between: readonly Queue<Message>[],
    results: number,
    private readonly name: string,
    private readonly timeoutMs: number,
  ) {
    this.#queues = [...inputs, ...between];
    this.results = Queue.create(results);
  }

  /** Starts a thread. It begins to work when it has started: until then this thread's event loop must be free. */
  async start(
    job: Omit<BranchJob, 'weights' | 'results' | 'queues'>,
    weights: ReadonlyMap<string, Tensor>,
  ): Promise<void> {
    const queue = Queue.create<readonly string[]>(1);
    this.#weights.push(queue);
    queue.put({ meta: [...weights.keys()], tensors: [...weights.values()].map((tensor) => tensor.detach()) });
    const workerData: BranchJob = {
      ...job,
      weights: queue.id,
      results: this.results.id,
      queues: this.#queues.map(({ id }) => id),
    };
    const worker = new Worker(new URL('./branch-worker.js', import.meta.url), { workerData });
    this.#workers.push(worker);
    const parts = job.stations.map(({ modality }) => modality ?? 'fusion').join(', ');
    let finished = false;
    this.#exits.push(new Promise((resolve) => worker.on('exit', () => resolve())));
    await new Promise<void>((resolve) => {
      worker.on('message', (notice: BranchNotice) => {
        if (notice.kind === 'finished') finished = true;
        if (notice.kind === 'failed') this.#fail(`${this.name}, ${parts}: ${notice.message}`, notice.code);
        resolve();
      });
      worker.on('error', (error) => this.#fail(`${this.name}, ${parts}: ${error.message}`, ''));
      worker.on('exit', (code) => {
        if (!finished)
          this.#fail(`${this.name}: the thread of ${parts} ended before its work was done (exit code ${code})`, '');
        resolve();
      });
    });
    if (this.#failure) throw this.#failure;
  }

  put(branch: number, envelope: Envelope): Promise<void> {
    const item = { meta: envelope.meta, tensors: [...envelope.tensors] };
    return this.#patiently((timeoutMs) => this.inputs[branch]!.put(item, timeoutMs));
  }

  get(): Promise<Outcome> {
    return this.#patiently((timeoutMs) => this.results.get(timeoutMs) as Outcome);
  }

  async putAll(meta: ControlMessage): Promise<void> {
    for (const branch of this.inputs.keys()) await this.put(branch, { meta, tensors: [] });
  }

  /** Ends the threads, if they have not ended, and frees the queues. */
  async close(): Promise<void> {
    this.#abort('the run has ended');
    const grace = setTimeout(() => {
      for (const worker of this.#workers) void worker.terminate();
    }, GRACE_MS);
    await Promise.all(this.#exits);
    clearTimeout(grace);
    for (const queue of [...this.#queues, ...this.#weights, this.results]) queue.destroy();
  }

  /** Waits in short pieces: between them the event loop learns of threads that failed. */
  async #patiently<T>(action: (timeoutMs: number) => T): Promise<T> {
    const end = Date.now() + this.timeoutMs;
    for (;;) {
      if (this.#failure) throw this.#failure;
      try {
        return action(Math.min(POLL_MS, this.timeoutMs));
      } catch (error) {
        if (!(error instanceof QueueError)) throw error;
        if (error.code === 'QUEUE_CLOSED') throw await this.#told(error);
        if (error.code !== 'QUEUE_TIMEOUT') throw error;
        if (Date.now() >= end) {
          throw new HeadraceError(
            `${this.name}: waited ${this.timeoutMs / 1000} s for a branch; one of them is stuck`,
            {
              code: 'TIMEOUT',
              cause: error,
            },
          );
        }
        await turn();
      }
    }
  }

  /** What closed the queues, by the words of the thread that failed. */
  async #told(error: QueueError): Promise<Error> {
    for (const end = Date.now() + GRACE_MS; this.#failure === null && Date.now() < end; ) await turn();
    return this.#failure ?? error;
  }

  #fail(message: string, code: string): void {
    if (this.#failure) return;
    this.#failure = new HeadraceError(message, code === '' ? {} : { code });
    this.#abort(message);
  }

  #abort(reason: string): void {
    for (const queue of [...this.#queues, ...this.#weights, this.results]) queue.abort(reason);
  }
}

/** Trains the shared-private model by `sequential` or `ppll`: bit for bit the same. */
export class BranchTrainer {
  readonly network: SentimentNetwork;
  readonly #loader: DataLoader<SentimentBatch>;
  /** Of generated labels: those of each modality, by the utterance's place in the split. */
  #labels: ReadonlyMap<string, Tensor> = new Map();
  #seconds = 0;

  /** @throws ConfigError for a configuration that branches cannot train */
  constructor(
    private readonly config: SentimentConfig,
    private readonly prepared: PreparedData,
    readonly seed: number,
    private readonly options: BranchOptions = {},
  ) {
    checkSentimentConfig(config);
    checkBranches(config);
    const { data, splits, shape, reader } = prepared;
    this.network = new SentimentNetwork(config, shape, reader?.encoder(seed) ?? null, seed);
    this.network.scale.fit(data.features, splits.train.indices);
    this.#loader = new DataLoader(splits.train, { batchSize: config.batchSize, shuffle: true, seed });
  }

  /** Trains to the end, or until told to stop: then null. @throws HeadraceError of the first branch that fails */
  async run(hooks: Pick<SeedHooks, 'onEpoch' | 'shouldStop'> = {}): Promise<SeedResult | null> {
    const { patience, maxEpochs, modalities } = this.config;
    const valid = evaluationLoader(this.config, this.prepared.splits.valid);
    const queues = (count: number): Queue<Message>[] => Array.from({ length: count }, () => Queue.create(CAPACITY));
    // In turns, only the feeder and the branches need queues.
    const between = this.config.schedule === 'ppll' ? queues(modalities.length) : [];
    const room = valid.batchesPerEpoch + 2 * modalities.length + 4;
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = this.options;
    const threads = new Threads(queues(modalities.length), between, room, `seed ${this.seed}`, timeoutMs);
    try {
      await this.#start(threads, between, timeoutMs);
      const history: EpochRecord[] = [];
      let best = { epoch: 0, loss: Number.POSITIVE_INFINITY };
      for (let epoch = 1; epoch <= maxEpochs && epoch - 1 - best.epoch < patience; epoch++) {
        const record = await this.#epoch(threads, valid, epoch, best.loss);
        if (record.best) {
          best = { epoch, loss: record.validLoss };
          await threads.putAll({ kind: 'checkpoint', step: this.#stepOf(epoch + 1, 0) - 1, epoch });
        }
        history.push(record);
        hooks.onEpoch?.(record);
        if (hooks.shouldStop?.()) return null;
      }
      await this.#gather(threads, history.length);
      const ended = { seed: this.seed, bestEpoch: best.epoch, seconds: this.#seconds, history };
      return seedResult(this.config, this.prepared, this.network, ended);
    } finally {
      await threads.close();
    }
  }

  async #start(threads: Threads, between: readonly Queue<Message>[], timeoutMs: number): Promise<void> {
    const { config, seed, prepared, options } = this;
    const model = this.network.model as SharedPrivate;
    const { modalities } = config;
    const weights = model.stateDict();
    const first = (name: string): number[] => weights.get(`${name}.layer_1.weight`)!.shape;
    // Lists within one thread go by numbers that no queue has.
    const outputs = modalities.map((_, i) => between[i]?.id ?? -1 - i);
    const branches = modalities.map((modality, index): BranchStation => {
      const encoder = modality === 'text' ? 0 : dropoutOf(model[modality]!);
      const dropout = { encoder, head: dropoutOf(model.heads.get(modality)) };
      return { index, modality, inputs: [threads.inputs[index]!.id], outputs: [outputs[index]!], dropout };
    });
    const dropout = { encoder: 0, head: dropoutOf(model.fusion) };
    const fusion = { index: modalities.length, modality: null, inputs: outputs, outputs: [], dropout };
    const stations = [...branches, fusion];
    const { warmup = 1, excludeZero = true, labels } = config.unimodal!;
    const { samples, limit } = labelledSamples(prepared);
    const hidden = Object.fromEntries(modalities.map((name) => [name, first(`heads.${name}`)[0]!]));
    const widths = { multimodal: first('fusion')[0]!, ...hidden };
    const generated = { samples, options: { widths, limit, warmup, excludeZero, device: config.device } };
    if (labels === 'generated') {
      const table = keep(tensor(Float32Array.from(samples, ([, label]) => label)));
      this.#labels = new Map(modalities.map((name) => [name, table]));
    }
    const job = {
      config,
      seed,
      batchesPerEpoch: this.#loader.batchesPerEpoch,
      text: { vocabulary: prepared.reader?.vocabulary ?? null, width: prepared.shape.widths.text ?? null },
      widths: Object.fromEntries(modalities.map((name) => [name, first(`heads.${name}`)[1]!])),
      labels: labels === 'generated' ? generated : null,
      timeoutMs,
      faults: options.faults ?? null,
    };
    const groups = config.schedule === 'ppll' ? stations.map((station) => [station]) : [stations];
    for (const group of groups) await threads.start({ ...job, stations: group }, weights);
  }

  async #epoch(
    threads: Threads,
    valid: DataLoader<SentimentBatch>,
    epoch: number,
    bestLoss: number,
  ): Promise<EpochRecord> {
    const start = performance.now();
    const { batchesPerEpoch } = this.#loader;
    for (let b = 0; b < batchesPerEpoch; b++) {
      await this.#feed(threads, 'train', this.#stepOf(epoch, b), epoch, () => this.#loader.batch(epoch - 1, b));
    }
    const truth: SentimentBatch[] = [];
    for (let b = 0; b < valid.batchesPerEpoch; b++) {
      const { label, class: kind, index } = await this.#feed(threads, 'predict', b, epoch, () => valid.batch(0, b));
      truth.push({ label, class: kind, index });
    }
    await threads.putAll({ kind: 'evaluated', step: this.#stepOf(epoch, batchesPerEpoch - 1), epoch });
    const { losses, drift, validLoss, trained } = await this.#collect(threads, truth);
    const { modalities } = this.config;
    const multimodal = losses[modalities.length]!;
    const unimodal = Object.fromEntries(modalities.map((name, i) => [`unimodal.${name}`, losses[i]!]));
    this.#seconds += (performance.now() - start) / 1000;
    return {
      epoch,
      train: { total: losses.reduce((sum, loss) => sum + loss, 0), multimodal, ...unimodal },
      validLoss,
      best: validLoss < bestLoss,
      drift,
      norms: {},
      utterancesPerSecond: this.prepared.splits.train.length / ((trained - start) / 1000),
    };
  }

  /** What the stages tell of an epoch: predictions of the validation split, means of the losses, labels. */
  async #collect(
    threads: Threads,
    truth: readonly SentimentBatch[],
  ): Promise<{ losses: number[]; drift: Readonly<Record<string, number>>; validLoss: number; trained: number }> {
    const stages = this.config.modalities.length + 1;
    const losses: number[] = [];
    const times: Record<string, BranchTimes> = {};
    let drift: Readonly<Record<string, number>> = {};
    let [sum, trained] = [0, 0];
    for (let left = truth.length + stages; left > 0; left--) {
      const { meta, tensors } = await threads.get();
      if (meta.kind === 'predicted') {
        // The first one says that the training batches are through.
        if (meta.batch === 0) trained = performance.now();
        sum += scope(() => lossSum(this.config.task, tensors[0]!, truth[meta.batch]!));
      } else if (meta.kind === 'epoch') {
        losses[meta.stage] = meta.loss;
        const { busyMs, waitMs } = meta;
        times[this.config.modalities[meta.stage] ?? 'fusion'] = { busyMs, waitMs };
        if (meta.stage < stages - 1) continue;
        drift = meta.drift;
        if (meta.labels.length > 0) this.#labels = new Map(meta.labels.map((name, i) => [name, keep(tensors[i]!)]));
      }
    }
    this.options.onTimes?.(times);
    return { losses, drift, validLoss: sum / this.prepared.splits.valid.length, trained };
  }

  /** Puts a batch before every branch. */
  async #feed(
    threads: Threads,
    split: 'train' | 'predict',
    step: number,
    epoch: number,
    make: () => SentimentBatch,
  ): Promise<SentimentBatch> {
    const batch = scope(() => this.network.scale.forward(make()));
    const whole = this.config.task === 'regression' ? batch.label : batch.class;
    const images = batch.index.shape[0]!;
    for (const [branch, name] of this.config.modalities.entries()) {
      const features = inputKeys(this.config, name).map((key) => batch[key]!);
      const own = split === 'train' ? this.#ownLabel(batch, name) : whole;
      const meta: BatchMessage = {
        kind: 'batch',
        split,
        step,
        epoch,
        images,
        microbatch: 0,
        microbatches: 1,
        features: features.length,
      };
      await threads.put(branch, { meta, tensors: [...features, own, whole, batch.index] });
    }
    return batch;
  }

  #ownLabel(batch: SentimentBatch, name: Modality): Tensor {
    if (this.config.task === 'classification') return batch.class;
    const made = this.#labels.get(name);
    if (made) return made.indexSelect(0, batch.index);
    return this.config.unimodal?.labels === 'given' ? givenLabel(batch, name) : batch.label;
  }

  /** Ends the stages and takes over the weights that each of them kept. */
  async #gather(threads: Threads, epochs: number): Promise<void> {
    await threads.putAll({ kind: 'stop', step: this.#stepOf(epochs + 1, 0) - 1, reason: 'done' });
    const found = new Map<string, Tensor>();
    for (let left = this.config.modalities.length + 1; left > 0; left--) {
      const { meta, tensors } = await threads.get();
      if (meta.kind !== 'weights') continue;
      for (const [i, key] of meta.keys.entries()) found.set(key, tensors[i]!);
    }
    this.network.model.loadStateDict(found);
    this.network.eval();
  }

  /** Counted from 1 over the run. @param epoch - from 1 */
  #stepOf(epoch: number, batch: number): number {
    return (epoch - 1) * this.#loader.batchesPerEpoch + batch + 1;
  }
}
