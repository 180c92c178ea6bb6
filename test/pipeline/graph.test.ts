// Stages form a graph: a stage may have several inputs and several outputs. The loop needs no other code for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linear, Module } from 'headrace/nn';
import {
  type Action,
  type BatchMessage,
  type HeadModule,
  type LayerModule,
  LocalChannel,
  type ModelSpec,
  ModelStage,
  type RunEvent,
  StageLoop,
  type Station,
  scheduleFor,
} from 'headrace/pipeline';
import { Generator, randint, randn, scope, type Tensor } from 'headrace/torch';
import { config, differences } from './fixture.js';

/** Adds what it gets from each incoming edge, then a linear layer. */
class Join extends Module {
  readonly linear: Linear;

  constructor(width: number, out: number) {
    super();
    this.linear = new Linear(width, out);
  }

  override forward(...inputs: Tensor[]): Tensor | Tensor[] {
    return this.linear.forward(inputs.reduce((a, b) => a.add(b)));
  }
}

/** The same, and its first input as it came. */
class JoinAndPass extends Join {
  override forward(...inputs: Tensor[]): Tensor[] {
    return [super.forward(...inputs) as Tensor, inputs[0]!];
  }
}

const layer = (name: string, out: number, Kind = Join): ModelSpec['layers'][number] => ({
  name,
  prefix: name,
  build: () => new Kind(8, out) as unknown as LayerModule,
});

// a -> b, a -> c, (b, c) -> d: a diamond. Two tensors go from a, of which one is the input of all, and two from b.
const spec: ModelSpec = {
  name: 'diamond',
  classes: 3,
  inputShape: [8],
  layers: [layer('a', 8, JoinAndPass), layer('b', 8, JoinAndPass), layer('c', 8), layer('d', 3)],
  head: () => new Linear(8, 3) as HeadModule,
};

const backpropOverEdges: Action[] = [
  ...[0, 1, 2, 3].map((stage) => ({ stage, kind: 'F', microbatch: 0 }) as const),
  ...[3, 2, 1, 0].map((stage) => ({ stage, kind: 'B', microbatch: 0 }) as const),
  ...[0, 1, 2, 3].map((stage) => ({ stage, kind: 'U' }) as const),
];

const length = { totalSteps: 10, stepsPerEpoch: 10 };

/** One thread that runs the diamond by local learning, or by backprop over its edges. */
function diamond(local: boolean): {
  station: (index: number) => Station<ModelStage>;
  source: LocalChannel;
  run: (steps: number) => void;
} {
  const schedule = local ? 'sequential' : 'gpipe';
  const settings = config({ schedule, stages: 4, cut: [0, 1, 2], model: config().model });
  const edge = (): LocalChannel => new LocalChannel();
  const [source, ab, ac, bd, cd] = [edge(), edge(), edge(), edge(), edge()];
  const back = [edge(), edge(), edge(), edge()];
  const [ba, ca, db, dc] = back as [LocalChannel, LocalChannel, LocalChannel, LocalChannel];
  const wires = [
    { inputs: [source], outputs: [ab, ac], gradientsIn: [ba, ca], gradientsOut: [] },
    { inputs: [ab], outputs: [bd], gradientsIn: [db], gradientsOut: [ba] },
    { inputs: [ac], outputs: [cd], gradientsIn: [dc], gradientsOut: [ca] },
    { inputs: [bd, cd], outputs: [], gradientsIn: [], gradientsOut: [db, dc] },
  ];
  const stations = wires.map((wire, index): Station<ModelStage> => {
    const stage = new ModelStage({
      spec,
      config: settings,
      index,
      from: index,
      to: index + 1,
      hasHead: local && index < 3,
      length,
    });
    return local ? { stage, ...wire, gradientsIn: [], gradientsOut: [] } : { stage, ...wire };
  });
  const events: RunEvent[] = [];
  const actions = local ? scheduleFor('sequential', 4, 1)[0]! : backpropOverEdges;
  const context = {
    actions: () => actions,
    finite: true,
    spans: false,
    report: (event: RunEvent) => events.push(event),
    afterBatch: () => {},
    save: () => {},
    predicted: () => {},
  };
  const run = (steps: number): void => {
    const generator = new Generator(3);
    for (let step = 1; step <= steps; step++) {
      const meta: BatchMessage = {
        kind: 'batch',
        split: 'train',
        step,
        epoch: 0,
        samples: 5,
        microbatch: 0,
        microbatches: 1,
      };
      source.put({ meta, tensors: [randn([5, 8], { generator }), randint(0, 3, [5], { generator })] });
    }
    source.put({ meta: { kind: 'stop', step: steps, reason: 'done' }, tensors: [] });
    new StageLoop(stations, context).run();
  };
  return { station: (index) => stations[index]!, source, run };
}

test('a diamond of stages learns locally, every branch from its own head', () => {
  const { station, run } = diamond(true);
  const weights = (index: number) =>
    new Map([...station(index).stage.layers.stateDict()].map(([k, v]) => [k, v.bytes()]));
  const before = [0, 1, 2, 3].map(weights);
  run(3);
  for (const index of [0, 1, 2, 3]) assert.equal(differences(before[index]!, weights(index)).length, 2);
});

test('gradients over the edges of a diamond of stages are those of the whole network', () => {
  const { station, run } = diamond(false);
  const layers = [0, 1, 2, 3].map(
    (at) => new ModelStage({ spec, config: config(), length, index: 0, from: at, to: at + 1, hasHead: false }),
  );
  run(1);
  const generator = new Generator(3);
  const [x, target] = [randn([5, 8], { generator }), randint(0, 3, [5], { generator })];
  scope(() => {
    const a = layers[0]!.forward([x]);
    const y = layers[3]!.forward([...layers[1]!.forward(a), ...layers[2]!.forward(a)]);
    layers[3]!.learn(y, [target], 1);
  });
  for (const index of [0, 1, 2, 3]) {
    layers[index]!.beginBatch(1);
    layers[index]!.apply();
    for (const [key, value] of layers[index]!.layers.stateDict()) {
      const other = station(index).stage.layers.stateDict().get(key)!;
      assert.ok(value.sub(other).abs().max().item() < 1e-6, key);
    }
  }
});
