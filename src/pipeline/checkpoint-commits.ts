/**
 * Which parts of which checkpoints are there, and what may be removed when. The rule: a file belongs to the stage that writes
 * it until the stage has told of it, then to its checkpoint; and only a checkpoint of which every stage has told gives up
 * its files, once a newer one is current. So nothing is ever removed that another thread writes, however far stages are
 * apart, and in whatever order they finish.
 */
import { type CheckpointState, filesOf, type SavedShard } from './checkpoint.js';

/** What a stage tells when it has saved its part of the checkpoint of a step. */
export interface SavedPart {
  readonly step: number;
  readonly epoch: number;
  readonly saved: SavedShard;
  /** Whether it is of weights that may be the best, apart from checkpoints. */
  readonly best?: boolean;
}

/** Where checkpoints lie: the run's folder, or a test's. */
export interface CheckpointStore {
  /** Makes these parts the current checkpoint, in one step. @param modelKeys - of each model file */
  commit(state: CheckpointState, modelKeys: ReadonlyMap<string, readonly string[]>): void;
  remove(file: string): void;
}

/** The checkpoints of a session of a run. */
export class CheckpointCommits {
  /** Those of which some stages have told, by step. */
  readonly #underWay = new Map<number, SavedPart[]>();

  /**
   * @param current - the checkpoint that the session started from
   * @param wins - whether what is whole replaces the current one: by default, where it is later
   */
  constructor(
    private readonly stages: number,
    private readonly cut: readonly number[],
    private readonly store: CheckpointStore,
    private current: CheckpointState | null = null,
    private readonly wins = ({ step }: SavedPart, now: CheckpointState | null) => now === null || now.step < step,
  ) {}

  /**
   * Takes note of a part. With the last of its step the checkpoint becomes the current one and the files of the one before
   * are removed; unless a later one was whole first: then its own are.
   * @returns whether the checkpoint became the current one
   */
  saved(part: SavedPart): boolean {
    const known = this.#underWay.get(part.step) ?? [];
    const isKnown = known.some(({ saved }) => saved.stage === part.saved.stage);
    // A rank that is started again does some of its steps again, and saves the same again.
    if (isKnown || part.step === this.current?.step) return false;
    const parts = [...known, part];
    this.#underWay.set(part.step, parts);
    if (parts.length < this.stages) return false;
    this.#underWay.delete(part.step);
    const ordered = parts.map(({ saved }) => saved).sort((a, b) => a.stage - b.stage);
    if (!this.wins(part, this.current)) {
      this.#remove(ordered.map(({ shard }) => shard));
      return false;
    }
    const past = this.current;
    const shards = ordered.map(({ shard }) => shard);
    const state: CheckpointState = { format: 1, step: part.step, epoch: part.epoch, cut: this.cut, shards };
    this.store.commit(state, new Map(ordered.map(({ shard, modelKeys }) => [shard.model, modelKeys])));
    this.current = state;
    if (past !== null) this.#remove(past.shards);
    return true;
  }

  #remove(shards: CheckpointState['shards']): void {
    const kept = new Set(this.current?.shards.flatMap(filesOf));
    for (const file of shards.flatMap(filesOf)) if (!kept.has(file)) this.store.remove(file);
  }
}
