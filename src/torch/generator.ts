/**
 * Seeded generators of random numbers. The engine derives one for every purpose; the default one is for scripts.
 */
import { ConfigError, translating } from './errors.js';
import { describe, expectTensor } from './expect.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

function seedBits(seed: number | bigint): bigint {
  if (typeof seed !== 'bigint' && !Number.isSafeInteger(seed)) {
    throw new ConfigError(
      `expected an integer seed within ±2^53, got ${typeof seed === 'number' ? seed : describe(seed)}`,
    );
  }
  return BigInt.asUintN(64, BigInt(seed));
}

/**
 * A source of random numbers with its own state (`torch.Generator`).
 *
 * @example
 * const generator = new Generator(0);
 * const x = randn([2, 3], { generator });
 */
export class Generator {
  /** The addon's id; for this folder's use. */
  readonly id: number;
  readonly device: string;
  #seed: bigint;

  constructor(seed: number | bigint = 0, device = 'cpu') {
    this.#seed = seedBits(seed);
    this.device = device;
    this.id = translating(() => native.createGenerator(this.#seed, device));
    native.watchGenerator(this, this.id);
  }

  /** Starts the sequence that belongs to `seed`. */
  manualSeed(seed: number | bigint): this {
    this.#seed = seedBits(seed);
    translating(() => native.seedGenerator(this.id, this.#seed));
    return this;
  }

  get initialSeed(): bigint {
    return this.#seed;
  }

  /** The whole state, a uint8 tensor: `setState` continues from exactly here. */
  getState(): Tensor {
    return new Tensor(translating(() => native.generatorState(this.id)));
  }

  setState(state: Tensor): void {
    expectTensor('Generator.setState', state, 'the state');
    translating(() => native.setGeneratorState(this.id, state.handle));
  }

  /** Frees the native generator now; without this the garbage collector does. */
  dispose(): void {
    native.releaseGenerator(this.id);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Used where no generator is given. For scripts; the engine never draws from it. */
export const defaultGenerator = new Generator(0);

/** Seeds the default generator (`torch.manual_seed`). */
export function manualSeed(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed);
}

/**
 * A 53-bit seed for one purpose of a run: a stable hash (FNV-1a, 64 bits, then mixed) of the run's seed and names.
 * The same arguments give the same seed on every machine.
 */
export function deriveSeed(seed: number, ...names: readonly (string | number)[]): number {
  const prime = 0x100000001b3n;
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(JSON.stringify([seed, ...names]))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  }
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return Number((hash ^ (hash >> 33n)) >> 11n);
}
