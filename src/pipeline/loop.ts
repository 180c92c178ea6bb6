/**
 * The stage loop: one worker takes messages, and runs its stages' actions in the order of the schedule. There are no
 * roles: first, middle and last stage differ by the channels that they have, training and testing by the message.
 */

import type { RunEvent } from '../run/events.js';
import { HeadraceError, ops, StageError, scope, type Tensor } from '../torch/index.js';
import { messageWithPlace } from '../torch/user-errors.js';
import type { BatchMessage, Channel, ControlMessage, Envelope } from './messages.js';
import { backwardThrough } from './model.js';
import { notFiniteError } from './not-finite.js';
import { rowsOf } from './parts.js';
import type { Replicas } from './replicas.js';
import { type Action, formatAction } from './schedule.js';
import type { Stage } from './stage.js';

/** A stage with its channels: one for each edge of the graph that touches it. */
export interface Station<Work extends Stage = Stage> {
  readonly stage: Work;
  readonly inputs: readonly Channel[];
  readonly outputs: readonly Channel[];
  /** Gradients from the stages that `outputs` lead to; empty where learning is local. */
  readonly gradientsIn: readonly Channel[];
  /** Gradients to the stages that `inputs` come from; empty on the first stage and where learning is local. */
  readonly gradientsOut: readonly Channel[];
  /** What other stages made of the same training batch, for losses that look at it; and to the stages that look at this one's. */
  readonly peersIn?: readonly Channel[];
  readonly peersOut?: readonly Channel[];
  /** Where the stage has several. */
  readonly replicas?: Replicas | null;
}

export interface LoopContext<Work extends Stage = Stage> {
  /** This worker's actions of a batch that was cut into so many microbatches. */
  actions(microbatches: number): readonly Action[];
  /** Whether a loss that is not finite ends the run: it is training, and not to go on in spite of it. */
  readonly finite: boolean;
  /** What to do to go on in spite of it, as a sentence; where there is a way. */
  readonly otherwise?: string;
  /** Whether the time of every action is told. */
  readonly spans: boolean;
  /** Gives an event to the run. */
  report(event: RunEvent): void;
  /** Saves a stage's part of the checkpoint. */
  save(stage: Work, message: Extract<ControlMessage, { kind: 'checkpoint' }>): void;
  /** What the program gives for a prediction batch. */
  predicted(batch: BatchMessage, output: Tensor): void;
  /** Called between batches, when only what outlives a step is alive. */
  afterBatch(step: number): void;
  /** Called when a stage has met a control message, whichever. */
  afterControl?(stage: Work, message: ControlMessage): void;
  /** Called before every action; tests inject faults here. */
  beforeAction?(stage: Work, action: Action, step: number): void;
}

/** A microbatch, or a replica's share of it, between its forward and its backward. */
interface InFlight {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly targets: readonly Tensor[];
  /** Its share of the batch. */
  readonly share: number;
}

/** The share of a microbatch that has fewer samples than there are replicas. */
const nothing: InFlight = { inputs: [], outputs: [], targets: [], share: 0 };

/** What a station has under way. */
class StationState<Work extends Stage> {
  /** What came in of the batch so far, to tell whose fault a loss is that is not finite. */
  readonly came: Tensor[] = [];
  /** The message that began a batch, until its first action takes it. */
  first: Envelope<BatchMessage> | null = null;
  /** How many features come over each input. */
  features: number[] = [];
  readonly inFlight = new Map<number, InFlight>();
  batch: BatchMessage | null = null;
  /** The batch's losses so far, by name; none where gradients come from the stages after. */
  readonly losses = new Map<string, Tensor>();
  /** The same as numbers, once the batch is through. */
  values: Readonly<Record<string, number>> = {};
  waitMs = 0;
  busyMs = 0;

  constructor(readonly station: Station<Work>) {}
}

