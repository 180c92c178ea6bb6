/** Counts of pieces that say nothing of the language, and of the piece that stands for unknown words. */
export const [MUTE, UNKNOWN] = [-1, -2] as const;

/** What says something without a letter: emoji, emoticons. */
const signs = /\p{So}|[:;=8][-']?[()[\]dp/|3]|<3/iu;

/**
 * How familiar a text is: the mean log probability of its pieces, by how often the training texts have them, for each of its
 * letters. Words of other languages and of none are many short, rare pieces, or unknown.
 */
export class Familiarity {
  /** Of the tensor that a reader's weights hold. */
  static readonly key = 'familiarity.counts';
  readonly #logs: readonly number[];
  readonly #rarest: number;

  /** @param counts - of each token in the training texts, {@link MUTE} or {@link UNKNOWN} */
  constructor(private readonly counts: readonly number[]) {
    const sum = counts.reduce((all, count) => all + Math.max(0, count) + 1, 0);
    this.#logs = counts.map((count) => (count === MUTE ? 0 : Math.log((Math.max(0, count) + 1) / sum)));
    this.#rarest = -Math.log(sum);
  }

  /** @param ids - of the text, without [CLS] and [SEP] */
  of(ids: readonly number[], text: string): number {
    const letters = text.match(/\p{L}/gu)?.length ?? 0;
    if (letters === 0) return signs.test(text) ? 0 : this.#rarest;
    // Unknown words are taken to be of the mean length.
    const unknown = (this.#rarest * letters) / ids.length;
    const sum = ids.reduce((all, id) => all + (this.counts[id] === UNKNOWN ? unknown : this.#logs[id]!), 0);
    return sum / letters;
  }
}
