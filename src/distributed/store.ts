/** c10d's TCPStore: keys and texts that all ranks see. */
import { translating } from '../torch/errors.js';
import { RankError } from '../torch/index.js';
import { ranks } from './addon.js';
import { checkMs, sleep } from './time.js';

/** Where a store is, and how it is reached. */
export interface StoreOptions {
  readonly host: string;
  /** 0, where it is served, for any that is free. */
  readonly port: number;
  /** Whether it is kept by this process. Default false. */
  readonly serve?: boolean;
  /** For each of its calls. Default 60 s. */
  readonly timeoutMs?: number;
}

/** Keys and values at one process, which all ranks reach. Calls block their thread. */
export class TCPStore {
  private constructor(
    /** @internal */
    readonly id: number,
    readonly host: string,
    readonly port: number,
    private readonly prefix: string,
    private readonly timeoutMs: number,
  ) {}

  /** @throws RankError: STORE_PORT_TAKEN, STORE_UNREACHABLE, or STORE_SILENT where something else listens there */
  static open({ host, port, serve = false, timeoutMs = 60_000 }: StoreOptions): TCPStore {
    checkMs(timeoutMs);
    return translating(() => {
      const id = ranks().storeOpen(host, port, serve, timeoutMs);
      return new TCPStore(id, host, ranks().storePort(id), '', timeoutMs);
    });
  }

  /** A store that another thread of this process has opened. @internal */
  static attach(id: number, prefix: string): TCPStore {
    return new TCPStore(id, 'the master', ranks().storePort(id), prefix, 60_000);
  }

  /** The same store, with `prefix` before each key. */
  within(prefix: string): TCPStore {
    return new TCPStore(this.id, this.host, this.port, this.prefix + prefix, this.timeoutMs);
  }

  set(key: string, value: string): void {
    translating(() => ranks().storeSet(this.id, this.prefix + key, value, this.timeoutMs));
  }

  /** Adds to a number, which is 0 before. @returns the sum */
  add(key: string, amount: number): number {
    return translating(() => ranks().storeAdd(this.id, this.prefix + key, amount, this.timeoutMs));
  }

  has(key: string): boolean {
    return translating(() => ranks().storeHas(this.id, this.prefix + key, this.timeoutMs));
  }

  /** The value of a key, once it is there. @throws RankError (RANK_TIMEOUT) where it is not in time */
  get(key: string, timeoutMs = this.timeoutMs): string {
    const missing = this.wait([key], timeoutMs);
    if (missing.length > 0) {
      throw new RankError(
        `waited ${timeoutMs / 1000} s for the key '${key}' in the store at ${this.host}:${this.port}`,
        {
          code: 'RANK_TIMEOUT',
        },
      );
    }
    return translating(() => ranks().storeGet(this.id, this.prefix + key, this.timeoutMs));
  }

  /** Waits until all keys are there. @returns those that are still missing when the time is over */
  wait(keys: readonly string[], timeoutMs = this.timeoutMs): string[] {
    checkMs(timeoutMs);
    const until = performance.now() + timeoutMs;
    let missing = [...keys];
    for (let pause = 5; ; pause = Math.min(2 * pause, 100)) {
      missing = missing.filter((key) => !this.has(key));
      if (missing.length === 0 || performance.now() > until) return missing;
      sleep(Math.min(pause, Math.max(1, until - performance.now())));
    }
  }

  /** Ends the connection; a store that this process serves ends with it. */
  close(): void {
    ranks().storeClose(this.id);
  }
}
