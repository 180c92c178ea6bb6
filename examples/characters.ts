// A character-level language model, a small transformer, trained by PPLL in two stages; then it writes.
//
// npm run setup && npx tsc -p tsconfig.test.json
// node build/examples/characters.js --text FILE [--steps 2000] [--out runs/characters]     default: Headrace's own documents
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from 'headrace/data';
import { Embedding, LayerNorm, Linear, Module, Sequential, TransformerEncoderLayer } from 'headrace/nn';
import {
  formatMetrics,
  languageModelling,
  loadModel,
  type ModelSpec,
  type RunData,
  ref,
  train,
} from 'headrace/pipeline';
import { arange, full, Generator, noGrad, randint, scope, type Tensor, tensor } from 'headrace/torch';

const CONTEXT = 64;
const WIDTH = 96;

class Embed extends Module {
  token: Embedding;
  position = new Embedding(CONTEXT, WIDTH);

  constructor(vocabulary: number) {
    super();
    this.token = new Embedding(vocabulary, WIDTH);
  }

  /** Tokens [B, T] to [B, T, WIDTH]. */
  forward(tokens: Tensor): Tensor {
    return this.token.forward(tokens).add(this.position.forward(arange(tokens.shape[1]!)));
  }
}

/** A transformer's layer whose tokens see those before them. */
class Block extends TransformerEncoderLayer {
  constructor() {
    super(WIDTH, 4, { dimFeedforward: 4 * WIDTH, dropout: 0, activation: 'gelu', batchFirst: true, normFirst: true });
  }

  override forward(x: Tensor): Tensor {
    const length = x.shape[1]!;
    const later = full([length, length], Number.NEGATIVE_INFINITY).triu(1);
    return super.forward(x, { srcMask: later });
  }
}

const readOut = (vocabulary: number): Sequential => new Sequential(new LayerNorm(WIDTH), new Linear(WIDTH, vocabulary));

export function characterModel({ vocabulary, depth }: { vocabulary: number; depth: number }): ModelSpec {
  const block = (_: unknown, i: number) => ({ name: `blocks.${i}`, prefix: `blocks.${i}`, build: () => new Block() });
  return {
    name: 'characters',
    task: languageModelling(),
    layers: [
      { name: 'embed', prefix: 'embed', build: () => new Embed(vocabulary) },
      ...Array.from({ length: depth }, block),
      { name: 'read', prefix: 'read', build: () => readOut(vocabulary) },
    ],
    head: () => readOut(vocabulary),
    example: (size, generator) => {
      const tokens = (): Tensor => randint(0, vocabulary, [size, CONTEXT], { generator, dtype: 'int64' });
      return { inputs: [tokens()], targets: [tokens()] };
    },
  };
}

/** Pieces of a text, and the same one character later. */
class Pieces implements BatchDataset<TensorBatch>, ThreadShareable {
  readonly #tokens: Tensor;

  constructor(
    tokens: Tensor,
    private readonly stride: number,
  ) {
    this.#tokens = tokens.keep();
  }

  get length(): number {
    return Math.floor((this.#tokens.numel - CONTEXT - 1) / this.stride);
  }

  batch(indices: Tensor): TensorBatch {
    const places = indices
      .mul(this.stride)
      .unsqueeze(1)
      .add(arange(CONTEXT + 1));
    const piece = this.#tokens.indexSelect(0, places.reshape([-1])).reshape([-1, CONTEXT + 1]);
    return { tokens: piece.narrow(1, 0, CONTEXT), next: piece.narrow(1, 1, CONTEXT) };
  }

  share(): SharedDataset {
    const { stride } = this;
    return { module: import.meta.url, export: 'piecesFromShared', options: { stride }, tensors: [this.#tokens] };
  }
}

/** The other end of `share`. */
export function piecesFromShared({ stride }: { stride: number }, [tokens]: readonly [Tensor]): Pieces {
  return new Pieces(tokens, stride);
}

/** The text of some files, and its characters. */
function read(files: readonly string[]): { text: string; characters: string[] } {
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  return { text, characters: [...new Set(text)].sort() };
}

/** The last tenth is held out. */
export function pieces({ files }: { files: string[] }): RunData {
  const { text, characters } = read(files);
  const numbers = new Map(characters.map((character, i) => [character, i]));
  const all = tensor(
    [...text].map((character) => numbers.get(character)!),
    { dtype: 'int64' },
  );
  const held = Math.floor(all.numel * 0.9);
  return {
    train: new Pieces(all.narrow(0, 0, held), 16),
    test: new Pieces(all.narrow(0, held, all.numel - held), CONTEXT),
    trainTransforms: [],
    testTransforms: [],
  };
}

/** Writes on from a beginning, a character at a time. */
function write(model: Module, characters: readonly string[], beginning: string, length: number): string {
  const generator = new Generator(0);
  const tokens = [...beginning].map((character) => Math.max(0, characters.indexOf(character)));
  for (let i = 0; i < length; i++) {
    const next = scope(() =>
      noGrad(() => {
        const seen = tensor([tokens.slice(-CONTEXT)], { dtype: 'int64' });
        const logits = model.forward(seen) as Tensor;
        const last = logits.select(1, logits.shape[1]! - 1).div(0.8);
        return last.softmax(1).multinomial(1, { generator }).item();
      }),
    );
    tokens.push(next);
  }
  return tokens.map((token) => characters[token]).join('');
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      text: { type: 'string', multiple: true },
      steps: { type: 'string', default: '2000' },
      out: { type: 'string', default: 'runs/characters' },
    },
  });
  const files = values.text ?? readdirSync('docs').map((name) => join('docs', name));
  const { characters } = read(files);
  const run = train({
    model: ref(characterModel, { vocabulary: characters.length, depth: 4 }),
    data: ref(pieces, { files }),
    stages: 2,
    cut: [2],
    steps: Number(values.steps),
    batchSize: 32,
    lr: 2e-3,
    out: values.out,
  });
  for await (const event of run) {
    if (event.type === 'eval') console.log(`step ${event.step}: ${formatMetrics(event.metrics)}`);
  }
  console.log(write(await loadModel(values.out), characters, 'The ', 200));
}
