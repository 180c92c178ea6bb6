/**
 * What an edge between ranks keeps of what it has passed, so that a rank which is started again is fed again: all since the last
 * checkpoint that is whole. What is fed is the same each time, so a place in it is told by its distance from a checkpoint's marker.
 */
import { HeadraceError } from '../torch/errors.js';

/** So many messages after the marker of the checkpoint of a step. A run's beginning counts as a marker. */
export interface Position {
  readonly marker: number;
  readonly count: number;
}

export const beginning = (step: number): Position => ({ marker: step, count: 0 });

export const isBefore = (a: Position, b: Position): boolean =>
  a.marker < b.marker || (a.marker === b.marker && a.count < b.count);

/** The place after a message that stands at `before`. */
export function after({ marker, count }: Position, meta: Meta): Position {
  return meta.kind === 'checkpoint' ? beginning(meta.step!) : { marker, count: count + 1 };
}

/** What positions hang on. */
interface Meta {
  readonly kind: string;
  readonly step?: number;
}

/** A message where it is kept. */
export interface Stored<Item> {
  load(): Item;
  drop(): void;
}

/** The messages of an edge since a checkpoint, in order. */
export class KeptMessages<Item extends { readonly meta: Meta }> {
  readonly #items: Stored<Item>[] = [];
  /** The place of each of them; the first stands at `#from`. */
  readonly #places: Position[] = [];
  #from: Position;
  #end: Position;
  #committed: number;

  /** @param from - the step of the checkpoint, or 0, that the rank has gone on from */
  constructor(
    from: number,
    private readonly keep: (item: Item) => Stored<Item>,
  ) {
    this.#from = beginning(from);
    this.#end = this.#from;
    this.#committed = from;
  }

  /** Where the next message will stand. */
  get end(): Position {
    return this.#end;
  }

  add(item: Item): void {
    this.#items.push(this.keep(item));
    this.#places.push(this.#end);
    this.#end = after(this.#end, item.meta);
  }

  /** The message at a place. @throws where it is not kept any more */
  at(place: Position): Item {
    const index = this.#places.findIndex((each) => each.marker === place.marker && each.count === place.count);
    if (index < 0) throw new HeadraceError(`expected a message at ${JSON.stringify(place)}, from ${this.#words()}`);
    return this.#items[index]!.load();
  }

  /** Whether all from a place on are kept, or will come. */
  reaches(place: Position): boolean {
    return !isBefore(place, this.#from);
  }

  /** How many stand at a place or after it. */
  countFrom(place: Position): number {
    return this.#places.reduce((sum, each) => sum + (isBefore(each, place) ? 0 : 1), 0);
  }

  /**
   * Lets go of what nobody will ask for. Where a rank dies that has saved its part of a checkpoint, that may become whole after the rank
   * has gone on from the one before: so what came after the one before is kept, too, and what has not been sent.
   * @param committed - the step of the last whole checkpoint
   * @param next - the place of the first message that was not sent
   */
  trim(committed: number, next: Position): void {
    if (committed === this.#committed) return;
    const from = beginning(this.#committed);
    this.#committed = committed;
    if (!isBefore(this.#from, from) || isBefore(next, from)) return;
    const count = this.#places.filter((each) => isBefore(each, from)).length;
    for (const item of this.#items.splice(0, count)) item.drop();
    this.#places.splice(0, count);
    this.#from = from;
  }

  #words(): string {
    return `${JSON.stringify(this.#from)} to ${JSON.stringify(this.#end)}`;
  }
}
