/**
 * The replicas of a stage: each has weights of its own, learns from its share of a batch, and makes the same step, by the sum
 * of all their gradients.
 */
import { GradientBuckets } from '../distributed/buckets.js';
import type { ProcessGroup } from '../distributed/index.js';
import type { Parameter } from '../nn/index.js';
import { HeadraceError, noGrad, ops, scope, type Tensor, tensor } from '../torch/index.js';
import type { Channel } from './messages.js';
import type { Part } from './parts.js';

/** Ranks that hold replicas of a stage. */
export interface Across {
  readonly ranks: readonly number[];
  /** Name of their group within the run's. */
  readonly name: string;
  /** The run's process group, by its number; null until a transport has seen it. */
  readonly group: number | null;
}

/** How a replica reaches the others: the first of its process all of them there, in their order; each of these the first. */
export interface Siblings<Link> extends Part {
  readonly first: boolean;
  readonly from: readonly Link[];
  readonly to: readonly Link[];
  /** The ranks that hold some, where several do: told to the first of each. */
  readonly across?: Across;
}

export class Replicas {
  #buckets: GradientBuckets | null = null;

  /**
   * @param group - of the first replicas of each rank
   * @param gradients - another one of them, where each replica is in a rank of its own
   */
  constructor(
    private readonly siblings: Siblings<Channel>,
    private readonly group: ProcessGroup | null,
    private readonly gradients: ProcessGroup | null,
    private readonly timeoutMs: number,
  ) {}

  get index(): number {
    return this.siblings.index;
  }

  get count(): number {
    return this.siblings.of;
  }

  /**
   * Adds up, in place, lists of tensors of the same shapes. All replicas call it in the same order. The first of each process
   * adds them in the order of the replicas, and processes all-reduce: the sum does not depend on who comes when, and all get
   * the same bits.
   */
  sum(tensors: readonly Tensor[]): void {
    const { first, from, to } = this.siblings;
    scope(() => {
      noGrad(() => {
        const own = tensors.map((x) => x.detach());
        const send = (values: readonly Tensor[]): void => {
          for (const channel of to) channel.put({ meta: { kind: 'sum' }, tensors: values });
        };
        if (!first) send(own);
        let sums = first ? own : this.#receive(from[0]!, own);
        if (first) {
          // Tensors of their own: the others may still read them when this replica goes on.
          for (const channel of from) sums = addAll(sums, this.#receive(channel, own));
          if (this.group) sums = this.#addRanks(this.group, sums);
          send(sums);
        }
        for (const [i, x] of own.entries()) x.copy_(sums[i]!);
      });
    });
  }

  /** One all-reduce for each dtype. */
  #addRanks(group: ProcessGroup, tensors: readonly Tensor[]): readonly Tensor[] {
    const sums = [...tensors];
    for (const dtype of new Set(tensors.map((x) => x.dtype))) {
      const places = tensors.flatMap((x, i) => (x.dtype === dtype ? [i] : []));
      const all = ops.cat(places.map((i) => tensors[i]!.reshape([-1]))).to({ device: 'cpu' });
      group.allReduce(all).wait(this.timeoutMs);
      const pieces = ops.splitWithSizes(
        all,
        places.map((i) => tensors[i]!.numel),
      );
      for (const [k, i] of places.entries()) sums[i] = pieces[k]!.view(tensors[i]!.shape);
    }
    return sums;
  }

  #receive(channel: Channel, own: readonly Tensor[]): readonly Tensor[] {
    const { meta, tensors } = channel.get();
    if (meta.kind === 'sum' && tensors.length === own.length) return tensors;
    throw new HeadraceError(
      `the replicas of a stage do not do the same: expected ${own.length} tensors to add, got ${tensors.length} (${meta.kind})`,
    );
  }

  /**
   * Before the last backward pass of a batch: between ranks gradients are added up while it goes on.
   * @param parameters - the same each time
   */
  expectGradients(parameters: readonly Parameter[]): void {
    if (this.gradients === null) return;
    const learning = parameters.filter(({ requiresGrad }) => requiresGrad);
    this.#buckets ??= new GradientBuckets(this.gradients, learning);
    this.#buckets.expect();
  }

  /**
   * Adds up gradients, which count by the replicas' shares of the batch already. One that no replica has stays none.
   * @param losses - by name, added up as well; as many in all replicas
   */
  sumGradients(parameters: readonly Parameter[], losses: Map<string, Tensor>): void {
    const buckets = this.#buckets;
    const gradients = buckets ? [] : parameters.map((parameter) => parameter.grad ?? ops.zerosLike(parameter));
    const flags = tensor([...parameters.map(({ grad }) => (grad === null ? 0 : 1)), buckets?.again ? 1 : 0]);
    const values = [...losses].map(([name, value]) => [name, value.clone()] as const);
    this.sum([...gradients, flags, ...values.map(([, value]) => value)]);
    for (const [name, value] of values) losses.set(name, value);
    const counts = flags.tolist() as number[];
    buckets?.finish(this.timeoutMs, counts.at(-1)! > 0);
    for (const [i, parameter] of parameters.entries()) {
      if (counts[i] === 0) parameter.grad = null;
      else if (!buckets) parameter.grad = gradients[i]!;
    }
  }
}

function addAll(a: readonly Tensor[], b: readonly Tensor[]): Tensor[] {
  return a.map((x, i) => x.add(b[i]!.to({ device: x.device })));
}
