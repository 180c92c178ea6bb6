/** How a training of steps is told on a terminal. */
import { say } from './report.js';

/** One line, rewritten on a terminal; elsewhere only what is kept. */
export class StepLine {
  #open = false;
  #last = 0;

  show(what: string, done: number, all: number): void {
    if (!process.stderr.isTTY || (performance.now() - this.#last < 100 && done < all)) return;
    this.#last = performance.now();
    process.stderr.write(`\r${what} ${done} of ${all}\x1b[K`);
    this.#open = true;
  }

  keep(text: string): void {
    this.end();
    say(text);
  }

  end(): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
  }
}

/** Parts of a loss in words. */
export function partsText(loss: Readonly<Record<string, number>>): string {
  return Object.entries(loss)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
}
