/**
 * The folder of a training: `config.json`, `history.jsonl` and `events-0.jsonl`, which tell its course, and while it goes on
 * `checkpoint.safetensors`. Some have pictures of what they make by the way in `sheets`.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  FolderLock,
  loadSafetensors,
  readJsonFile,
  saveSafetensors,
  sweepUnfinished,
  writeFileAtomic,
} from '../../io/index.js';
import { describeDifferences, differencesOf, EventWriter, eventsPath } from '../../run/index.js';
import { ConfigError, DataError } from '../../torch/index.js';
import type { StepHooks, StepRecord, TrainState } from './steps.js';

const CHECKPOINT = 'checkpoint.safetensors';
const SHEETS = 'sheets';

/** What the events of a training tell of it. */
export interface Told {
  readonly model: string;
  readonly steps: number;
  readonly threads: number;
  readonly lr: number;
  /** Samples of a step. */
  readonly batch: number;
}

/** Pictures of what a model makes while it learns. */
export interface Sheets {
  /** Steps from one to the next; they come with the records, and one at the end. */
  readonly every: number;
  readonly write: (path: string) => Promise<void>;
}

export class TrainingFolder implements Disposable {
  readonly #lock: FolderLock;
  #events: EventWriter | null = null;

  /**
   * Makes the folder ready, or finds the run that it holds.
   * @throws ConfigError where it holds a run and `resume` is not set, or one of other settings
   */
  constructor(
    readonly path: string,
    config: object,
    resume: boolean,
  ) {
    beginRun(path, config, resume);
    this.#lock = FolderLock.take(path);
    sweepUnfinished(path);
  }

  /** What an earlier session kept; null where it came to nothing. */
  state(): TrainState | null {
    const path = join(this.path, CHECKPOINT);
    if (!existsSync(path)) return null;
    const { tensors, metadata } = loadSafetensors(path);
    const rest = JSON.parse(metadata.state ?? 'null') as Omit<TrainState, 'tensors'> | null;
    if (rest === null) throw new DataError(`${path}: expected the state of a training, found other tensors`);
    return { ...rest, tensors };
  }

  /** Hooks of a training that keep its state and tell its events: losses as they go, checkpoints, pictures. */
  keeping(told: Told, hooks: StepHooks, sheets: Sheets | null = null): StepHooks {
    const step = hooks.from?.step ?? 0;
    const events = new EventWriter(eventsPath(this.path, 0), { append: step > 0 });
    this.#events = events;
    const { model, steps: totalSteps, threads, lr, batch } = told;
    const base = { stage: 0, time: Date.now() };
    const run = { model, schedule: 'bp', stages: 1, step, totalSteps, layers: [], device: 'cpu', threads };
    events.write({ ...base, type: 'start', ...run });
    let before = step;
    const onRecord = (record: StepRecord): void => {
      const { total = null, ...losses } = record.loss;
      const samples = (record.step - before) * batch;
      before = record.step;
      const busy = 1000 * record.seconds;
      const now = { ...base, time: Date.now(), step: record.step };
      events.write({ ...now, type: 'step', epoch: 0, loss: total, losses, lr, samples, busy, wait: 0, queue: null });
      hooks.onRecord?.(record);
    };
    let shown = Math.floor(step / (sheets?.every ?? 1));
    const save = async (state: TrainState): Promise<void> => {
      this.#write(state);
      const now = { ...base, step: state.step };
      events.write({ ...now, type: 'checkpoint', time: Date.now(), path: join(this.path, CHECKPOINT) });
      await hooks.save?.(state);
      if (sheets === null) return;
      const due = Math.floor(state.step / sheets.every);
      if (due === shown && state.step !== totalSteps) return;
      shown = due;
      const path = join(this.path, SHEETS, `${String(state.step).padStart(String(totalSteps).length, '0')}.png`);
      mkdirSync(join(this.path, SHEETS), { recursive: true });
      await sheets.write(path);
      events.write({ ...now, type: 'sheet', time: Date.now(), path });
    };
    return { ...hooks, onRecord, save };
  }

  #write({ tensors, ...rest }: TrainState): void {
    saveSafetensors(join(this.path, CHECKPOINT), tensors, { state: JSON.stringify(rest) });
    const lines = rest.history.map((record) => `${JSON.stringify(record)}\n`);
    writeFileAtomic(join(this.path, 'history.jsonl'), lines.join(''));
  }

  [Symbol.dispose](): void {
    try {
      this.#events?.close();
    } finally {
      this.#lock.release();
    }
  }
}

function beginRun(out: string, config: object, resume: boolean): void {
  const path = join(out, 'config.json');
  if (existsSync(path)) {
    if (!resume) throw new ConfigError(`${out} holds a run already: resume it (resume: true), or give another folder`);
    const differences = differencesOf(readJsonFile<object>(path, 'a configuration'), config);
    if (differences.length > 0) {
      throw new ConfigError(
        `${out} holds a run of another configuration: its settings are ${describeDifferences(differences)}. Give those to go on, or another folder`,
      );
    }
    return;
  }
  mkdirSync(out, { recursive: true });
  writeFileAtomic(path, `${JSON.stringify(config, null, 2)}\n`);
}
