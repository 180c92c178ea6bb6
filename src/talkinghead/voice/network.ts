/** The voice model's network: sound to the moves of a mouth, each step from the past and a little of the future alone. */
import { Conv1d, Dropout, functional as F, Module, ModuleList } from '../../nn/index.js';
import type { Tensor } from '../../torch/index.js';
import { melBands } from './mel-stream.js';
import { mouthMoves } from './visemes.js';

/** Steps that the network waits for before it tells of one: with the ear's own reach and the way to the next step, 97.5 ms. */
export const delay = 3;
/** Numbers of a step of sound: two mel frames. */
export const stepInputs = 2 * melBands;
/** The moves, and whether lips are sealed. */
export const stepOutputs = mouthMoves.length + 1;

export interface NetworkShape {
  readonly width: number;
  /** Of the blocks, one after another: how many steps apart the three are that each looks at. */
  readonly dilations: readonly number[];
}

/** Looks at this step and two before, and changes it. Keys: `look`, `mix`. */
class Block extends Module {
  look: Conv1d;
  mix: Conv1d;
  drop: Dropout;

  constructor(
    width: number,
    readonly dilation: number,
    dropout: number,
  ) {
    super();
    this.look = new Conv1d(width, width, 3, { dilation });
    this.mix = new Conv1d(width, width, 1);
    this.drop = new Dropout(dropout);
  }

  forward(x: Tensor): Tensor {
    const seen = this.look.forward(F.pad(x, [2 * this.dilation, 0])).relu();
    return x.add(this.mix.forward(this.drop.forward(seen)));
  }
}

/** Causal convolutions over steps of 20 ms. Keys: `enter`, `blocks.N.look`, `blocks.N.mix`, `leave`. */
export class VoiceNetwork extends Module {
  enter: Conv1d;
  blocks: ModuleList<Block>;
  leave: Conv1d;
  drop: Dropout;

  constructor({ width, dilations }: NetworkShape, dropout = 0) {
    super();
    this.enter = new Conv1d(stepInputs, width, 3);
    this.blocks = new ModuleList(dilations.map((dilation) => new Block(width, dilation, dropout)));
    this.leave = new Conv1d(width, stepOutputs, 1);
    this.drop = new Dropout(dropout);
  }

  /** What the last layer tells the moves by. @param x - [B, 80, T] @returns [B, width, T]: row `t` is of step `t - delay` */
  features(x: Tensor): Tensor {
    let y = this.enter.forward(F.pad(this.drop.forward(x), [2, 0])).relu();
    for (const block of this.blocks) y = block.forward(y);
    return y.relu();
  }

  /** @param x - [B, 80, T] @returns logits [B, 11, T]: row `t` tells of step `t - delay` */
  forward(x: Tensor): Tensor {
    return this.leave.forward(this.features(x));
  }
}
