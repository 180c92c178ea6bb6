/** A border between stages that have different numbers of replicas: each passes to each of the others what is theirs. */
import { HeadraceError, ops, type Tensor } from '../torch/index.js';
import type { Channel, Envelope, Message } from './messages.js';
import { type Part, samplesOf } from './parts.js';

/** What joins a replica to those of a neighbouring stage: a link to each with which it has samples in common, in their order. */
export interface Joint<Link> {
  readonly own: Part;
  readonly others: readonly { readonly part: Part; readonly link: Link }[];
}

/** Splits what it is given, and joins what it gets, by the samples. Messages without samples go to all, and come from all. */
export class ResplitChannel implements Channel {
  constructor(private readonly joint: Joint<Channel>) {}

  put(envelope: Envelope): void {
    for (const { part, link } of this.joint.others) link.put(this.#shareOf(part, envelope));
  }

  get(): Envelope {
    const envelopes = this.joint.others.map(({ link }) => link.get());
    const full = envelopes.filter(({ tensors }) => tensors.length > 0);
    const [{ meta, tensors }] = [...full, ...envelopes] as [Envelope, ...Envelope[]];
    if (meta.kind !== 'batch' && meta.kind !== 'gradient') return { meta, tensors };
    const joined = full.length < 2 ? tensors : tensors.map((_, i) => ops.cat(full.map((each) => each.tensors[i]!)));
    return { meta: this.#counted(meta, joined), tensors: joined };
  }

  depth(): number {
    return Math.min(...this.joint.others.map(({ link }) => link.depth()));
  }

  #shareOf(part: Part, { meta, tensors }: Envelope): Envelope {
    if (meta.kind !== 'batch' && meta.kind !== 'gradient') return { meta, tensors };
    const [start, end] = samplesOf(this.joint.own, meta);
    const [from, to] = samplesOf(part, meta);
    const first = Math.max(start, from);
    const count = Math.max(0, Math.min(end, to) - first);
    const share = count === 0 ? [] : tensors.map((x) => rowsOf(x, end - start).narrow(0, first - start, count));
    return { meta: this.#counted(meta, share), tensors: share };
  }

  #counted(meta: Message, tensors: readonly Tensor[]): Message {
    return meta.kind === 'batch' ? { ...meta, rows: tensors[0]?.shape[0] ?? 0 } : meta;
  }
}

/** Gradients and features have to be cut by samples, wherever the layers have them. */
function rowsOf(x: Tensor, samples: number): Tensor {
  if (x.shape[0] === samples) return x;
  throw new HeadraceError(
    `expected tensors with ${samples} samples in their first dimension at a border between stages with different numbers of ` +
      `replicas, got [${x.shape}]: give both stages as many replicas, or cut the model elsewhere`,
  );
}
