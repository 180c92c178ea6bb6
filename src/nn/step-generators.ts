/** Random numbers of a training step. */
import { expectItems, misfit } from '../torch/expect.js';
import { deriveSeed, Generator } from '../torch/index.js';
import type { Module } from './module.js';

/**
 * A generator for each named part of a model that draws while it runs (dropout), seeded anew at each step: what a part
 * draws depends on the seed, its name and the step alone, not on what else draws, and a resumed run needs no saved state.
 */
export class StepGenerators {
  readonly #parts: { readonly name: string; readonly generator: Generator }[] = [];

  /** Gives each part that draws its generator. @param device - where the parts compute */
  constructor(
    private readonly seed: number,
    parts: Iterable<readonly [name: string, part: Module]>,
    device = 'cpu',
  ) {
    expectItems('StepGenerators', parts, 'parts of a model, [name, module] each');
    for (const [name, part] of parts) {
      if (typeof part?.modules !== 'function') throw misfit('StepGenerators', `a module as '${name}'`, part);
      if (![...part.modules()].some((inner) => 'generator' in inner)) continue;
      const generator = new Generator(0, device);
      part.setGenerator(generator);
      this.#parts.push({ name, generator });
    }
  }

  /** Before the forward of a step. @param step - counted over the whole run */
  begin(step: number): void {
    for (const { name, generator } of this.#parts) generator.manualSeed(deriveSeed(this.seed, 'run', name, step));
  }
}
