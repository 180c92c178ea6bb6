/** The branches and the fusion as a program of the engine: what a thread of one of them, or of all in turns, makes and tells. */
import type { Modality } from '../features/specs.js';
import {
  type FaultConfig,
  type FedNotice,
  faultsOf,
  type LoopContext,
  type Post,
  type Program,
  type StationJob,
  type ThreadJob,
} from '../pipeline/index.js';
import { noGrad, type Tensor } from '../torch/index.js';
import { type BranchSettings, BranchStage, FusionStage, headFrom, sequenceFrom } from './branches.js';
import { textReader } from './text-reader.js';
import { partOf, type Weights } from './trained-part.js';
import { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';

/** A stage as its thread is told of it. */
export interface BranchStation<Link = StationJob['inputs'][number]> extends StationJob<Link> {
  /** Null: the fusion. */
  readonly modality: Modality | null;
  /** Dropout of the encoder and of the head. */
  readonly dropout: { readonly encoder: number; readonly head: number };
}

export interface BranchJob extends ThreadJob, BranchSettings {
  readonly config: BranchSettings['config'];
  readonly stations: readonly BranchStation[];
  /** Of the tensors that it begins with: the whole network's weights, with the state of a run to go on with. */
  readonly keys: readonly string[];
  /** What a text encoder is built from. */
  readonly text: { readonly vocabulary: readonly string[] | null; readonly width: number | null };
  /** Null where labels are not generated. */
  readonly labels: {
    readonly samples: readonly (readonly [string, number])[];
    readonly options: UnimodalLabelsOptions;
  } | null;
  readonly faults: FaultConfig | null;
}

/** What a stage tells; tensors go with what is not an event. */
export type BranchNotice =
  | FedNotice
  /** The epoch is over. Tensors: the labels of each modality by the utterances' places. */
  | { readonly kind: 'labels'; readonly names: readonly string[]; readonly drift: Readonly<Record<string, number>> }
  /** The best weights, or all that it takes to go on, by these keys. */
  | { readonly kind: 'weights' | 'state'; readonly keys: readonly string[] };

type Work = BranchStage | FusionStage;

export function program(job: BranchJob, post: Post<BranchNotice>, tensors: readonly Tensor[]): Program<Work> {
  const weights = new Map(job.keys.map((key, i) => [key, tensors[i]!]));
  const resumes = job.keys.some((key) => key.startsWith('optimizer.'));
  const stages = job.stations.map((station) => {
    const stage = buildStage(job, station, weights);
    if (resumes) stage.resume(weights);
    return stage;
  });
  return { stages, context: contextOf(job, post) };
}

function buildStage(job: BranchJob, station: BranchStation, weights: Weights): Work {
  const { config, seed, batchesPerEpoch } = job;
  const settings = { config, seed, batchesPerEpoch };
  const { index, modality, dropout } = station;
  if (modality === null) {
    const maker = job.labels && {
      labels: new UnimodalLabels(job.labels.samples, job.labels.options),
      ids: job.labels.samples.map(([id]) => id),
    };
    return new FusionStage(index, headFrom(weights, 'fusion.', dropout.head), maker, settings);
  }
  const head = headFrom(weights, `heads.${modality}.`, dropout.head);
  if (modality !== 'text') {
    return new BranchStage(index, modality, sequenceFrom(weights, `${modality}.`, dropout.encoder), head, settings);
  }
  const { vocabulary, width } = job.text;
  const encoder = textReader(config.text, null, vocabulary ?? undefined, width ?? undefined).encoder(seed, true);
  encoder.loadStateDict(partOf(weights, 'text.'));
  return new BranchStage(index, modality, encoder, head, settings);
}

function contextOf(job: BranchJob, post: Post<BranchNotice>): LoopContext<Work> {
  const tellAll = (kind: 'weights' | 'state', of: Weights): void =>
    post({ kind, keys: [...of.keys()] }, [...of.values()]);
  // All forwards first, since branches may look at what others made; the branches before the fusion.
  const actions = [
    ...job.stations.map(({ index: stage }) => ({ stage, kind: 'F', microbatch: 0 }) as const),
    ...job.stations.flatMap(({ index: stage }) => [
      { stage, kind: 'B', microbatch: 0 } as const,
      { stage, kind: 'U' } as const,
    ]),
  ];
  return {
    actions: () => actions,
    finite: true,
    spans: false,
    report: (event) => post({ kind: 'event', event }),
    afterBatch: () => {},
    save: (stage) => tellAll('state', stage.state()),
    predicted: ({ step }, output) => post({ kind: 'predicted', batch: step }, [output]),
    afterControl: (stage, { kind }) => {
      if (kind === 'keep') stage.trained.keepBest();
      if (kind === 'stop') tellAll('weights', stage.trained.best);
      if (kind !== 'evaluated' || !(stage instanceof FusionStage)) return;
      const { labels = null, ids = [] } = stage.maker ?? {};
      const table = labels?.of(ids) ?? {};
      post({ kind: 'labels', names: Object.keys(table), drift: labels?.drift() ?? {} }, Object.values(table));
    },
    ...(job.faults ? { beforeAction: faultsOf(job.faults, job.seed, spoil) } : {}),
  };
}

function spoil({ trained }: Work): void {
  noGrad(() => trained.optimizer.paramGroups[0]!.params[0]!.fill_(Number.NaN));
}
