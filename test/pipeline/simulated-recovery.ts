// Recovery by stage without processes, tensors or time: a rank that dies is started again alone, whenever a seed says, while the
// others go on. What decides is the engine's own: what edges keep and where they stand, what is told again and heard twice, which
// checkpoint is whole, what a run is fed.
import { CheckpointCommits, type SavedPart } from 'headrace/pipeline';
import { Disk, drawer, mix, type Setting } from './simulated-run.js';

type Kept = typeof import('../../dist/pipeline/kept.js');
type Recovery = typeof import('../../dist/pipeline/recovery.js');
type Course = typeof import('../../dist/pipeline/course.js');
type Checkpoints = typeof import('../../dist/pipeline/checkpoint.js');
type Wirings = typeof import('../../dist/pipeline/wiring.js');
const inner = <M>(name: string): Promise<M> => import(`../../../dist/pipeline/${name}.js`) as Promise<M>;
const { after, beginning, isBefore, KeptMessages } = await inner<Kept>('kept');
const { Heard, keptUntil, stopper } = await inner<Recovery>('recovery');
const { courseOf } = await inner<Course>('course');
const { filesOf, shardName, strays } = await inner<Checkpoints>('checkpoint');
const { rankOf } = await inner<Wirings>('wiring');

type Place = ReturnType<typeof beginning>;
type Fed = ReturnType<typeof courseOf> extends Generator<infer F, void> ? F : never;
type Message = { readonly meta: Fed; readonly value: number };
type Saved = { readonly kind: 'saved'; readonly best: boolean } & SavedPart;
type Notice = Saved | { readonly kind: 'finished' };
/** What it yields says when it can go on. */
type Thread = Generator<() => boolean, void>;

/** What a test breaks to see that it is found. */
export type Broken = 'trim' | 'place' | 'notices' | 'fed' | undefined;

/** The connection of an edge between ranks, if there is one. */
interface Wire {
  connected: boolean;
  waiting: Message[];
  /** What the end that receives asks for. */
  asked: Place | null;
}

interface Edge {
  put(message: Message): Thread;
  get(): Generator<() => boolean, Message>;
  /** Serves who asks for what has passed. */
  serve(): Thread;
}

export class RecoveringRun {
  readonly disk = new Disk();
  deaths = 0;
  #committed = 0;
  readonly #board = { fed: 0 };
  #asked = false;
  #done = false;
  readonly #wires: Wire[];
  readonly #ranks: number;
  /** Of each rank: what it has told, and how much of that rank 0 has heard. */
  readonly #told: { notices: Notice[]; heard: number }[] = [];
  #threads: { readonly rank: number; readonly thread: Thread; ready: () => boolean }[] = [];
  readonly #finished = new Set<number>();

