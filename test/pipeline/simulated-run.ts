// A run over ranks without processes, tensors or time: queues, markers, files and faults, step by step in an order that a seed
// draws. What decides is the engine's own: the course of a run, its wiring and schedule, which rank has what, which checkpoint
// is whole, which parts are kept. Weights are numbers that hang on all that a stage was fed, and in which order.
import { CheckpointCommits, type CheckpointState, type SavedPart, scheduleFor } from 'headrace/pipeline';

type Course = typeof import('../../dist/pipeline/course.js');
type Checkpoints = typeof import('../../dist/pipeline/checkpoint.js');
type Wirings = typeof import('../../dist/pipeline/wiring.js');
const inner = <M>(name: string): Promise<M> => import(`../../../dist/pipeline/${name}.js`) as Promise<M>;
const { courseOf } = await inner<Course>('course');
const { filesOf, shardName, strays } = await inner<Checkpoints>('checkpoint');
const { rankOf, wireChain } = await inner<Wirings>('wiring');

type Wiring = ReturnType<typeof wireChain>;
type Border = Wiring['sources'][number];
/** Where no stage has replicas. */
type Edge = Extract<Border, { readonly number: number }>;
type Station = Wiring['workers'][number][number];
type Fed = ReturnType<typeof courseOf> extends Generator<infer F, void> ? F : never;
type Message = Fed & { readonly value: number; readonly microbatch?: number };

/** Numbers below 2^32 that a seed draws (mulberry32). */
export function drawer(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A number that hangs on both and on their order. */
export const mix = (a: number, b: number): number => (Math.imul(a ^ (b + 0x9e3779b9), 0x85ebca6b) ^ (a >>> 13)) >>> 0;

export interface Setting {
  readonly schedule: 'bp' | 'sequential' | 'ppll' | 'gpipe' | '1f1b';
  readonly stages: number;
  readonly microbatches: number;
  readonly queueCapacity: number;
  readonly totalSteps: number;
  readonly perEpoch: number;
  readonly evalEvery: number;
  readonly checkpointEvery: number;
}

/** What a rank dies of, and what a test breaks to see that it is found. */
export interface Disturbance {
  readonly faults: number;
  readonly broken?: 'commits' | 'course';
}

class Killed extends Error {}

/** The run's folder: it outlives all processes. */
export class Disk {
  readonly files = new Map<string, string>();
  state: CheckpointState | null = null;
  /** Operations until whoever writes dies. */
  fuse = Number.POSITIVE_INFINITY;

  #burn(): void {
    if (this.fuse-- <= 0) throw new Killed();
  }

  write(name: string, content: string): void {
    this.#burn();
    this.files.set(name, content);
  }

  commit(state: CheckpointState): void {
    this.#burn();
    this.state = state;
  }

  remove(name: string): void {
    this.#burn();
    if (!this.files.delete(name)) throw new Error(`${name} is removed, and is not there`);
  }

  /** What stage `index` has saved. @throws where the current checkpoint is not whole */
  read(index: number): number {
    const { step, shards } = this.state!;
    const contents = filesOf(shards[index]!).map((name) => this.files.get(name));
    const weights = contents[0]?.split(' ')[2];
    if (contents.some((content) => content !== `${index} ${step} ${weights}`)) {
      throw new Error(`the checkpoint of step ${step} is not whole: stage ${index} has ${contents.join(', ')}`);
    }
    return Number(weights);
  }
}

class Channel {
  readonly waiting: Message[] = [];
  constructor(readonly capacity: number) {}
}

/** A thread: what it yields says when it can go on. */
type Thread = Generator<() => boolean, void>;

interface StageState {
  weights: number;
  gradient: number;
  step: number;
  pieces: Message[];
  readonly inFlight: Map<number, number>;
}

/** One start of all ranks. */
class Round {
  readonly threads: { readonly rank: number; readonly thread: Thread; ready: () => boolean }[] = [];
  readonly #channels = new Map<number, Channel>();
  readonly #stages: StageState[] = [];
  /** What rank 0 is told, in order from each rank: a file's name and content, or a part. */
  readonly #notices: (SavedPart | readonly [string, string])[][];
  #working: number;

  constructor(
    private readonly setting: Setting,
    private readonly wiring: Wiring,
    private readonly disk: Disk,
    ranks: number,
    apart: boolean,
    broken: Disturbance['broken'],
  ) {
    const { schedule, stages, microbatches } = setting;
    for (const name of strays([...disk.files.keys()], disk.state)) disk.remove(name);
    for (let index = 0; index < stages; index++) {
      const weights = disk.state === null ? index : disk.read(index);
      this.#stages.push({ weights, gradient: 0, step: disk.state?.step ?? 0, pieces: [], inFlight: new Map() });
    }
    const actions = scheduleFor(schedule, stages, microbatches);
    this.#working = wiring.workers.length;
    this.#notices = Array.from({ length: ranks }, () => []);
    this.#start(0, this.#load(broken === 'course' ? -1 : 0));
    for (const [worker, stations] of wiring.workers.entries()) {
      const rank = rankOf(worker, wiring.workers.length, ranks);
      this.#start(rank, this.#work(stations, actions[worker]!, rank, apart && rank > 0));
    }
    const commits = new CheckpointCommits(
      broken === 'commits' ? Math.max(1, stages - 1) : stages,
      [],
      disk,
      disk.state,
    );
    this.#start(0, this.#lead(commits));
  }

