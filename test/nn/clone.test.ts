/** Module.clone: equal and independent, for every module and for modules of users. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { ConfigError, Generator, ones, randn, scope, type Tensor, tensor, zeros } from 'headrace/torch';
import { type LayerCase, readGolden, unpack } from '../golden/golden.js';
import { layerCases } from './cases.js';
import { lossCases } from './loss-cases.js';
import { moreCases } from './more-cases.js';
import { styleCases } from './style-cases.js';

type Stored = { readonly cases: Readonly<Record<string, LayerCase>> };
const stored = Object.assign(
  {},
  ...['layers.json', 'more-layers.json', 'style-layers.json'].map((name) => readGolden<Stored>(name).cases),
) as Stored['cases'];

type Forward = { forward(...x: Tensor[]): Tensor | readonly unknown[] };

function flat(output: unknown): number[] {
  const list = Array.isArray(output) ? output.flat() : [output];
  return list.filter((x): x is Tensor => x !== null).flatMap((x) => Array.from(x.detach().data() as Float64Array));
}

const cases = Object.entries({ ...layerCases, ...lossCases, ...moreCases, ...styleCases }).filter(
  ([, { make }]) => make,
);

for (const [name, { make, call }] of cases) {
  test(`a clone of ${name} gives the same, and is independent`, () => {
    scope(() => {
      const module = make!({ dtype: 'float64' });
      const inputs = stored[name]!.inputs.map((packed) => unpack(packed, 'float64'));
      const run = (m: nn.Module) => flat(call ? call(m, ...inputs) : (m as unknown as Forward).forward(...inputs));
      const clone = module.clone();
      assert.equal(clone.constructor, module.constructor);
      assert.equal(String(clone), String(module));
      assert.deepEqual([...clone.stateDict().keys()], [...module.stateDict().keys()]);
      const state = (m: nn.Module) => [...m.stateDict().values()].map((x) => x.tolist());
      assert.deepEqual(state(clone), state(module));
      const before = run(module);
      assert.deepEqual(run(clone), before);
      // Training the original, even to nonsense, changes nothing in the clone.
      const kept = module.clone();
      const expected = run(kept.clone());
      for (const value of module.stateDict().values()) if (value.dtype === 'float64') value.fill_(3);
      assert.deepEqual(run(kept), expected);
    });
  });
}

const others: nn.Module[] = [
  new nn.BatchNorm3d(2),
  new nn.Dropout1d(),
  new nn.Dropout2d(),
  new nn.DropPath(0.1),
  new nn.Identity(),
  new nn.AdaptiveMaxPool3d(1),
  new nn.MaxUnpool1d(2),
  new nn.MaxUnpool2d(2),
  new nn.MaxUnpool3d(2),
  new nn.SyncBatchNorm(2),
];

test('every other layer that is exported can be cloned', () => {
  for (const module of others) {
    const clone = module.clone();
    assert.notEqual(clone, module);
    assert.equal(String(clone), String(module));
    assert.deepEqual([...clone.stateDict().keys()], [...module.stateDict().keys()]);
  }
  const tested = new Set(others.map((module) => module.constructor.name));
  for (const [, { make }] of cases) for (const module of make!({}).modules()) tested.add(module.constructor.name);
  const untested = Object.entries(nn)
    .filter(([, value]) => typeof value === 'function' && value.prototype instanceof nn.Module)
    .map(([name]) => name)
    .filter((name) => !tested.has(name));
  // Containers have tests of their own.
  assert.deepEqual(untested.sort(), ['ModuleDict', 'ParameterDict', 'ParameterList', 'Sequential']);
});

test('containers are cloned with their names, and can grow apart', () => {
  const model = nn.Sequential.named({ a: new nn.Linear(2, 2), b: new nn.ReLU() });
  const clone = model.clone();
  clone.append(new nn.Linear(2, 5));
  assert.equal(model.length, 2);
  assert.equal(clone.length, 3);
  assert.deepEqual(clone.forward(ones([1, 2])).shape, [1, 5]);
  assert.notEqual(clone.at(0), model.at(0));

  const list = new nn.ModuleList([new nn.Identity()]).clone().append(new nn.Identity());
  assert.equal(list.length, 2);
  const dict = new nn.ModuleDict({ x: new nn.Identity() }).clone();
  assert.deepEqual([...dict.keys()], ['x']);
  const parameters = new nn.ParameterList([new nn.Parameter(ones([2]))]).clone();
  assert.deepEqual(
    [...parameters].map((p) => p.tolist()),
    [[1, 1]],
  );
});

test('what is shared stays shared, inside the clone', () => {
  const [a, b] = [new nn.Linear(3, 3), new nn.Linear(3, 3)];
  b.weight = a.weight;
  const model = new nn.Sequential(a, b, a);
  const clone = model.clone();
  const [ca, cb, cc] = [...clone] as nn.Linear[];
  assert.equal(ca, cc);
  assert.equal(ca!.weight, cb!.weight);
  assert.notEqual(ca!.weight, a.weight);
  assert.equal([...clone.parameters()].length, 3);
});

test('flags, buffers and gradients: what is copied and what is not', () => {
  const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
  model.at(1).eval();
  (model.at(0) as nn.Linear).bias!.requiresGrad = false;
  model.at(1).registerBuffer('seen', tensor([1]), false);
  model.at(1).registerBuffer('nothing', null);
  model
    .forward(ones([3, 2]))
    .sum()
    .backward();
  const clone = model.clone();
  assert.deepEqual(
    [...clone.modules()].map((m) => m.training),
    [true, true, false],
  );
  assert.deepEqual(
    [...clone.parameters()].map((p) => p.requiresGrad),
    [true, false, true, true],
  );
  assert.deepEqual(
    [...clone.parameters()].map((p) => p.grad),
    [null, null, null, null],
  );
  assert.ok([...clone.parameters()].every((p) => p.isLeaf));
  assert.deepEqual(
    [...clone.namedBuffers()].map(([name]) => name),
    [...model.namedBuffers()].map(([name]) => name),
  );
  assert.deepEqual([...clone.stateDict().keys()], [...model.stateDict().keys()]);
  clone.to({ dtype: 'float64' });
  assert.equal((model.at(0) as nn.Linear).weight.dtype, 'float32');
});

class Net extends nn.Module {
  fc = new nn.Linear(2, 2);
  readonly sizes = [1, 2];
  readonly table = new Map([['a', { list: [1] }]]);
  readonly names = new Set(['x']);
  readonly activation = (x: Tensor) => x.relu();
  readonly hidden: nn.Linear[] = [this.fc, new nn.Linear(2, 2)];
  private readonly secret = { scale: 2 };
  cached: Tensor | null = null;
  parent: Net | null = null;

  forward(x: Tensor): Tensor {
    this.cached = this.hidden[1]!.forward(this.activation(this.fc.forward(x)));
    return this.cached.mul(this.secret.scale);
  }
}

test("a user's module is cloned with its other fields: containers copied, functions shared, cycles kept", () => {
  const net = new Net();
  net.parent = net;
  const x = ones([1, 2]);
  const expected = net.forward(x).tolist();
  const clone = net.clone();
  assert.ok(clone instanceof Net);
  assert.deepEqual(clone.forward(x).tolist(), expected);
  assert.equal(clone.parent, clone);
  assert.equal(clone.hidden[0], clone.fc);
  assert.notEqual(clone.hidden[1], net.hidden[1]);
  assert.equal(clone.activation, net.activation);
  clone.sizes.push(3);
  clone.table.get('a')!.list.push(2);
  clone.names.add('y');
  assert.deepEqual([net.sizes, net.table.get('a')!.list, [...net.names]], [[1, 2], [1], ['x']]);
});

test('dropout of a clone draws what the original would, apart from it', () => {
  const drop = new nn.Dropout(0.5);
  drop.setGenerator(new Generator(3));
  const x = ones([64]);
  drop.forward(x);
  const clone = drop.clone();
  const drawn = clone.forward(x).tolist();
  assert.deepEqual(drop.forward(x).tolist(), drawn);
  assert.notDeepEqual(drop.forward(x).tolist(), drawn);
});

test('hooks are not cloned, and spectral norm works on the clone', () => {
  const layer = new nn.Linear(3, 2);
  let runs = 0;
  layer.registerForwardHook(() => {
    runs += 1;
  });
  nn.spectralNorm(layer);
  const x = ones([1, 3]);
  layer.forward(x);
  const clone = layer.clone();
  const expected = clone.eval().forward(x).tolist();
  assert.equal(runs, 1);
  layer.train().forward(x); // changes the vectors of the original alone
  for (const p of layer.parameters()) p.detach().fill_(9);
  assert.deepEqual(clone.forward(x).tolist(), expected);
  assert.deepEqual(clone.clone().forward(x).tolist(), expected);
});

test('a class with private members says how it is cloned, or the error says what to do', () => {
  class Hidden extends nn.Module {
    #scale = 1;
    fc = new nn.Linear(2, 2, { bias: false });

    constructor(scale: number) {
      super();
      this.#scale = scale;
    }

    forward(x: Tensor): Tensor {
      return this.fc.forward(x).mul(this.#scale);
    }
  }
  assert.throws(
    () => new Hidden(2).clone(),
    (error) => error instanceof ConfigError && /Hidden.*\(#scale\).*override `protected newLike/.test(error.message),
  );
  class Told extends Hidden {
    protected override newLike(): Hidden {
      return new Told(3);
    }
  }
  class Further extends Told {
    extra = 1;
  }
  const further = new Further(3);
  const clone = further.clone();
  assert.ok(clone instanceof Further);
  assert.deepEqual(clone.forward(ones([1, 2])).tolist(), further.forward(ones([1, 2])).tolist());
  class Again extends Told {
    #more = 1;
    get more(): number {
      return this.#more;
    }
  }
  assert.throws(() => new Again(3).clone(), /Again.*\(#more\)/);
  assert.throws(() => new nn.Sequential(new Hidden(2)).clone(), /Hidden/);
});

test('a subclass of a container keeps its class and its order', () => {
  class Block extends nn.Sequential {
    constructor(readonly width: number) {
      super(new nn.Linear(width, width), new nn.ReLU());
    }
  }
  const block = new Block(3);
  const clone = block.clone();
  assert.ok(clone instanceof Block);
  assert.equal(clone.width, 3);
  assert.deepEqual(clone.forward(ones([1, 3])).tolist(), block.forward(ones([1, 3])).tolist());
});

test('a forward that is bound to its object cannot be cloned in silence', () => {
  class Bound extends nn.Module {
    fc = new nn.Linear(1, 1);
    override forward = (x: Tensor): Tensor => this.fc.forward(x);
  }
  const bound = new Bound();
  assert.throws(() => bound.clone(), /Bound to have its forward from its class/);
  bound.registerForwardHook(() => null);
  assert.throws(() => bound.clone(), /Bound to have its forward from its class/);
});

test('a tensor that is gone is named', () => {
  const net = new Net();
  scope(() => net.forward(zeros([1, 2])));
  assert.throws(() => net.clone(), /all of Net to be there for its clone, got as 'cached': .*freed/);
});

test('a clone has values of its own to draw where the module had', () => {
  const drawn = (build: () => nn.Module) => {
    const model = nn.buildSeeded(build, 5);
    return [...model.parameters()].map((p) => p.tolist());
  };
  const cloned = () => {
    const template = new nn.Linear(3, 3);
    nn.init.constant_(template.bias!, 2);
    return new nn.Sequential(template.clone(), template.clone());
  };
  const plain = () => {
    const make = () => {
      const layer = new nn.Linear(3, 3);
      nn.init.constant_(layer.bias!, 2);
      return layer;
    };
    return new nn.Sequential(make(), make());
  };
  assert.deepEqual(drawn(cloned), drawn(plain));
});

test('an average of weights follows a model', () => {
  const generator = new Generator(1);
  const model = new nn.Linear(2, 1);
  const average = model.clone().requiresGrad_(false);
  const start = model.weight.tolist() as number[][];
  model.weight.detach().add_(randn([1, 2], { generator }));
  for (const [i, p] of [...average.parameters()].entries()) p.lerp_([...model.parameters()][i]!.detach(), 0.5);
  const [a, b, c] = [start, model.weight.tolist() as number[][], average.weight.tolist() as number[][]];
  for (const i of [0, 1]) assert.ok(Math.abs(c[0]![i]! - (a[0]![i]! + b[0]![i]!) / 2) < 1e-6);
});