  constructor(
    private readonly setting: Setting,
    private readonly seed: number,
    private readonly broken: Broken,
  ) {
    this.#ranks = 1 + drawer(seed ^ 0x3c6ef372)(setting.stages);
    this.#wires = Array.from({ length: setting.stages }, () => ({ connected: false, waiting: [], asked: null }));
    for (let rank = 0; rank < this.#ranks; rank++) this.#start(rank);
  }

  #rankOf(stage: number): number {
    return rankOf(stage, this.setting.stages, this.#ranks);
  }

  /** A process of a rank, from the last whole checkpoint on. */
  #start(rank: number): void {
    const { disk } = this;
    const from = disk.state?.step ?? 0;
    this.#told[rank] = { notices: [], heard: 0 };
    const spawn = (thread: Thread): void => void this.#threads.push({ rank, thread, ready: () => true });
    const stages = Array.from({ length: this.setting.stages }, (_, index) => index).filter(
      (index) => this.#rankOf(index) === rank,
    );
    let working = stages.length;
    const ended = (): void => {
      if (--working === 0) this.#tell(rank, { kind: 'finished' });
    };
    let input = rank === 0 ? this.#queue() : this.#receiver(stages[0]! - 1, from);
    if (rank === 0) {
      spawn(this.#load(input, from));
      spawn(this.#lead());
    }
    for (const index of stages) {
      const isLast = index === this.setting.stages - 1;
      const output = isLast ? null : stages.includes(index + 1) ? this.#queue() : this.#sender(index, from);
      const weights = disk.state === null ? index : disk.read(index);
      spawn(this.#work({ index, weights, step: from }, input, output, ended));
      input = output!;
    }
  }

  /** Within a rank. */
  #queue(): Edge {
    const waiting: Message[] = [];
    const { queueCapacity } = this.setting;
    return {
      *put(message) {
        yield () => waiting.length < queueCapacity;
        waiting.push(message);
      },
      *get() {
        yield () => waiting.length > 0;
        return waiting.shift()!;
      },
      *serve() {},
    };
  }

  #sender(number: number, from: number): Edge {
    const run = this;
    const wire = this.#wires[number]!;
    const kept = new KeptMessages<Message>(from, (item) => ({ load: () => item, drop: () => {} }));
    let next = beginning(from);
    /** Ahead of the other end only where it was away. */
    function* tend(): Thread {
      for (;;) {
        if (!wire.connected) {
          if (wire.asked === null) return;
          if (!kept.reaches(wire.asked)) return run.#kill(run.#rankOf(number + 1));
          [next, wire.asked, wire.connected] = [wire.asked, null, true];
        }
        const hasRoom = (): boolean => wire.waiting.length < run.setting.queueCapacity;
        while (wire.connected && isBefore(next, kept.end)) {
          if (kept.countFrom(next) === 1) yield () => !wire.connected || hasRoom();
          else if (!hasRoom()) return;
          if (!wire.connected) break;
          const message = kept.at(next);
          wire.waiting.push(message);
          next = after(next, message.meta);
        }
        if (wire.connected) return;
      }
    }
    return {
      *put(message) {
        kept.add(message);
        const step = run.broken === 'trim' ? message.meta.step : run.#committed;
        if (message.meta.kind === 'checkpoint') kept.trim(step, next);
        yield* tend();
      },
      get: () => {
        throw new Error('it sends');
      },
      *serve() {
        const isDue = (): boolean => (wire.connected ? isBefore(next, kept.end) : wire.asked !== null);
        while (!run.#done) {
          yield () => run.#done || isDue();
          yield* tend();
          yield () => true;
        }
      },
    };
  }

  #receiver(number: number, from: number): Edge {
    const wire = this.#wires[number]!;
    const { broken } = this;
    let place = beginning(from);
    return {
      put: () => {
        throw new Error('it receives');
      },
      *get() {
        yield () => {
          if (!wire.connected) wire.asked = place;
          return wire.waiting.length > 0;
        };
        const message = wire.waiting.shift()!;
        if (broken !== 'place' || message.meta.kind !== 'checkpoint') place = after(place, message.meta);
        return message;
      },
      *serve() {},
    };
  }

  *#load(output: Edge, fromStep: number): Thread {
    const { totalSteps, perEpoch, evalEvery, checkpointEvery } = this.setting;
    const more = { evaluation: true, evalEvery, checkpointEvery, checkpoints: true, again: fromStep > 0 };
    const task = { kind: 'train', fromStep, totalSteps, ...more } as const;
    const board = this.broken === 'fed' ? { fed: 0 } : this.#board;
    for (const meta of courseOf(
      task,
      perEpoch,
      stopper(board, () => this.#asked, 1),
    ))
      yield* output.put({ meta, value: mix(mix(7, meta.step), 0) });
  }