  weights(): number[] {
    return this.#stages.map(({ weights }) => weights);
  }

  #start(rank: number, thread: Thread): void {
    this.threads.push({ rank, thread, ready: () => true });
  }

  #channel(border: Border): Channel {
    const { number, from, to, capacity } = border as Edge;
    const channel = this.#channels.get(number) ?? new Channel(from === to ? Number.POSITIVE_INFINITY : capacity);
    this.#channels.set(number, channel);
    return channel;
  }

  *#get(edge: Border): Generator<() => boolean, Message> {
    const { waiting } = this.#channel(edge);
    yield () => waiting.length > 0;
    return waiting.shift()!;
  }

  *#put(edges: readonly Border[], message: Message): Thread {
    for (const edge of edges) {
      const { waiting, capacity } = this.#channel(edge);
      yield () => waiting.length < capacity;
      waiting.push(message);
    }
  }

  *#load(shift: number): Thread {
    const { totalSteps, perEpoch, evalEvery, checkpointEvery } = this.setting;
    const fromStep = Math.max(0, (this.disk.state?.step ?? 0) + shift);
    const task = {
      kind: 'train',
      fromStep,
      totalSteps,
      evaluation: true,
      evalEvery,
      checkpointEvery,
      checkpoints: true,
    } as const;
    for (const fed of courseOf(task, perEpoch, () => false)) {
      const value = mix(7, fed.step);
      if (fed.kind !== 'batch') yield* this.#put(this.wiring.sources, { ...fed, value });
      else
        for (let m = 0; m < this.#microbatches(); m++)
          yield* this.#put(this.wiring.sources, { ...fed, microbatch: m, value: mix(value, m) });
    }
  }

  /** As the stage loop does. */
  *#work(
    stations: readonly Station[],
    actions: ReturnType<typeof scheduleFor>[number],
    rank: number,
    apart: boolean,
  ): Thread {
    for (let going = true; going; ) {
      const message = yield* this.#get(stations[0]!.inputs[0]!);
      if (message.kind === 'batch') {
        const { pieces } = this.#stages[stations[0]!.index]!;
        pieces.push(message);
        for (const action of actions) {
          const station = stations.find(({ index }) => index === action.stage)!;
          if (action.kind === 'F') yield* this.#forward(station, action.microbatch);
          else if (action.kind === 'B') yield* this.#backward(station, action.microbatch, message.step);
          else this.#update(station, message.step);
        }
        continue;
      }
      for (const station of stations) {
        const passed = station === stations[0] ? message : yield* this.#get(station.inputs[0]!);
        yield* this.#put(station.outputs, passed);
        if (passed.kind === 'checkpoint') yield* this.#save(station.index, passed, rank, apart);
      }
      going = message.kind !== 'stop';
    }
    this.#working--;
  }

  #microbatches(): number {
    const { schedule, microbatches } = this.setting;
    return schedule === 'ppll' || schedule === 'sequential' ? 1 : microbatches;
  }

  *#forward({ index, inputs, outputs }: Station, microbatch: number): Thread {
    const state = this.#stages[index]!;
    if (state.pieces.length === 0) state.pieces.push(yield* this.#get(inputs[0]!));
    const piece = state.pieces.shift()!;
    if (piece.kind !== 'batch' || piece.microbatch !== microbatch) throw new Error(`stage ${index} got ${piece.kind}`);
    const value = mix(piece.value, state.weights);
    state.inFlight.set(microbatch, value);
    yield* this.#put(outputs, { ...piece, value });
  }

  *#backward({ index, gradientsIn, gradientsOut }: Station, microbatch: number, step: number): Thread {
    const state = this.#stages[index]!;
    const value = state.inFlight.get(microbatch)!;
    state.inFlight.delete(microbatch);
    const own = gradientsIn[0] === undefined ? value : mix(value, (yield* this.#get(gradientsIn[0])).value);
    state.gradient = mix(state.gradient, own);
    yield* this.#put(gradientsOut, { kind: 'batch', step, epoch: 0, value: mix(own, state.weights) });
  }

  #update({ index }: Station, step: number): void {
    const state = this.#stages[index]!;
    if (step !== state.step + 1) throw new Error(`stage ${index} learns batch ${step} after ${state.step}`);
    state.step = step;
    state.weights = mix(state.weights, state.gradient);
    state.gradient = 0;
  }

  /** Each file appears at once, and any moment may lie between two. A rank apart sends them before it tells of them. */
  *#save(
    index: number,
    { step, epoch }: Extract<Message, { kind: 'checkpoint' }>,
    rank: number,
    apart: boolean,
  ): Thread {
    const content = `${index} ${step} ${this.#stages[index]!.weights}`;
    const name = (part: string): string => shardName(part, step, index, this.setting.stages);
    const shard = { model: name('model'), heads: index % 2 === 0 ? name('heads') : null, optimizer: name('optimizer') };
    for (const file of filesOf(shard)) {
      yield () => true;
      if (apart) yield* this.#tell(rank, [file, content]);
      else this.disk.write(file, content);
    }
    yield* this.#tell(rank, { step, epoch, saved: { stage: index, shard, modelKeys: [] } });
  }

  *#tell(rank: number, notice: SavedPart | readonly [string, string]): Thread {
    const waiting = this.#notices[rank]!;
    yield () => waiting.length < 16;
    waiting.push(notice);
  }

  /** Rank 0: hears what all tell, and decides which checkpoint is whole. */
  *#lead(commits: CheckpointCommits): Thread {
    for (let from = 0; ; from++) {
      yield () => this.#working === 0 || this.#notices.some((waiting) => waiting.length > 0);
      if (this.#notices.every((waiting) => waiting.length === 0)) return;
      const notice = this.#notices[from % this.#notices.length]!.shift();
      if (notice === undefined) continue;
      if ('saved' in notice) commits.saved(notice);
      else this.disk.write(...notice);
    }
  }
}

