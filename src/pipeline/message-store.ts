/** Where an edge keeps the tensors of messages that may be asked for again: in memory as long as there is room, then on disk. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../io/index.js';
import { DTYPES } from '../torch/dtype.js';
import { scope, type Tensor } from '../torch/index.js';
import type { Stored } from './kept.js';
import type { Envelope } from './messages.js';

/** Bytes of tensors that stay in memory. */
const MEMORY_BYTES = 256 * 2 ** 20;

const bytesOf = (tensors: readonly Tensor[]): number =>
  tensors.reduce((sum, { numel, dtype }) => sum + numel * DTYPES[dtype].bytes, 0);

export class MessageStore {
  #used = 0;
  #files = 0;
  #number = 0;

  /**
   * @param folder - of this edge alone; what lies there is of a process that is gone
   * @param room - bytes in memory
   */
  constructor(
    private readonly folder: string,
    private readonly room = MEMORY_BYTES,
  ) {
    rmSync(folder, { recursive: true, force: true });
  }

  /** Whether more goes to disk. */
  get full(): boolean {
    return this.#used >= this.room || this.#files > 0;
  }

  keep(envelope: Envelope): Stored<Envelope> {
    const bytes = bytesOf(envelope.tensors);
    return bytes > 0 && this.#used + bytes > this.room ? this.#onDisk(envelope) : this.#inMemory(envelope, bytes);
  }

  /** By handles of its own: the stage frees its own at the end of the step. */
  #inMemory({ meta, tensors }: Envelope, bytes: number): Stored<Envelope> {
    const held = { meta, tensors: tensors.map((x) => x.detach().keep()) };
    this.#used += bytes;
    return {
      load: () => held,
      drop: () => {
        this.#used -= bytes;
        for (const tensor of held.tensors) tensor.dispose();
      },
    };
  }

  #onDisk({ meta, tensors }: Envelope): Stored<Envelope> {
    mkdirSync(this.folder, { recursive: true });
    const path = join(this.folder, `${meta.kind}-${this.#number++}.safetensors`);
    this.#files++;
    const layouts = tensors.map(layoutOf);
    scope(() => {
      const laidOut = tensors.map((x, i) => [String(i), x.permute(layouts[i]!.order).contiguous()] as const);
      saveSafetensors(path, new Map(laidOut));
    });
    return {
      load: () => {
        const read = loadSafetensors(path).tensors;
        return {
          meta,
          tensors: layouts.map(({ shape, strides }, i) => read.get(String(i))!.asStrided(shape, strides)),
        };
      },
      drop: () => {
        this.#files--;
        rmSync(path, { force: true });
      },
    };
  }
}

/** How a tensor lies in memory, which is a part of what a stage computes with; one with holes is told without them. */
function layoutOf(x: Tensor): { shape: number[]; strides: number[]; order: number[] } {
  const { shape } = x;
  const found = shape.map((_, dim) => Number(x.stride(dim)));
  const last = found.reduce((sum, stride, dim) => sum + stride * (shape[dim]! - 1), 0);
  const strides = last + 1 === x.numel ? found : rowMajor(shape);
  const order = shape.map((_, dim) => dim).sort((a, b) => strides[b]! - strides[a]! || a - b);
  return { shape, strides, order };
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, dim) => shape.slice(dim + 1).reduce((product, size) => product * size, 1));
}
