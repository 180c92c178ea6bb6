/** What the stored values do not show of recurrent cells, decoders, bags and parameters by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { ConfigError, cat, Generator, gradcheck, randn, ShapeError, type Tensor, tensor, zeros } from 'headrace/torch';

const generator = new Generator(42);
const made = { dtype: 'float64' } as const;
const leaf = (...shape: number[]) => randn(shape, { ...made, generator, requiresGrad: true });
const close = (a: Tensor, b: Tensor) => assert.ok(a.sub(b).abs().max().item() < 1e-12);

function checkGradients(name: string, module: nn.Module, run: (...x: Tensor[]) => Tensor, ...inputs: Tensor[]): void {
  test(`${name} has the gradients of its values`, () => {
    assert.ok(gradcheck(() => run(...inputs), [...inputs, ...module.parameters()]));
  });
}

const rnn = new nn.RNN(3, 2, { ...made, bidirectional: true, numLayers: 2 });
checkGradients('RNN', rnn, (x) => rnn.forward(x!)[0], leaf(3, 1, 3));
const rnnCell = new nn.RNNCell(3, 2, made);
checkGradients('RNNCell', rnnCell, (x, h) => rnnCell.forward(x!, h), leaf(2, 3), leaf(2, 2));
const lstmCell = new nn.LSTMCell(3, 2, made);
checkGradients(
  'LSTMCell',
  lstmCell,
  (x, h, c) => cat(lstmCell.forward(x!, [h!, c!])),
  leaf(2, 3),
  leaf(2, 2),
  leaf(2, 2),
);
const gruCell = new nn.GRUCell(3, 2, made);
checkGradients('GRUCell', gruCell, (x, h) => gruCell.forward(x!, h), leaf(2, 3), leaf(2, 2));
const decoder = new nn.TransformerDecoderLayer(4, 2, { ...made, dimFeedforward: 5, dropout: 0, activation: 'gelu' });
checkGradients('TransformerDecoderLayer', decoder, (x, y) => decoder.forward(x!, y!), leaf(3, 1, 4), leaf(2, 1, 4));
for (const mode of ['sum', 'mean', 'max'] as const) {
  const bag = new nn.EmbeddingBag(5, 2, { ...made, mode });
  const indices = tensor([
    [0n, 3n],
    [3n, 4n],
  ]);
  checkGradients(`EmbeddingBag of ${mode}`, bag, () => bag.forward(indices));
}

test('cells in a loop are the layers of the same weights', () => {
  const x = leaf(4, 2, 3);
  const same = (cell: nn.Module, layer: nn.Module) =>
    cell.loadStateDict(new Map([...layer.stateDict()].map(([key, value]) => [key.replace('_l0', ''), value])));
  const gru = new nn.GRU(3, 2, made);
  same(gruCell, gru);
  let h = zeros([2, 2], made);
  for (const row of x.unbind(0)) h = gruCell.forward(row, h);
  close(h, gru.forward(x)[1].select(0, 0));
  const lstm = new nn.LSTM(3, 2, made);
  same(lstmCell, lstm);
  let state: nn.LstmState | null = null;
  for (const row of x.unbind(0)) state = lstmCell.forward(row, state);
  const [, [hEnd, cEnd]] = lstm.forward(x);
  close(state![0], hEnd.select(0, 0));
  close(state![1], cEnd.select(0, 0));
  const plain = new nn.RNN(3, 2, made);
  same(rnnCell, plain);
  h = zeros([2, 2], made);
  for (const row of x.unbind(0)) h = rnnCell.forward(row, h);
  close(h, plain.forward(x)[1].select(0, 0));
});

test('dropout between the layers of an RNN follows its generator', () => {
  const net = new nn.RNN(3, 4, { numLayers: 3, dropout: 0.5 });
  const x = randn([5, 2, 3], { generator });
  const drawn = (seed: number) => {
    net.setGenerator(new Generator(seed));
    return net.forward(x)[0].tolist();
  };
  assert.deepEqual(drawn(1), drawn(1));
  assert.notDeepEqual(drawn(1), drawn(2));
  net.eval();
  assert.deepEqual(drawn(1), drawn(2));
});

test('a decoder stack is made of clones of a layer, or of layers that a function builds', () => {
  const layer = new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 4 });
  const cloned = new nn.TransformerDecoder(layer, 2);
  const [a, b] = [...cloned.layers] as [nn.TransformerDecoderLayer, nn.TransformerDecoderLayer];
  assert.deepEqual(a.linear1.weight.tolist(), layer.linear1.weight.tolist());
  assert.deepEqual(a.linear1.weight.tolist(), b.linear1.weight.tolist());
  assert.notEqual(a.linear1.weight, b.linear1.weight);
  const built = new nn.TransformerDecoder(() => new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 4 }), 2);
  assert.notDeepEqual(built.layers.at(0).linear1.weight.tolist(), built.layers.at(1).linear1.weight.tolist());
  const encoder = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 4 }), 3);
  assert.equal(encoder.layers.length, 3);
  assert.throws(() => new nn.TransformerDecoder('layer' as never, 2), ConfigError);
});

test('a Transformer draws all its matrices by Glorot, also when it is initialised again', () => {
  const options = { dModel: 8, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 64, dropout: 0 };
  const model = new nn.Transformer(options);
  const bound = Math.sqrt(6 / (8 + 64));
  for (const draw of [
    () => model,
    () => model.initialise(new Generator(1)),
    () => model.clone().initialise(new Generator(2)),
  ]) {
    const weight = draw().decoder.layers.at(0).linear2.weight;
    // Linear's own bound is 1 / 8: more than 500 numbers up to 0.289 hold some above 0.25.
    assert.ok(weight.abs().max().item() <= bound);
    assert.ok(weight.abs().max().item() > 0.25);
  }
  assert.equal(model.encoder.layers.at(0).linear1.toString(), 'Linear(in_features=8, out_features=64, bias=True)');
  assert.deepEqual(nn.Transformer.generateSquareSubsequentMask(2).tolist(), [
    [0, -Infinity],
    [0, 0],
  ]);
  assert.throws(() => model.forward(zeros([3, 2, 8]), zeros([4, 1, 8])), /one batch size, got \[3,2,8\] and \[4,1,8\]/);
});

test('a padding row starts at zero, counts for nothing and learns nothing', () => {
  const bag = new nn.EmbeddingBag(4, 2, { mode: 'mean', paddingIdx: 1 });
  assert.deepEqual((bag.weight.tolist() as number[][])[1], [0, 0]);
  bag.weight.detach().select(0, 1).fill_(7);
  const out = bag.forward(tensor([[0n, 1n, 1n]]));
  assert.deepEqual(out.tolist(), [(bag.weight.tolist() as number[][])[0]]);
  out.sum().backward();
  assert.deepEqual(bag.weight.grad?.tolist(), [
    [1, 1],
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
});

test('parameters by name are parameters of their module', () => {
  const dict = new nn.ParameterDict({ left: new nn.Parameter(zeros([2])), right: new nn.Parameter(zeros([3])) });
  class Holder extends nn.Module {
    parts = dict;
    forward(): Tensor {
      return this.parts.get('left');
    }
  }
  assert.deepEqual([...new Holder().stateDict().keys()], ['parts.left', 'parts.right']);
  dict.set('left', new nn.Parameter(zeros([5]))).set('scale', new nn.Parameter(zeros([])));
  assert.deepEqual([...dict.keys()], ['left', 'right', 'scale']);
  assert.deepEqual(dict.get('left').shape, [5]);
  assert.equal(dict.delete('right'), true);
  assert.equal(dict.delete('right'), false);
  assert.equal(dict.has('right'), false);
  assert.equal(dict.length, 2);
  assert.match(dict.toString(), /^ParameterDict\(\n {2}\(left\): Parameter containing: \[float32 of size 5\]\n/);
  assert.throws(() => dict.get('right'), /one of left, scale in ParameterDict, got 'right'/);
  assert.throws(() => dict.set('forward', dict.get('left')), ConfigError);
  assert.throws(() => dict.set('a.b', dict.get('left')), ConfigError);
  assert.throws(() => dict.set('x', zeros([1]) as never), /a Parameter as 'x'/);
  assert.throws(() => dict.forward(), ConfigError);
});

test('wrong shapes and options are refused by name', () => {
  const shape = (run: () => unknown, pattern: RegExp) =>
    assert.throws(run, (error) => error instanceof ShapeError && pattern.test(error.message));
  shape(() => gruCell.forward(zeros([2, 4], made)), /\[batch, 3\] or \[3\], got \[2,4\] in GRUCell\(3, 2\)/);
  shape(() => gruCell.forward(zeros([2, 3], made), zeros([1, 2], made)), /a state \[2, 2\], got \[1,2\]/);
  shape(
    () => lstmCell.forward(zeros([3], made), [zeros([1, 2], made), zeros([2], made)]),
    /a state \[2\], got \[1,2\]/,
  );
  shape(() => rnn.forward(zeros([2, 3], made)), /\[time, batch, 3\], got \[2,3\] in RNN/);
  const bag = new nn.EmbeddingBag(4, 2);
  shape(() => bag.forward(tensor([1n, 2n])), /\[bags, width\], or \[all\] with offsets/);
  shape(() => bag.forward(tensor([[1n, 4n]])), /indices in 0\.\.3, got 1\.\.4 in EmbeddingBag\(4, 2, mode=mean\)/);
  const refused = (run: () => unknown, pattern: RegExp) =>
    assert.throws(run, (error) => error instanceof ConfigError && pattern.test(error.message));
  refused(() => bag.forward(tensor([[1n]]), null, { perSampleWeights: zeros([1, 1]) }), /mode 'sum' only/);
  refused(() => new nn.EmbeddingBag(4, 2, { mode: 'median' as never }), /'sum' or 'mean' or 'max', got 'median'/);
  refused(() => new nn.EmbeddingBag(4, 2, { padding_idx: 1 } as never), /Did you mean paddingIdx/);
  refused(() => new nn.EmbeddingBag(4, 2, { paddingIdx: 4 }), /within the 4 rows, got 4/);
  refused(() => new nn.RNN(3, 4, { nonlinearity: 'gelu' as never }), /'tanh' or 'relu', got 'gelu'/);
  refused(() => new nn.RNN(3, 4, { num_layers: 2 } as never), /Did you mean numLayers/);
  refused(() => new nn.GRUCell(3, 4, { bais: true } as never), /Did you mean bias/);
  refused(() => new nn.Transformer({ nHead: 2 } as never), /Did you mean nhead/);
  const memory = zeros([1, 1, 4], made);
  refused(() => decoder.forward(memory, memory, { mask: memory } as never), /tgtMask, memoryMask/);
});

test('a random leaky ReLU draws its slopes in training from its generator', () => {
  const layer = new nn.RReLU({ lower: 0.2, upper: 0.4 });
  const x = tensor([-1, 2, -1, -1]);
  const drawn = (seed: number) => {
    layer.setGenerator(new Generator(seed));
    return layer.forward(x).tolist() as number[];
  };
  const values = drawn(1);
  assert.deepEqual(drawn(1), values);
  assert.notDeepEqual(drawn(2), values);
  assert.equal(values[1], 2);
  for (const i of [0, 2, 3]) assert.ok(values[i]! <= -0.2 && values[i]! >= -0.4);
  assert.throws(() => new nn.RReLU({ lower: 0.5 }), /lower at most upper/);
});

test('a Gumbel softmax draws by the logits, soft or hard, with the gradient of the soft one', () => {
  const F = nn.functional;
  const logits = tensor([Math.log(1), Math.log(3)], made).expand([4000, 2]);
  const hard = F.gumbelSoftmax(logits, { hard: true, generator: new Generator(1) });
  assert.deepEqual(hard.sum([1]).tolist(), new Array(4000).fill(1));
  const share = hard.select(1, 1).mean().item();
  assert.ok(Math.abs(share - 0.75) < 0.03, `share ${share}`);
  const x = leaf(3, 4);
  const soft = (input: Tensor) => F.gumbelSoftmax(input, { tau: 0.7, generator: new Generator(5) });
  assert.ok(gradcheck(() => soft(x), [x]));
  soft(x).square().sum().backward();
  const expected = x.grad!.clone();
  const softly = soft(x).detach();
  x.grad = null;
  F.gumbelSoftmax(x, { tau: 0.7, hard: true, generator: new Generator(5) })
    .mul(softly.mul(2))
    .sum()
    .backward();
  close(x.grad!, expected);
});

test('sparse initial values leave the share of zeros in every column', () => {
  const weight = nn.init.sparse_(zeros([10, 3]), 0.25, 0.5, { generator: new Generator(3) });
  assert.deepEqual(weight.eq(0).sum([0]).tolist(), [3, 3, 3]);
  assert.notDeepEqual(
    weight.tolist(),
    nn.init.sparse_(zeros([10, 3]), 0.25, 0.5, { generator: new Generator(4) }).tolist(),
  );
  assert.throws(() => nn.init.sparse_(zeros([3]), 0.5), ShapeError);
  assert.throws(() => nn.init.dirac_(zeros([3, 3])), ShapeError);
  assert.throws(() => nn.init.dirac_(zeros([3, 3, 1]), 2), ConfigError);
});

test('small layers refuse shapes and options that they do not take', () => {
  const refused = (run: () => unknown, pattern: RegExp) =>
    assert.throws(run, (error) => error instanceof ConfigError && pattern.test(error.message));
  refused(
    () => new nn.MultiMarginLoss({ p: 3 }).forward(zeros([1, 2]), tensor([0n])),
    /p of MultiMarginLoss to be 1 or 2, got 3/,
  );
  refused(() => new nn.MultiLabelMarginLoss({ margin: 1 } as never), /MultiLabelMarginLoss among reduction/);
  refused(() => new nn.LPPool2d(2, 2, { ceil_mode: true } as never), /Did you mean ceilMode/);
  refused(() => new nn.ReflectionPad3d([1, 1]), /padding of ReflectionPad3d to be a whole number or 6 of them/);
  refused(() => new nn.ChannelShuffle(0), /groups of ChannelShuffle to be a whole number >= 1/);
  assert.throws(() => new nn.ChannelShuffle(2).forward(zeros([1, 3, 2])), ShapeError);
  assert.throws(() => new nn.Softmax2d().forward(zeros([1, 3])), ShapeError);
  assert.throws(() => new nn.LocalResponseNorm(2).forward(zeros([1, 3])), ShapeError);
});
