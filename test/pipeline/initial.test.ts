/** What a layer writes into its parameters while it is built stays; all else is drawn as if nothing had been written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BatchNorm2d,
  Conv2d,
  Embedding,
  init,
  Linear,
  LSTM,
  Module,
  Parameter,
  Sequential,
  spectralNorm,
  weightNorm,
} from 'headrace/nn';
import { buildModel, type LayerModule, type ModelSpec } from 'headrace/pipeline';
import {
  defaultGenerator,
  empty,
  full,
  type Generator,
  manualSeed,
  noGrad,
  ones,
  randn,
  type Tensor,
  zeros,
} from 'headrace/torch';

function specOf(...builds: (() => LayerModule)[]): ModelSpec {
  return {
    name: 'own',
    classes: 2,
    inputShape: [3],
    layers: builds.map((build, i) => ({ name: `l${i}`, prefix: `l${i}`, build })),
    head: () => new Linear(3, 2),
  };
}

/** The state of a model of one layer, built for seed 3. */
function built(build: () => LayerModule): Map<string, number[]> {
  const state = buildModel(specOf(build), { seed: 3 }).stateDict();
  return new Map([...state].map(([key, value]) => [key.slice(3), value.flatten().tolist() as number[]]));
}

const plain = (): Sequential => new Sequential(new Linear(3, 3), new Linear(3, 3));

test('a constructor that sets a weight keeps it, and nothing else changes', () => {
  const drawn = built(plain);
  const ways: Record<string, (layer: Linear) => void> = {
    constant_: (layer) => void init.constant_(layer.weight, 2),
    'a write without gradients': (layer) => void noGrad(() => layer.weight.fill_(2)),
    'a write to a detached view': (layer) => void layer.weight.detach().view([9]).fill_(2),
    'a state dict': (layer) => void layer.loadStateDict({ weight: full([3, 3], 2) }, { strict: false }),
    'another parameter': (layer) => void Object.assign(layer, { weight: new Parameter(full([3, 3], 2)) }),
    'other data': (layer) => void layer.weight.setData(full([3, 3], 2)),
  };
  for (const [way, write] of Object.entries(ways)) {
    const own = built(() => {
      const sequence = plain();
      write(sequence.at(0) as Linear);
      return sequence;
    });
    assert.deepEqual(own.get('0.weight'), new Array(9).fill(2), way);
    for (const key of ['0.bias', '1.weight', '1.bias'])
      assert.deepEqual(own.get(key), drawn.get(key), `${way}: ${key}`);
  }
});

test('a constructor that writes a part of a tensor, or scales it, finds drawn values to do so', () => {
  class Parts extends Module {
    readonly forgetful = new LSTM(4, 8);
    readonly scaled = new Linear(16, 8);
    readonly padded = new Embedding(50, 4);

    forward(x: Tensor): Tensor {
      return this.scaled.forward(x);
    }
  }
  const drawn = built(() => new Parts());
  const own = (): Map<string, number[]> => {
    // What lies in memory that nobody drew into.
    full([1000], 1e30).dispose();
    return built(() => {
      const parts = new Parts();
      const { forgetful, scaled, padded } = parts;
      noGrad(() => {
        new Map<string, Tensor>(forgetful.namedParameters()).get('bias_ih_l0')!.narrow(0, 8, 8).fill_(1);
        scaled.weight.mul_(0.01);
        padded.weight.select(0, 2).zero_();
      });
      return parts;
    });
  };
  const state = own();
  assert.deepEqual(own(), state, 'the same for a seed');
  const bias = state.get('forgetful.bias_ih_l0')!;
  assert.deepEqual(bias.slice(8, 16), new Array(8).fill(1));
  const spread = (values: readonly number[]) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  // Uniform within 1 / sqrt(8), uniform within 0.01 / sqrt(16), normal: deviations of 0.204, 0.00144 and 1.
  const gates = [...bias.slice(0, 8), ...bias.slice(16)];
  assert.ok(Math.max(...gates.map(Math.abs)) <= 0.3536 && Math.abs(spread(gates) - 0.204) < 0.08);
  assert.ok(Math.max(...state.get('scaled.weight')!.map(Math.abs)) <= 0.0025);
  assert.ok(Math.abs(spread(state.get('scaled.weight')!) - 0.00144) < 2e-4);
  const rows = state.get('padded.weight')!;
  assert.deepEqual(rows.splice(8, 4), [0, 0, 0, 0]);
  assert.ok(Math.abs(spread(rows) - 1) < 0.2);
  for (const key of ['forgetful.weight_ih_l0', 'forgetful.weight_hh_l0', 'forgetful.bias_hh_l0', 'scaled.bias']) {
    assert.deepEqual(state.get(key), drawn.get(key), key);
  }
});

