/**
 * The folder of a training: `config.json`, `history.jsonl` and `events-0.jsonl`, which tell its course, and while it goes on
 * `checkpoint.safetensors`.
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

/** What the events of a training tell of it. */
export interface Told {
  readonly model: string;
  readonly steps: number;
  readonly threads: number;
  readonly lr: number;
  /** Samples of a step. */
  readonly batch: number;
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

  /** Hooks of a training that keep its state and tell its events. */
  keeping(told: Told, hooks: StepHooks): StepHooks {
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
    const save = (state: TrainState): void => {
      this.#write(state);
      events.write({
        ...base,
        type: 'checkpoint',
        time: Date.now(),
        step: state.step,
        path: join(this.path, CHECKPOINT),
      });
      hooks.save?.(state);
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
    if (!resume) throw new ConfigError(`${out} holds a run already: resume it (--resume), or give another folder`);
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
