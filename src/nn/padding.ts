import { ConfigError, type Tensor } from '../torch/index.js';
import * as F from './functional/vision.js';
import { Module } from './module.js';
import { pyTuple } from './repr.js';
import { expectNoMore } from './signature.js';
import * as signature from './signatures.js';

abstract class Pad extends Module {
  /** Before and after, of the last dimension first: left, right, top, bottom. */
  readonly padding: readonly number[];

  protected constructor(padding: number | readonly number[], sides: number, surplus: readonly never[]) {
    super();
    expectNoMore(this.typeName, surplus);
    signature.padding.read(this.typeName, [padding]);
    this.padding = typeof padding === 'number' ? new Array<number>(sides).fill(padding) : [...padding];
    if (this.padding.length !== sides) {
      throw new ConfigError(`Expected a number or ${sides} numbers to pad by in ${this.typeName}, got [${padding}].`);
    }
  }

  abstract override forward(x: Tensor): Tensor;

  override extraRepr(): string {
    return pyTuple(this.padding);
  }
}

abstract class ConstantPad extends Pad {
  protected constructor(
    padding: number | readonly number[],
    readonly value: number,
    sides: number,
    surplus: readonly never[],
  ) {
    super(padding, sides, surplus);
    signature.constantPadding.read(this.typeName, [padding, value]);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, 'constant', this.value);
  }

  override extraRepr(): string {
    return `padding=${pyTuple(this.padding)}, value=${this.value}`;
  }
}

/** [B, C, L]. */
export class ReflectionPad1d extends Pad {
  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super(padding, 2, surplus);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, 'reflect');
  }
}

/** [B, C, L]. */
export class ReplicationPad1d extends Pad {
  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super(padding, 2, surplus);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, 'replicate');
  }
}

/** [B, C, L]. */
export class ConstantPad1d extends ConstantPad {
  constructor(padding: number | readonly number[], value: number, ...surplus: never[]) {
    super(padding, value, 2, surplus);
  }
}

/** [B, C, H, W]. */
export class ReflectionPad2d extends Pad {
  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super(padding, 4, surplus);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, 'reflect');
  }
}

/** [B, C, H, W]. */
export class ReplicationPad2d extends Pad {
  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super(padding, 4, surplus);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding, 'replicate');
  }
}

/** [B, C, H, W]. */
export class ConstantPad2d extends ConstantPad {
  constructor(padding: number | readonly number[], value: number, ...surplus: never[]) {
    super(padding, value, 4, surplus);
  }
}

/** [B, C, H, W]. */
export class ZeroPad2d extends Pad {
  constructor(padding: number | readonly number[], ...surplus: never[]) {
    super(padding, 4, surplus);
  }

  forward(x: Tensor): Tensor {
    return F.pad(x, this.padding);
  }
}