test("ResNet's zeroed last normalisation stays zero, and its statistics start as ever", () => {
  const own = built(() => {
    const block = new Sequential(new Conv2d(3, 2, 1), new BatchNorm2d(2));
    init.zeros_((block.at(1) as BatchNorm2d).weight!);
    return block;
  });
  assert.deepEqual(own.get('1.weight'), [0, 0]);
  assert.deepEqual(own.get('1.bias'), [0, 0]);
  assert.deepEqual(own.get('1.running_mean'), [0, 0]);
  assert.deepEqual(own.get('1.running_var'), [1, 1]);
});

test("GPT's initialisation by `apply` follows from the seed, whatever was drawn before and the cut", () => {
  const build = (): Sequential =>
    plain().apply((module) => {
      if (!(module instanceof Linear)) return;
      init.normal_(module.weight, 0, 0.02);
      init.zeros_(module.bias!);
    });
  const once = built(build);
  randn([5]);
  const state = defaultGenerator.getState().tolist();
  assert.deepEqual(built(build), once);
  assert.deepEqual(
    defaultGenerator.getState().tolist(),
    state,
    'the default generator goes on as if nothing was drawn',
  );
  assert.ok(Math.max(...once.get('0.weight')!.map(Math.abs)) < 0.1);
  assert.notDeepEqual(once.get('0.weight'), once.get('1.weight'));
  const spec = specOf(plain, build);
  const second = buildModel(spec, { seed: 3 }).stateDict();
  const other = buildModel(
    specOf(() => new Linear(3, 3), build),
    { seed: 3 },
  ).stateDict();
  assert.deepEqual(second.get('l1.1.weight')!.tolist(), other.get('l1.1.weight')!.tolist());
  assert.notDeepEqual(second.get('l1.1.weight')!.flatten().tolist(), once.get('1.weight'), 'the name counts');
});

class Scaled extends Linear {
  gain = new Parameter(empty([1]));

  override resetParameters(g: Generator): void {
    super.resetParameters(g);
    if (this.gain) init.constant_(this.gain, 5);
  }
}

class Token extends Module {
  token = new Parameter(zeros([4]));
  fixed = new Parameter(ones([2]));

  override resetParameters(generator: Generator): void {
    init.normal_(this.token, 0, 1, { generator });
  }

  forward(x: Tensor): Tensor {
    return x;
  }
}

test('a class that draws by resetParameters does so, with and without initSelf, unless its values are set', () => {
  assert.deepEqual(built(() => new Scaled(3, 3)).get('gain'), [5]);
  const token = built(() => new Token());
  assert.ok(token.get('token')!.every((value) => value !== 0));
  assert.deepEqual(token.get('fixed'), [1, 1]);
  const set = (): Token => {
    const module = new Token();
    init.constant_(module.token, 0.5);
    return module;
  };
  assert.deepEqual(built(set).get('token'), [0.5, 0.5, 0.5, 0.5]);
});