function featureCount(meta: Envelope['meta']): number {
  return meta.kind === 'batch' ? (meta.features ?? 1) : 1;
}

/** The message that goes on from a stage, with its own features in place of those that came. */
function passOn(
  { features: _, ...meta }: BatchMessage,
  features: readonly Tensor[],
  carried: readonly Tensor[],
): Envelope {
  const count = features.length === 1 ? {} : { features: features.length };
  return { meta: { ...meta, ...count }, tensors: [...features, ...carried] };
}

export class StageLoop<Work extends Stage = Stage> {
  readonly #states: readonly StationState<Work>[];
  #action: Action | null = null;
  #step = 0;

  constructor(
    stations: readonly Station<Work>[],
    private readonly context: LoopContext<Work>,
  ) {
    this.#states = stations.map((station) => new StationState(station));
  }

  /** Runs until a stop message has passed. @throws StageError naming stage, action and step */
  run(): void {
    try {
      let before = this.#step;
      while (scope(() => this.#turn())) {
        if (this.#step !== before) this.context.afterBatch(this.#step);
        before = this.#step;
      }
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** One message: a training batch runs through all of this worker's actions, anything else through its stages. */
  #turn(): boolean {
    const first = this.#states[0]!;
    this.#action = null;
    const envelope = this.#receive(first);
    const { meta } = envelope;
    if (meta.kind === 'batch' && meta.split === 'train') {
      first.first = envelope as Envelope<BatchMessage>;
      this.#train(meta);
      return true;
    }
    for (const state of this.#states) {
      const passed = state === first ? envelope : this.#receive(state);
      if (passed.meta.kind === 'batch') this.#evaluate(state, passed as Envelope<BatchMessage>);
      else this.#control(state, passed.meta as ControlMessage);
    }
    return meta.kind !== 'stop';
  }

  /** One envelope from every input, joined: the features of each, then the targets of the first. */
  #receive(state: StationState<Work>): Envelope {
    const envelopes = this.#waiting(state, () => state.station.inputs.map((channel) => channel.get()));
    const [first, ...others] = envelopes as [Envelope, ...Envelope[]];
    if (first.meta.kind === 'batch') state.features = envelopes.map(({ meta }) => featureCount(meta));
    if (others.length === 0 || first.meta.kind !== 'batch') return first;
    const features = envelopes.flatMap(({ meta, tensors }) => tensors.slice(0, featureCount(meta)));
    const meta: BatchMessage = { ...first.meta, features: features.length };
    return { meta, tensors: [...features, ...first.tensors.slice(featureCount(first.meta))] };
  }

  #waiting<T>(state: StationState<Work>, action: () => T): T {
    const start = performance.now();
    try {
      return action();
    } finally {
      state.waitMs += performance.now() - start;
    }
  }

  #train(batch: BatchMessage): void {
    this.#step = batch.step;
    for (const state of this.#states) {
      state.batch = batch;
      state.losses.clear();
      state.came.length = 0;
      state.station.stage.beginBatch(batch.step);
    }
    for (const action of this.context.actions(batch.microbatches)) this.#perform(action);
  }

