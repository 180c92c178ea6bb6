/** Faults that tests inject into stages at work: lateness, an error, a thread that is gone. */
import { deriveSeed, Generator, rand } from '../torch/index.js';
import type { FaultConfig } from './config.js';
import type { LoopContext } from './loop.js';
import type { Stage } from './stage.js';

/** @param spoil - makes the numbers of a stage not finite */
export function faultsOf<Work extends Stage>(
  { delayMs = 0, at }: FaultConfig,
  seed: number,
  spoil: (stage: Work) => void = () => {},
): NonNullable<LoopContext<Work>['beforeAction']> {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const generators = new Map<number, Generator>();
  return (stage, action, step) => {
    if (delayMs > 0) {
      const generator = generators.get(stage.index) ?? new Generator(deriveSeed(seed, 'delay', stage.index));
      generators.set(stage.index, generator);
      Atomics.wait(sleeper, 0, 0, rand([1], { generator }).item() * delayMs);
    }
    if (!at || at.stage !== stage.index || at.step !== step || action.kind !== 'F' || at.kind === 'save') return;
    if (at.kind === 'throw') throw new Error('injected fault');
    if (at.kind === 'exit') process.exit(3);
    spoil(stage);
  };
}
