/** How far a part is, on stderr, with the time left. */
import { duration } from 'headrace/pipeline';

export class Turns {
  #done = 0;
  readonly #begun = performance.now();
  #firstEnded = 0;

  constructor(
    private readonly part: string,
    private readonly total: number,
  ) {}

  /** One more turn is done. The first holds what is prepared once, so the time left is reckoned from the others. */
  done(text: string): void {
    const now = performance.now();
    this.#done++;
    if (this.#done === 1) this.#firstEnded = now;
    const perTurn = this.#done === 1 ? now - this.#begun : (now - this.#firstEnded) / (this.#done - 1);
    const left = duration((perTurn / 1000) * (this.total - this.#done));
    say(`${this.part}  ${this.#done}/${this.total}  ${text}  ETA ${left}`);
  }
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