export interface Outcome {
  /** Of its stages. */
  readonly weights: number[];
  /** Starts that came to an early end. */
  readonly deaths: number;
}

/**
 * A run to its end, with faults on the way: all ranks end, and start again from the last whole checkpoint, perhaps as many
 * others.
 * @throws where a batch is lost or comes twice, a checkpoint is not whole, or all wait for ever
 */
export function simulateRun(setting: Setting, seed: number, { faults, broken }: Disturbance): Outcome {
  const draw = drawer(seed);
  const cut = Array.from({ length: setting.stages - 1 }, (_, i) => i);
  const wiring = wireChain(setting as unknown as Parameters<typeof wireChain>[0], cut, setting.stages);
  const disk = new Disk();
  let deaths = 0;
  for (let left = faults; ; left--) {
    const ranks = 1 + draw(wiring.workers.length);
    disk.fuse = Number.POSITIVE_INFINITY;
    const round = new Round(setting, wiring, disk, ranks, draw(2) === 0, broken);
    const fault =
      left > 0
        ? { after: draw(10 + 6 * setting.totalSteps * setting.stages), rank: draw(ranks), noticed: draw(40) }
        : null;
    // Some die in the midst of what they write.
    if (fault !== null && draw(3) === 0) disk.fuse = draw(30);
    if (play(round, draw, fault)) {
      if (disk.state?.step !== setting.totalSteps)
        throw new Error(`it ends with the checkpoint of ${disk.state?.step}`);
      if (strays([...disk.files.keys()], disk.state).length > 0) throw new Error('files are left that nobody needs');
      for (const [index, weights] of round.weights().entries()) {
        if (disk.read(index) !== weights) throw new Error(`stage ${index} has not saved its last weights`);
      }
      return { weights: round.weights(), deaths };
    }
    deaths++;
    if (disk.state !== null) for (let index = 0; index < setting.stages; index++) disk.read(index);
  }
}

interface Fault {
  /** Turns before a rank dies, and before the others have noticed. */
  readonly after: number;
  readonly rank: number;
  readonly noticed: number;
}

/** @returns whether the round came to its end */
function play({ threads }: Round, draw: (below: number) => number, fault: Fault | null): boolean {
  let alive = [...threads];
  let until = Number.POSITIVE_INFINITY;
  for (let turn = 0; alive.length > 0; turn++) {
    if (turn === fault?.after) {
      alive = alive.filter(({ rank }) => rank !== fault.rank);
      until = turn + fault.noticed;
    }
    const ready = alive.filter((each) => each.ready());
    if (turn >= until || (ready.length === 0 && until < Number.POSITIVE_INFINITY)) return false;
    if (ready.length === 0) throw new Error(`${alive.length} threads wait for ever`);
    const chosen = ready[draw(ready.length)]!;
    try {
      const { done, value } = chosen.thread.next();
      if (done) alive.splice(alive.indexOf(chosen), 1);
      else chosen.ready = value;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      alive = alive.filter(({ rank }) => rank !== chosen.rank);
      until = turn + (fault?.noticed ?? 0);
    }
  }
  return until === Number.POSITIVE_INFINITY;
}