  *#work(
    { index, ...state }: { index: number; weights: number; step: number },
    input: Edge,
    output: Edge | null,
    ended: () => void,
  ): Thread {
    let { weights, step } = state;
    for (let going = true; going; ) {
      const { meta, value } = yield* input.get();
      const made = meta.kind === 'batch' ? mix(value, weights) : value;
      if (output) yield* output.put({ meta, value: made });
      if (meta.kind === 'batch') {
        if (meta.step !== step + 1) throw new Error(`stage ${index} learns batch ${meta.step} after ${step}`);
        step = meta.step;
        weights = mix(weights, mix(0, made));
      } else if (meta.kind === 'checkpoint') yield* this.#save(index, meta.step, meta.epoch, weights);
      going = meta.kind !== 'stop';
    }
    ended();
    if (output) yield* output.serve();
  }

  *#save(index: number, step: number, epoch: number, weights: number): Thread {
    const name = (part: string): string => shardName(part, step, index, this.setting.stages);
    const shard = { model: name('model'), heads: null, optimizer: name('optimizer') };
    for (const file of filesOf(shard)) {
      yield () => true;
      this.disk.write(file, `${index} ${step} ${weights}`);
    }
    yield () => true;
    const saved = { stage: index, shard, modelKeys: [] };
    this.#tell(this.#rankOf(index), { kind: 'saved', best: false, step, epoch, saved });
  }

  #tell(rank: number, notice: Notice): void {
    const told = this.#told[rank]!;
    told.notices.push(notice);
    if (notice.kind !== 'saved') return;
    const isPast = (each: Notice, i: number): boolean => i < told.heard && keptUntil(each)! < this.#committed;
    const past = told.notices.filter(isPast).length;
    told.notices = told.notices.filter((each, i) => !isPast(each, i));
    told.heard -= past;
  }

  /** Rank 0 hears what all tell, those that told before it was started anew once more. */
  *#lead(): Thread {
    const { setting, disk } = this;
    const commits = new CheckpointCommits(
      setting.stages,
      [],
      { commit: (state) => disk.commit(state), remove },
      disk.state,
    );
    function remove(file: string): void {
      if (disk.files.has(file)) disk.remove(file);
    }
    const heard = new Heard();
    if (this.broken !== 'notices') for (const each of this.#told) each.heard = 0;
    this.#finished.clear();
    while (this.#finished.size < this.#ranks) {
      const isNew = ({ notices, heard: count }: { notices: Notice[]; heard: number }): boolean =>
        count < notices.length;
      yield () => this.#told.some(isNew);
      const rank = this.#told.findIndex(isNew);
      const told = this.#told[rank]!;
      const notice = told.notices[told.heard++]!;
      if (notice.kind === 'finished') this.#finished.add(rank);
      else if (heard.isNew(notice) && commits.saved(notice)) this.#committed = notice.step;
    }
    this.#done = true;
  }

  #kill(rank: number): void {
    this.#threads = this.#threads.filter((each) => each.rank !== rank);
    this.#finished.delete(rank);
    this.deaths++;
    this.#waiting.push(rank);
    for (const [number, wire] of this.#wires.entries()) {
      const ends = [this.#rankOf(number), this.#rankOf(Math.min(number + 1, this.setting.stages - 1))];
      if (!ends.includes(rank)) continue;
      Object.assign(wire, { connected: false, waiting: [], asked: null });
    }
  }

  /** Ranks that are to be started again. */
  readonly #waiting: number[] = [];

  /**
   * Plays the run to its end.
   * @param faults - how many ranks die on the way, two at once perhaps
   * @param stops - whether it is asked to end early, after the last of them
   */
  play(faults: number, stops = false): void {
    const draw = drawer(this.seed);
    const moment = (): number => draw(10 + 8 * this.setting.totalSteps * this.setting.stages);
    const moments = Array.from({ length: faults }, moment).sort((a, b) => a - b);
    for (let turn = 0; !this.#done; turn++) {
      if (moments.length > 0 && turn >= moments[0]!) {
        moments.shift();
        const rank = draw(this.#ranks);
        if (!this.#waiting.includes(rank)) this.#kill(rank);
      }
      if (stops && moments.length === 0 && this.disk.state !== null) this.#asked = true;
      const ready = this.#ready();
      const starts = this.#waiting.length > 0 && (ready.length === 0 || draw(25) === 0);
      if (starts) this.#start(this.#waiting.shift()!);
      else if (ready.length > 0) this.#turn(ready[draw(ready.length)]!);
      else if (moments.length > 0) turn = moments[0]! - 1;
      else throw new Error(`${this.#threads.length} threads wait for ever`);
      if (this.deaths > 50 * (faults + 1)) throw new Error('a rank dies again and again');
    }
    this.#check();
  }

  /** Who waits at a broken connection asks for what it lacks, which others may have been waiting for. */
  #ready(): { readonly thread: Thread; ready: () => boolean }[] {
    const look = () => this.#threads.filter((each) => each.ready());
    const ready = look();
    return ready.length > 0 ? ready : look();
  }

  #turn(chosen: { readonly thread: Thread; ready: () => boolean }): void {
    const { done, value } = chosen.thread.next();
    if (done) this.#threads = this.#threads.filter((each) => each !== chosen);
    else chosen.ready = value;
  }

  #check(): void {
    const { disk, setting } = this;
    const { step } = disk.state!;
    if (this.#asked ? step > setting.totalSteps : step !== setting.totalSteps)
      throw new Error(`it ends with the checkpoint of ${step}`);
    // What a rank saved once more after its checkpoint was past is swept when the run's folder is closed.
    for (const name of strays([...disk.files.keys()], disk.state)) disk.remove(name);
  }

  weights(): number[] {
    return Array.from({ length: this.setting.stages }, (_, index) => this.disk.read(index));
  }
}
