/** The layers of an encoder as those of a pipeline, which carry a second tensor along: a mask, or places to read at. */
import { Module, type Parameter } from '../../nn/index.js';
import type { LayerModule, LayerSpec } from '../../pipeline/index.js';
import type { DType, Tensor } from '../../torch/index.js';
import type { EncoderNetwork } from './network.js';

/** A module among tensors that go on with what it gives: its keys are the module's own. */
class Carrying<M extends Module> extends Module {
  readonly #inner: M;
  readonly #run: (inner: M, ...inputs: Tensor[]) => Tensor[];

  constructor(inner: M, run: (inner: M, ...inputs: Tensor[]) => Tensor[]) {
    super();
    this.#inner = inner;
    this.#run = run;
  }

  override *namedChildren(): IterableIterator<[string, Module]> {
    yield ['', this.#inner];
  }

  override forward(...inputs: Tensor[]): Tensor[] {
    return this.#run(this.#inner, ...inputs);
  }
}

export interface EncoderLayersOptions {
  readonly network: EncoderNetwork;
  /** What the layers compute in; parameters stay float32. */
  readonly compute: DType;
  /**
   * What goes along with the rows. `places`: a second input, for rows without padding. `mask`: bool [B, L] of what is no
   * padding, which the layers attend to, and the rows of the pieces.
   */
  readonly carries: 'places' | 'mask';
  /** Writes over the initial vectors of the word pieces. */
  readonly begin?: ((vectors: Parameter) => void) | undefined;
  /** The weights to begin with. */
  readonly weights?: Beginning | undefined;
}

/** The pieces and the layers, each one that the pipeline may cut after. Keys: `bert.embeddings.*`, `bert.encoder.layer.<n>.*`. */
export function encoderLayers({ network, compute, carries, begin, weights }: EncoderLayersOptions): LayerSpec[] {
  const { padTokenId, prefix, layerPrefix } = network;
  const masked = carries === 'mask';
  const embeddings = (): LayerModule => {
    const made = network.pieceRows();
    begin?.(made.word_embeddings.weight);
    weights?.(made, 'embeddings');
    return new Carrying(made, (inner, ids, places) => {
      const rows = network.rowsOf(inner, ids!).to({ dtype: compute });
      return masked ? [rows, ids!.ne(padTokenId), rows] : [rows, places!];
    });
  };
  const layer = (n: number): LayerModule => {
    const made = network.layer(n);
    weights?.(made, `${layerPrefix}${n}`);
    return new Carrying(made, (inner, rows, other, ...rest) => {
      const keys = masked ? other!.unsqueeze(1).unsqueeze(1) : null;
      return [inner.forward(rows!, keys), other!, ...rest];
    });
  };
  return [
    { name: 'embeddings', prefix: `${prefix}.embeddings`, build: embeddings },
    ...Array.from({ length: network.layers }, (_, n) => {
      return { name: `layer.${n}`, prefix: `${prefix}.${layerPrefix}${n}`, build: () => layer(n) };
    }),
  ];
}

/** Fills a part of an encoder with the weights whose keys begin so. */
export type Beginning = (part: Module, key: string) => void;

/** From a folder's weights, read once. */
export function beginningOf(network: EncoderNetwork, folder: string): Beginning {
  let all: ReadonlyMap<string, Tensor> | null = null;
  return (part, key) => {
    all ??= network.read(folder);
    const own = all;
    const begun = [...part.stateDict()].map(([name, drawn]): [string, Tensor] => {
      const found = own.get(`${key}.${name}`);
      return [name, found ?? (network.piecesAlone ? drawn : found!)];
    });
    part.loadStateDict(new Map(begun));
  };
}
