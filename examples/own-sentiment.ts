// A sentiment model and audio features of your own, for the command line and for code:
//
//   headrace sentiment features clips/ --audio ./own-sentiment.js:loudness -o clips.npz
//   headrace sentiment train ./own-sentiment.js:Gated --modalities audio,text --data mmsa:clips.npz --out runs/own
//   headrace sentiment predict runs/own clip.mp4
//
// Every thread of a training imports this file by itself, so it does nothing but export.

import { Linear, type Module, ModuleDict } from 'headrace/nn';
import {
  type AudioExtractor,
  Head,
  type ModelContext,
  type SentimentBatch,
  SentimentModel,
  type SentimentOutput,
  SequenceEncoder,
  sequenceOf,
  type TextEncoder,
  widthOf,
} from 'headrace/sentiment';
import { stack } from 'headrace/torch';

/** Every modality's vector, weighted by how much it has to say. The children `text`, `audio`, `vision` have their own rates. */
export class Gated extends SentimentModel {
  text: TextEncoder | null;
  audio: SequenceEncoder | null = null;
  vision: SequenceEncoder | null = null;
  project: ModuleDict<Linear>;
  gate: Linear;
  head: Head;
  readonly #modalities: ModelContext['modalities'];

  constructor(context: ModelContext, { width = 32 }: { width?: number } = {}) {
    super();
    this.#modalities = context.modalities;
    this.text = context.text; // words, BERT, or the data set's own: whatever the configuration says
    const projections: Record<string, Module> = {};
    for (const name of context.modalities) {
      if (name === 'text') projections.text = new Linear(this.text!.width, width);
      else {
        this[name] = new SequenceEncoder(widthOf(context, name), width, width);
        projections[name] = new Linear(width, width);
      }
    }
    this.project = new ModuleDict(projections as Record<string, Linear>);
    this.gate = new Linear(width, 1);
    this.head = new Head(width, width, context.outputs);
  }

  override forward(batch: SentimentBatch): SentimentOutput {
    const vectors = this.#modalities.map((name) => {
      const read = name === 'text' ? this.text!.forward(batch).pooled : this[name]!.forward(sequenceOf(batch, name));
      return this.project.get(name).forward(read).tanh();
    });
    const all = stack(vectors, 1); // [B, modalities, width]
    const { prediction } = this.head.forward(all.mul(this.gate.forward(all).softmax(1)).sum([1]));
    const features = Object.fromEntries(this.#modalities.map((name, i) => [name, vectors[i]!]));
    // No heads for single modalities and no losses of its own. What stands in `features` can be aligned.
    return { prediction, unimodal: {}, features, hidden: {}, losses: {} };
  }
}

const RATE = 8000;
const FRAME = 400;

/** Loudness and sign changes of every 50 ms. `spec` goes with the model, so that `predict` finds this file again. */
export function loudness(): AudioExtractor {
  return {
    spec: { name: 'loudness', dims: 2, unit: 'frame', rate: RATE / FRAME, version: '1' },
    rate: RATE,
    extract: (samples) => {
      const frames = Math.max(1, Math.floor(samples.length / FRAME));
      const rows = new Float32Array(2 * frames);
      for (let i = 0; i < frames; i++) {
        const frame = samples.subarray(i * FRAME, (i + 1) * FRAME);
        const power = frame.reduce((sum, x) => sum + x * x, 0) / FRAME;
        rows[2 * i] = Math.log10(power + 1e-8);
        rows[2 * i + 1] = frame.reduce((count, x, n) => count + Number(n > 0 && x * frame[n - 1]! < 0), 0) / FRAME;
      }
      return rows;
    },
  };
}