test('a tied weight has the distribution of the layer that made it', () => {
  const tied = built(() => {
    const sequence = new Sequential(new Embedding(200, 50), new Linear(50, 200));
    (sequence.at(1) as Linear).weight = (sequence.at(0) as Embedding).weight;
    return sequence;
  });
  const weight = tied.get('1.weight')!;
  assert.deepEqual(weight, tied.get('0.weight'));
  const spread = Math.sqrt(weight.reduce((sum, value) => sum + value * value, 0) / weight.length);
  assert.ok(Math.abs(spread - 1) < 0.05, `expected a normal distribution of deviation 1, got ${spread}`);
});

test('buffers that are set stay', () => {
  const own = built(() => {
    const sequence = new Sequential(new BatchNorm2d(2));
    (sequence.at(0) as BatchNorm2d).running_mean!.fill_(7);
    return sequence;
  });
  assert.deepEqual(own.get('0.running_mean'), [7, 7]);
  assert.deepEqual(own.get('0.running_var'), [1, 1]);
});

test('conversion, `toEmpty` and the meta device are no writing', () => {
  const wide = built(() => new Sequential(new Linear(3, 3), new BatchNorm2d(2)).to({ dtype: 'float64' }));
  assert.deepEqual(wide.get('1.running_var'), [1, 1]);
  assert.deepEqual(wide.get('1.running_mean'), [0, 0]);
  const drawn = built(() => new Sequential(new Linear(3, 3), new BatchNorm2d(2)));
  const meta = built(() =>
    new Sequential(new Linear(3, 3, { device: 'meta' }), new BatchNorm2d(2, { device: 'meta' })).toEmpty('cpu'),
  );
  assert.deepEqual(meta, drawn);
  const kept = built(() => {
    const sequence = new Sequential(new Linear(3, 3));
    init.constant_((sequence.at(0) as Linear).bias!, 4);
    return sequence.to({ dtype: 'float64' });
  });
  assert.deepEqual(kept.get('0.bias'), [4, 4, 4]);
  const onMeta = buildModel(
    specOf(() => new Linear(3, 3, { device: 'meta' })),
    { seed: 3 },
  );
  assert.deepEqual(
    [...onMeta.parameters()].map((p) => p.device),
    ['meta', 'meta'],
  );
});

test('normalised weights are drawn whole, or kept whole', () => {
  const lengths = (v: number[]): number[] => [0, 1, 2].map((i) => Math.hypot(...v.slice(3 * i, 3 * i + 3)));
  const near = (a: number[], b: number[]): void => {
    for (const [i, value] of a.entries()) assert.ok(Math.abs(value - b[i]!) < 1e-6, `${a} and ${b}`);
  };
  const drawn = built(() => weightNorm(new Linear(3, 3)));
  near(drawn.get('weight_g')!, lengths(drawn.get('weight_v')!));
  const set = built(() => {
    const layer = new Linear(3, 3);
    init.constant_(layer.weight, 2);
    return weightNorm(layer);
  });
  assert.deepEqual(set.get('weight_v'), new Array(9).fill(2));
  near(set.get('weight_g')!, lengths(set.get('weight_v')!));
  const spectral = built(() => {
    const layer = new Linear(3, 3);
    init.constant_(layer.weight, 2);
    return spectralNorm(layer);
  });
  assert.deepEqual(spectral.get('weight_orig'), new Array(9).fill(2));
  near([Math.hypot(...spectral.get('weight_u')!)], [1]);
  assert.deepEqual(
    spectral,
    built(() => {
      const layer = new Linear(3, 3);
      init.constant_(layer.weight, 2);
      return spectralNorm(layer);
    }),
  );
});

test('a layer that was made before and loaded keeps its values; one made before and left alone is drawn for the seed', () => {
  const loaded = new Linear(3, 3);
  loaded.loadStateDict({ weight: full([3, 3], 2), bias: full([3], 1) });
  const own = built(() => loaded);
  assert.deepEqual([own.get('weight')![0], own.get('bias')![0]], [2, 1]);
  manualSeed(1);
  const a = built(() => new Linear(3, 3));
  const outside = new Linear(3, 3);
  assert.deepEqual(
    built(() => outside),
    a,
  );
});
