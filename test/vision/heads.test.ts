import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildHead, buildLayer, type HeadKind, Layers, tensorsOf } from 'headrace/pipeline';
import { Generator, gradcheck, ops, scope, type Tensor } from 'headrace/torch';
import { auglocalDepth, resnet18, resnet20, resnet32, resnet50, type VisionModel, vit } from 'headrace/vision';
import { assertClose, gradients, images } from './support.js';

const kinds: readonly HeadKind[] = ['linear', 'dgl', 'auglocal'];
const tiny = vit({ classes: 5, imageSize: 16, patch: 4, width: 32, depth: 3, heads: 4 });

/** The features at every border, for two images. */
function features(model: VisionModel): Tensor[][] {
  let x = [images(2, model.inputShape)];
  return model.layers.slice(0, -1).map((layer) => {
    x = tensorsOf(buildLayer(layer, 0).forward(...x)).map((y) => y.detach());
    return x;
  });
}

test('every head gives logits and trains all its weights at every border, and leaves the features alone', () => {
  const models = [
    resnet20({ classes: 5, imageSize: 16 }),
    resnet18({ classes: 5, imageSize: 32, channels: 1 }),
    resnet50({ classes: 5, imageSize: 32 }),
    tiny,
  ];
  for (const model of models) {
    scope(() => {
      for (const [border, x] of features(model).entries()) {
        if (model.name === 'resnet50' && border % 11 > 0) continue; // large: three borders will do
        const before = x.map((y) => y.sum().item());
        for (const kind of kinds) {
          scope(() => {
            const head = buildHead(model, kind, border, { depth: 2 }, 0);
            const logits = head.forward(...x);
            assert.deepEqual(logits.shape, [2, 5], `${model.name} ${kind} at ${border}`);
            logits.pow(2).sum().backward();
            gradients(head);
          });
        }
        assert.deepEqual(
          x.map((y) => y.sum().item()),
          before,
        );
      }
    });
  }
});

test('in the middle of a block the head reads the branch, and trains all that came before', () => {
  const models = [resnet20({ classes: 5, imageSize: 8 }), resnet50({ classes: 5, imageSize: 32 })];
  for (const model of models) {
    const border = model.layers.findIndex(({ name }) => name === 'layer2.1.conv1');
    for (const kind of kinds) {
      scope(() => {
        const layers = new Layers(model, 0, 0, border + 1);
        const [branch, shortcut] = layers.features(images(2, model.inputShape)) as [Tensor, Tensor];
        const head = buildHead(model, kind, border, {}, 0);
        const logits = head.forward(branch, shortcut);
        assert.deepEqual(logits.tolist(), buildHead(model, kind, border, {}, 0).forward(branch, branch).tolist());
        logits.pow(2).sum().backward();
        for (const [key, gradient] of gradients(layers)) assert.ok(gradient.abs().max().item() > 0, `${kind} ${key}`);
      });
    }
  }
});

test('a linear head is a pooling, or the class token normalised, and a linear layer', () => {
  scope(() => {
    // Layer 8 ends layer2.0, which gives 32 channels.
    const head = buildHead(resnet20({ classes: 5 }), 'linear', 8, {}, 0);
    const state = head.stateDict();
    assert.deepEqual([...state.keys()], ['fc.weight', 'fc.bias']);
    const x = images(2, [32, 4, 4]);
    const expected = ops.linear(x.flatten(2).mean([2]), state.get('fc.weight')!, state.get('fc.bias')!);
    assertClose(head.forward(x), expected, 1e-6, 'logits');

    const token = buildHead(tiny, 'linear', 1, {}, 0);
    const y = images(2, [17, 32]);
    const own = token.stateDict();
    const normed = ops.layerNorm(y, [32], own.get('norm.weight')!, own.get('norm.bias')!, 1e-6).select(1, 0);
    assertClose(token.forward(y), ops.linear(normed, own.get('head.weight')!, own.get('head.bias')!), 1e-6, 'token');
  });
});

test('a DGL head is three 1x1 convolutions on a quarter of the map and three linear layers on 2x2', () => {
  const shapes = [...buildHead(resnet20({ classes: 5 }), 'dgl', 8, {}, 0).stateDict()]
    .filter(([key]) => key.endsWith('.weight'))
    .map(([, value]) => value.shape);
  const convolution = [[32, 32, 1, 1], [32]];
  assert.deepEqual(shapes, [
    ...convolution,
    ...convolution,
    ...convolution,
    [128, 128],
    [128],
    [128, 128],
    [128],
    [5, 128],
  ]);
});

test('a DGL head trains on a batch of one image', () => {
  scope(() => {
    const head = buildHead(resnet20({ classes: 5 }), 'dgl', 8, {}, 0);
    head
      .forward(images(1, [32, 8, 8]))
      .pow(2)
      .sum()
      .backward();
    for (const [key, value] of [...gradients(head), ...head.namedBuffers()]) {
      assert.ok(Number.isFinite(value.to({ dtype: 'float32' }).sum().item()), key);
    }
  });
});

