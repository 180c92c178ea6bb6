/** Borders between ranks: messages in order, with tensors of any kind, through c10d. */
import { translating } from '../torch/errors.js';
import { readTensors, writeTensors } from '../torch/frame.js';
import { ConfigError, checkOptions, HeadraceError, type Tensor } from '../torch/index.js';
import { ranks } from './addon.js';
import { checkMs } from './time.js';

/** What passes a border: any JSON value, and tensors. */
export interface RankEnvelope<M = unknown> {
  readonly meta: M;
  readonly tensors: readonly Tensor[];
}

/** What both ends of a border agree on. */
export interface BorderOptions {
  /** Tells borders between the same two ranks apart: 0, 1, .. */
  readonly number: number;
  /** How many messages may be on their way or wait. Default 2. */
  readonly capacity?: number;
  /** For each put and get. Default 600 s. */
  readonly timeoutMs?: number;
  /** 'bfloat16': float32 tensors travel with 8 bits of mantissa, in half the bytes. Default: as they are. */
  readonly wire?: 'exact' | 'bfloat16';
}

/**
 * One end of one direction between two ranks, as a queue is between threads: bounded, blocking, first in first out. dtype,
 * shape, strides and count travel with each message. Tensors on a device arrive on the CPU.
 */
export class RankChannel<M = unknown> {
  #closed = false;

  private constructor(
    private readonly id: number,
    private readonly name: string,
    private readonly timeoutMs: number,
  ) {}

  /** @internal */
  static open(
    group: { readonly id: number; readonly rank: number; readonly worldSize: number },
    peer: number,
    options: BorderOptions,
    receives: boolean,
  ): RankChannel {
    checkOptions('a border', options, ['number', 'capacity', 'timeoutMs', 'wire']);
    const { number, capacity = 2, timeoutMs = 600_000, wire = 'exact' } = options;
    checkMs(timeoutMs);
    const { rank, worldSize } = group;
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new ConfigError(`expected a border's capacity >= 1, got ${capacity}`);
    }
    if (!Number.isSafeInteger(number) || number < 0 || number >= 2 ** 27) {
      throw new ConfigError(`expected a border's number from 0 to 2^27 - 1, got ${number}`);
    }
    if (!Number.isSafeInteger(peer) || peer < 0 || peer >= worldSize || peer === rank) {
      throw new ConfigError(`expected another rank of 0 to ${worldSize - 1}, got ${peer} in rank ${rank}`);
    }
    const [from, to] = receives ? [peer, rank] : [rank, peer];
    const id = translating(() => ranks().borderOpen(group.id, peer, number, capacity, receives, wire === 'bfloat16'));
    return new RankChannel(id, `border ${number}, rank ${from} -> rank ${to}`, timeoutMs);
  }

  /**
   * Sends, and returns once it is on its way or first in line. The tensors' memory is read meanwhile: do not write to it. That the
   * other rank is gone is told by this put or a later one, before more than the border holds were taken for on their way; and by
   * {@link close}, which waits for all of them.
   * @throws HeadraceError (TIMEOUT), RankError (RANK_LOST) or QueueError (QUEUE_CLOSED); they name the other rank
   */
  put(envelope: RankEnvelope<M>, timeoutMs = this.timeoutMs): void {
    const text = JSON.stringify(envelope.meta);
    if (text === undefined) throw new ConfigError(`expected a JSON value as meta, got ${typeof envelope.meta}`);
    writeTensors(envelope.tensors);
    this.#named(() => ranks().borderPut(this.id, text, timeoutMs));
  }

  /** Sends where there is room within a moment, at a border of at least 2. @returns whether it did. @internal */
  tryPut(envelope: RankEnvelope<M>, timeoutMs: number): boolean {
    try {
      this.put(envelope, timeoutMs);
      return true;
    } catch (error) {
      if ((error as HeadraceError).code === 'TIMEOUT') return false;
      throw error;
    }
  }

  /** The next message. @throws as {@link put} */
  get(): RankEnvelope<M> {
    const text = this.#named(() => ranks().borderGet(this.id, this.timeoutMs));
    return { tensors: readTensors() as Tensor[], meta: JSON.parse(text) as M };
  }

  /** At the end that gets: messages that have come. At the other: those that may not have been taken yet. */
  depth(): number {
    return translating(() => ranks().borderDepth(this.id));
  }

  /**
   * Both ends call it when no more is to come: it returns once all has passed. The end that gets drops what it did not take.
   */
  close(reason = 'the border was closed', timeoutMs = this.timeoutMs): void {
    checkMs(timeoutMs);
    if (this.#closed) return;
    this.#named(() => ranks().borderClose(this.id, reason, timeoutMs));
    this.#closed = true;
  }

  /** Lets go of one whose connection is lost. @internal */
  drop(): void {
    ranks().borderDrop(this.id);
  }

  /** Fails this end's waits, from any thread that has it. {@link ProcessGroup.fail} ends those of the other ranks. */
  abort(reason: string): void {
    translating(() => ranks().borderAbort(this.id, reason));
  }

  #named<T>(action: () => T): T {
    try {
      return translating(action);
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      if (error.code === 'RANK_TIMEOUT') {
        throw new HeadraceError(
          `${error.message} (${this.name}); it is stuck or very slow: look at its events, or raise the time-out`,
          { code: 'TIMEOUT', cause: error },
        );
      }
      throw error;
    }
  }
}