  #perform(action: Action): void {
    this.#action = action;
    const state = this.#states.find(({ station }) => station.stage.index === action.stage)!;
    this.context.beforeAction?.(state.station.stage, action, this.#step);
    const start = performance.now();
    const waited = state.waitMs;
    if (action.kind === 'F') this.#forward(state, action.microbatch);
    else if (action.kind === 'B') this.#backward(state, action.microbatch);
    else if (action.kind === 'R') this.#reduce(state);
    else this.#update(state);
    const ms = performance.now() - start;
    state.busyMs += ms - (state.waitMs - waited);
    if (this.context.spans) {
      const [time, text] = [Date.now() - ms, formatAction(action)];
      this.context.report({ type: 'span', time, stage: action.stage, step: this.#step, action: text, ms });
    }
    if (action.kind === 'U') this.#reportStep(state);
  }

  #forward(state: StationState<Work>, microbatch: number): void {
    const { stage, outputs, gradientsOut, peersOut = [] } = state.station;
    const { meta, tensors } = state.first ?? (this.#receive(state) as Envelope<BatchMessage>);
    state.first = null;
    if (meta.kind !== 'batch' || meta.microbatch !== microbatch) {
      throw new HeadraceError(`expected microbatch ${microbatch} of step ${this.#step}, got ${JSON.stringify(meta)}`);
    }
    if (rowsOf(meta) === 0) {
      this.#send(state, { meta, tensors: [] }, outputs);
      state.inFlight.set(microbatch, nothing);
      return;
    }
    // Its own view: the same tensor may have gone to another stage too, and each gathers its own gradient.
    const features = tensors.slice(0, featureCount(meta)).map((x) => stage.toDevice(x).detach());
    if (gradientsOut.length > 0) for (const x of features) x.requiresGrad = true;
    state.came.push(...features);
    const results = stage.forward(features);
    // Sent before the backward, so that the next stage starts a whole backward earlier.
    const carried = tensors.slice(featureCount(meta));
    const detached = results.map((x) => x.detach());
    this.#send(state, passOn(meta, detached, carried), [...outputs, ...peersOut]);
    const targets = carried.map((x) => stage.toDevice(x));
    const share = rowsOf(meta) / meta.samples;
    state.inFlight.set(microbatch, { inputs: features, outputs: results, targets, share });
  }

  #backward(state: StationState<Work>, microbatch: number): void {
    const { stage, gradientsIn, gradientsOut } = state.station;
    const { inputs, outputs, targets, share } = state.inFlight.get(microbatch)!;
    state.inFlight.delete(microbatch);
    const { samples, microbatches } = state.batch!;
    const { replicas } = state.station;
    if (replicas && microbatch === microbatches - 1) replicas.expectGradients(stage.parameters?.() ?? []);
    if (gradientsIn.length > 0) {
      const gradients = this.#waiting(state, () => gradientsIn.map((channel) => channel.get().tensors));
      const sums = outputs.map((_, i) => gradients.map((of) => stage.toDevice(of[i]!)).reduce((a, b) => a.add(b)));
      backwardThrough(outputs, sums);
    } else if (share > 0) {
      const peers = this.#peers(state);
      for (const [name, value] of Object.entries(stage.learn(outputs, targets, share, peers))) {
        const sum = state.losses.get(name);
        state.losses.set(name, sum ? sum.add(value) : value);
      }
    }
    const meta = { kind: 'gradient', step: this.#step, samples, microbatch, microbatches } as const;
    let from = 0;
    gradientsOut.forEach((channel, edge) => {
      const own = inputs.slice(from, from + state.features[edge]!);
      from += own.length;
      this.#send(state, { meta, tensors: own.map((input) => input.grad ?? ops.zerosLike(input)) }, [channel]);
    });
  }

  /** What the stage's losses look at of others: features alone, on its device. */
  #peers(state: StationState<Work>): Tensor[][] {
    const { stage, peersIn = [] } = state.station;
    const envelopes = this.#waiting(state, () => peersIn.map((channel) => channel.get()));
    return envelopes.map(({ meta, tensors }) =>
      tensors.slice(0, featureCount(meta)).map((x) => stage.toDevice(x).detach()),
    );
  }

  #send(state: StationState<Work>, envelope: Envelope, channels: readonly Channel[]): void {
    this.#waiting(state, () => {
      for (const channel of channels) channel.put(envelope);
    });
  }

  /** Every replica gets the gradients and losses of the whole batch; where one has no samples it knows no losses. */
  #reduce(state: StationState<Work>): void {
    const { stage, replicas } = state.station;
    const parameters = stage.parameters?.();
    if (!replicas || !parameters) throw new HeadraceError('expected a stage with replicas, which tells its parameters');
    this.#readLosses(state); // its own: later nobody knows which replica a loss that is not finite came from
    const some = state.batch!.samples >= replicas.count;
    this.#waiting(state, () => replicas.sumGradients(parameters, some ? state.losses : new Map()));
  }

  /** A step of the stage, once its losses are known to be finite. */
  #update(state: StationState<Work>): void {
    this.#readLosses(state);
    state.station.stage.apply();
  }

  #readLosses(state: StationState<Work>): void {
    state.values = Object.fromEntries([...state.losses].map(([name, value]) => [name, value.item()]));
    const [fault] = Object.entries(state.values).filter(([, value]) => !Number.isFinite(value));
    if (!fault || !this.context.finite) return;
    const [name, value] = fault;
    const which = name === 'loss' ? 'the loss' : `the loss ${name}`;
    throw notFiniteError(
      `${which} is ${value}; the weights are as they were before this step.`,
      state.station.stage,
      state.came,
      this.context.otherwise ?? null,
    );
  }

  #reportStep(state: StationState<Work>): void {
    const { stage, inputs } = state.station;
    const { step, epoch, samples } = state.batch!;
    const { loss = null, ...others } = state.values;
    this.context.report({
      type: 'step',
      time: Date.now(),
      stage: stage.index,
      step,
      epoch,
      loss,
      ...(Object.keys(others).length > 0 ? { losses: state.values } : {}),
      lr: stage.lr,
      samples,
      busy: state.busyMs,
      wait: state.waitMs,
      queue: inputs[0]!.depth(),
    });
    state.waitMs = 0;
    state.busyMs = 0;
  }

  #evaluate(state: StationState<Work>, envelope: Envelope<BatchMessage>): void {
    const { stage, outputs } = state.station;
    const { meta, tensors } = envelope;
    if (rowsOf(meta) === 0) {
      this.#send(state, { meta, tensors: [] }, outputs);
      return;
    }
    const features = tensors.slice(0, featureCount(meta)).map((x) => stage.toDevice(x));
    const results = scope(() => stage.evaluate(features));
    const targets = tensors.slice(featureCount(meta));
    this.#send(state, passOn(meta, results, targets), outputs);
    if (!stage.isLast) return;
    if (meta.split === 'predict') this.context.predicted(meta, results[0]!);
    else
      scope(() =>
        stage.score?.(
          results,
          targets.map((x) => stage.toDevice(x)),
        ),
      );
  }

  #control(state: StationState<Work>, message: ControlMessage): void {
    const { stage, outputs } = state.station;
    // Passed on first: the stages below need not wait while this one saves.
    this.#send(state, { meta: message, tensors: [] }, outputs);
    if (message.kind === 'checkpoint') this.context.save(stage, message);
    this.context.afterControl?.(stage, message);
    const scores = message.kind === 'evaluated' ? (stage.takeScores?.() ?? null) : null;
    if (message.kind !== 'evaluated' || scores === null) return;
    const { loss = 0 } = scores.metrics;
    if (this.context.finite && !Number.isFinite(loss)) {
      throw notFiniteError(
        `the test loss after step ${message.step} is ${loss}.`,
        stage,
        null,
        this.context.otherwise ?? null,
      );
    }
    const { step, epoch } = message;
    this.context.report({ type: 'eval', time: Date.now(), stage: stage.index, step, epoch, ...scores });
  }

  #explain(error: unknown): unknown {
    const { stage: first, replicas } = this.#states[0]!.station;
    const stage = this.#action?.stage ?? first.index;
    const action = this.#action ? formatAction(this.#action) : null;
    const parts = [`stage ${stage}`, replicas && `replica ${replicas.index}`, action && `action ${action}`];
    const where = `${parts.filter(Boolean).join(', ')}, step ${this.#step}`;
    return new StageError(`${where}: ${messageWithPlace(error)}`, { stage, action, step: this.#step, cause: error });
  }
}