test('the class token takes part in a DGL head of a ViT', () => {
  scope(() => {
    const head = buildHead(tiny, 'dgl', 1, {}, 0);
    const x = images(4, [17, 32]);
    x.requiresGrad = true;
    head.forward(x).pow(2).sum().backward();
    for (const token of [0, 1, 16]) assert.ok(x.grad!.select(1, token).abs().max().item() > 0);
  });
});

test('an auglocal head of a ResNet mimics evenly chosen later blocks at their resolution', () => {
  const model = resnet32({ classes: 5 });
  const structure = (border: number, depth: number) =>
    [...buildHead(model, 'auglocal', border, { depth }, 0).stateDict()]
      .filter(([key]) => /conv1\.weight|fc\.weight/.test(key))
      .map(([, value]) => value.shape.slice(0, 2).join('<'));
  // Blocks 0-4 have 16 channels, 5-9 32, 10-14 64. After block 2 (border 6) there are 12 blocks left.
  assert.deepEqual(structure(6, 1), ['64<16', '5<64']);
  assert.deepEqual(structure(5, 1), ['64<16', '5<64'], 'in the middle of block 2');
  assert.deepEqual(structure(6, 2), ['32<16', '64<32', '5<64']);
  assert.deepEqual(structure(6, 4), ['32<16', '32<32', '64<32', '64<64', '5<64']);
  assert.deepEqual(structure(28, 3), ['64<64', '5<64'], 'no more layers than follow');
  assert.deepEqual(structure(30, 3), ['5<64'], 'none after the last block');
  assert.deepEqual(structure(6, 0), ['5<16']);
});

test('an auglocal head halves the map as often as the blocks it mimics', () => {
  scope(() => {
    const head = buildHead(resnet32({ classes: 5 }), 'auglocal', 6, { depth: 1 }, 0);
    let x = images(2, [16, 32, 32]);
    const sizes = [...head.children()].map((child) => {
      x = (child as typeof head).forward(x);
      return x.shape;
    });
    assert.deepEqual(sizes, [
      [2, 16, 16, 16],
      [2, 64, 8, 8],
      [2, 5],
    ]);
  });
});

test('the depth of auglocal heads falls linearly with a pyramid', () => {
  const depths = (depth: number, pyramid: number) =>
    Array.from({ length: 5 }, (_, border) => auglocalDepth({ depth, pyramid }, border, 5, 100));
  assert.deepEqual(depths(4, 0), [4, 4, 4, 4, 4]);
  assert.deepEqual(depths(4, 0.5), [4, 4, 3, 3, 2]);
  assert.deepEqual(depths(1, 0.5), [1, 1, 1, 1, 1]);
  assert.deepEqual(depths(2, 1), [2, 2, 1, 1, 0]);
});

test('the last block of a ViT head reads the class token alone: a head of one block costs little', () => {
  const [one, two] = [1, 2].map((depth) => buildHead(tiny, 'auglocal', 1, { depth }, 0).toString());
  assert.equal(one!.match(/class_token_only/g)?.length, 1);
  assert.equal(two!.match(/class_token_only/g)?.length, 1);
  assert.equal(two!.match(/Block\(/g)?.length, 2);
});

test("a head's gradients agree with finite differences", () => {
  const model = resnet20({ classes: 3 });
  const made = { dtype: 'float64' } as const;
  for (const [x, head] of [
    [images(3, [16, 2, 2]), model.head('dgl', 2, made)],
    [images(2, [16, 5, 4]), model.head('auglocal', 2, { ...made, depth: 1 })],
    [images(2, [17, 32]), tiny.head('auglocal', 2, { ...made, depth: 1 })],
  ] as const) {
    head.initialise(new Generator(1));
    scope(() => {
      const input = x.to(made);
      input.requiresGrad = true;
      assert.ok(gradcheck((...inputs) => head.forward(inputs[0]!), [input]));
    });
  }
});

test('a wrong head, border or depth is an error that says what there is', () => {
  const model = resnet20({ classes: 5 });
  assert.throws(() => model.head('predsim' as HeadKind, 2), /among linear, dgl, auglocal, got predsim/);
  assert.throws(() => model.head('linear', 19), /border from 0 to 18 .* got 19/);
  assert.throws(() => tiny.head('linear', -1), /border from 0 to 6 .* got -1/);
  assert.throws(() => model.head('auglocal', 2, { depth: 1.5 }), /depth to be a whole number >= 0, got 1.5/);
  assert.throws(() => model.head('auglocal', 2, { pyramid: 2 }), /pyramid to lie in 0..1, got 2/);
});
