/** The networks of SPEAK against slow formulas, and those that others publish by their keys. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cat, full, Generator, manualSeed, noGrad, randn, scope, type Tensor, tensor, zeros } from 'headrace';
import { saveSafetensors } from 'headrace/io';
import type * as nn from 'headrace/nn';
import { init } from 'headrace/nn';
import { Adam } from 'headrace/optim';
import { buildModel } from 'headrace/pipeline';
import {
  EditingModule,
  FaceEncoder,
  moved,
  PatchDiscriminator,
  PortraitFlow,
  PortraitMaps,
  StyleDiscriminator,
  SynthesisNetwork,
  type TalkingCodes,
  TalkingGenerator,
  type TalkingShape,
  Wav2Vec,
  type Wav2VecConfig,
  Whitening,
} from 'headrace/talkinghead';
import { resnet18, resnet50 } from 'headrace/vision';
import { assertClose, type LayerCase, loadState, unpack, weighed } from '../golden/golden.js';

const golden = (name: string): Record<string, LayerCase> =>
  JSON.parse(readFileSync(new URL(`../../../test/talkinghead/golden/${name}.json`, import.meta.url), 'utf8')) as Record<
    string,
    LayerCase
  >;
const stored = { ...golden('stylegan'), ...golden('wav2vec') };

const random = (...sizes: number[]): Tensor => randn(sizes, { generator: new Generator(sizes.length) });
const made = { dtype: 'float64' } as const;
const small = { size: 8, channels: 6, budget: 40 };
interface Network extends nn.Module {
  forward(...x: Tensor[]): Tensor | Tensor[];
}
const heard: Wav2VecConfig = {
  convDim: [4, 5],
  convKernel: [5, 3],
  convStride: [3, 2],
  convBias: false,
  hiddenSize: 6,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  intermediateSize: 7,
  numConvPosEmbeddings: 4,
  numConvPosEmbeddingGroups: 2,
  layerNormEps: 1e-5,
};

/** Of as many frames, whatever the sound's length. */
class Framed extends Wav2Vec {
  constructor(private readonly frames?: number) {
    super(heard, { dtype: 'float64' });
  }

  override forward(sound: Tensor): Tensor {
    return super.forward(sound, this.frames);
  }
}

/** All scores in one row. */
class Patches extends PatchDiscriminator {
  constructor() {
    super({ scales: 2, layers: 2, width: 2 }, true, made);
  }

  override forward(pictures: Tensor, person: Tensor): Tensor[] {
    return [
      cat(
        super.forward(pictures, person).map((map) => map.flatten(1)),
        1,
      ),
    ];
  }
}

const networks: Readonly<Record<string, () => Network>> = {
  synthesis: () => new SynthesisNetwork({ ...small, style: 5 }, made),
  discriminator: () => new StyleDiscriminator(small, 3, made),
  patches: () => new Patches(),
  rows: () => new Framed(),
  frames: () => new Framed(9),
  editing: () => new EditingModule({ sound: 3, emotion: 2, face: 4, width: 5, levels: 3 }, made),
};

for (const [name, make] of Object.entries(networks)) {
  test(`the ${name} network gives the values and gradients of slow formulas`, () => {
    const expected = stored[name]!;
    scope(() => {
      const network = make();
      loadState(network, expected.state!, 'float64');
      const inputs = expected.inputs.map((packed) => unpack(packed));
      for (const x of inputs) x.requiresGrad = true;
      const y = [network.forward(...inputs)].flat()[0]!;
      assertClose(y, expected.outputs[0]!, 1e-10, name);
      weighed([y]).backward();
      for (const [i, x] of inputs.entries())
        assertClose(x.grad, expected.inputGrads![i]!, 1e-9, `gradient of input ${i}`);
      const parameters = new Map(network.namedParameters());
      assert.deepEqual([...parameters.keys()].sort(), Object.keys(expected.grads!).sort());
      for (const [key, value] of Object.entries(expected.grads!))
        assertClose(parameters.get(key)?.grad, value, 1e-9, `gradient of ${key}`);
    });
  });
}

test('a wav2vec 2.0 of a folder is found under the names of older and newer files; another kind is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-wav2vec-'));
  try {
    const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const config = Object.fromEntries(Object.entries(heard).map(([name, value]) => [snake(name), value]));
    const base = { model_type: 'wav2vec2', feat_extract_norm: 'group', do_stable_layer_norm: false, ...config };
    const write = (more: object): void =>
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...base, ...more }));
    write({});
    scope(() => {
      const model = new Wav2Vec(heard);
      const sound = random(1, 40);
      for (const newer of [false, true]) {
        const named = [...model.stateDict()].map(([key, value]): [string, Tensor] => {
          const name = newer ? key.replace('weight_g', 'parametrizations.weight.original0') : key;
          return [`wav2vec2.${newer ? name.replace('weight_v', 'parametrizations.weight.original1') : name}`, value];
        });
        const rest: [string, Tensor][] = [
          ['lm_head.bias', zeros([3])],
          ['wav2vec2.masked_spec_embed', zeros([6])],
        ];
        saveSafetensors(join(folder, 'model.safetensors'), [...named, ...rest]);
        assert.deepEqual(Wav2Vec.load(folder).forward(sound, 5).tolist(), model.forward(sound, 5).tolist());
      }
      saveSafetensors(join(folder, 'model.safetensors'), [['lm_head.bias', zeros([3])]]);
      assert.throws(() => Wav2Vec.load(folder), /feature_projection\.projection\.weight/);
    });
    write({ do_stable_layer_norm: true });
    assert.throws(() => Wav2Vec.load(folder), /do_stable_layer_norm to be false, got true/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const shape: TalkingShape = {
  ...small,
  form: 'portrait',
  sees: true,
  sound: 3,
  codes: { identity: 4, emotion: 2, pose: 3 },
  width: 5,
  face: 6,
  mapping: { layers: 2, rate: 1 },
};
const codes = () => ({ sound: random(2, 3), identity: random(2, 4), emotion: random(2, 2), pose: random(2, 3) });
/** Codes of what is to be made, and of the portrait that it is made of. */
const told = () => ({ ...codes(), portrait: { emotion: random(2, 2), pose: random(2, 3) } });

test('a portrait comes from where its pixels are fetched, and from made ones where they are not believed', () => {
  scope(() => {
    const portrait = random(1, 3, 4, 4);
    const layers = (x: number, y: number, logit: number): Tensor =>
      cat([zeros([1, 3, 4, 4]), ...[x, y, logit].map((value) => full([1, 1, 4, 4], value))], 1);
    const near = (a: Tensor, b: Tensor): void => assert.ok(a.sub(b).abs().max().item() < 1e-5);
    near(moved(portrait, layers(0, 0, 40)).pictures, portrait);
    // A pixel to the right is half of the picture's half; the last column stays.
    const right = cat([portrait.narrow(3, 1, 3), portrait.narrow(3, 3, 1)], 3);
    const { pictures, places } = moved(portrait, layers(0.5, 0, 40));
    near(pictures, right);
    near(places!.select(1, 0).select(1, 0), tensor([-0.75 + 0.5, -0.75]));
    near(moved(portrait, layers(0, 0, -40)).pictures, zeros([1, 3, 4, 4]));
    near(moved(portrait, layers(0, 0, 0)).pictures, portrait.mul(1 / (1 + Math.exp(-2))));
  });
});

test('a talking head is one and the same in the same codes, and every code changes it', () => {
  scope(() => {
    const [portrait, all] = [random(2, 3, 8, 8), told()];
    for (const form of ['picture', 'portrait'] as const) {
      const generator = new TalkingGenerator({ ...shape, form });
      const given = form === 'portrait' ? portrait : null;
      const picture = generator.forward(all, given);
      assert.deepEqual(picture.shape, [2, 3, 8, 8]);
      assert.deepEqual(generator.forward(all, given).tolist(), picture.tolist());
      const changes = (name: string, other: TalkingCodes): void =>
        assert.ok(generator.forward(other, given).sub(picture).abs().max().item() > 1e-4, `${form}: ${name}`);
      for (const name of ['sound', 'identity', 'emotion', 'pose'] as const)
        changes(name, { ...all, [name]: all[name].add(1) });
      if (form === 'portrait')
        for (const name of ['emotion', 'pose'] as const)
          changes(`the portrait's ${name}`, {
            ...all,
            portrait: { ...all.portrait, [name]: all.portrait[name].add(1) },
          });
    }
  });
});

test('what is made hangs on the portrait that is seen; frames in turn may be of one', () => {
  scope(() => {
    const [portraits, all] = [random(1, 3, 8, 8), told()];
    const both = portraits.repeatInterleave(2, 0);
    const generator = new TalkingGenerator(shape);
    const maps = generator.portrait!.forward(portraits);
    assert.deepEqual(
      maps.map(({ shape: sizes }) => sizes),
      [
        [1, 6, 4, 4],
        [1, 5, 8, 8],
      ],
    );
    const apart = generator.forward(all, portraits, 2).sub(generator.forward(all, both));
    assert.ok(apart.abs().max().item() < 1e-5);
    const blind = new TalkingGenerator({ ...shape, sees: false });
    assert.equal(blind.portrait, null);
    const colours = (of: TalkingGenerator, portrait: Tensor): Tensor => {
      const share = 1 / (1 + Math.exp(-2));
      return of
        .forward(all, portrait)
        .sub(portrait.mul(share))
        .div(1 - share);
    };
    const changed = (of: TalkingGenerator): number => colours(of, both).sub(colours(of, both.neg())).abs().max().item();
    assert.ok(changed(generator) > 1e-3 && changed(blind) < 1e-5);
    generator.forward(all, both).square().sum().backward();
    for (const parameter of generator.portrait!.parameters()) assert.ok(parameter.grad!.abs().sum().item() > 0);
    assert.throws(() => generator.forward(codes(), both), /Expected the codes of the portrait that is seen/);
  });
});

test('before anything is learnt a portrait stays where it is', () => {
  scope(() => {
    const generator = new TalkingGenerator({ ...shape, sees: false });
    const portrait = random(2, 3, 8, 8);
    const { pictures, places } = generator.make(codes(), portrait);
    // Of colours that are made there is what is not believed: the same everywhere.
    const share = 1 / (1 + Math.exp(-2));
    const colours = generator.forward(codes());
    const still = portrait.mul(share).add(colours.mul(1 - share));
    assert.ok(pictures.sub(still).abs().max().item() < 1e-5);
    assert.ok(
      places!
        .sub(moved(portrait, zeros([2, 6, 8, 8])).places!)
        .abs()
        .max()
        .item() < 1e-6,
    );
  });
});

test('whitened codes have a mean of 0, and numbers that say nothing of each other', () => {
  scope(() => {
    const rows = random(400, 3)
      .matmul(tensor([1, 0.5, 0.2, 0, 0.1, 0.3, 0, 0, 0.05]).reshape([3, 3]))
      .add(4);
    const whitening = new Whitening(3);
    assert.deepEqual(whitening.forward(rows).tolist(), rows.tolist());
    whitening.fit(rows);
    const white = whitening.forward(rows).to({ dtype: 'float64' });
    const covariance = white.t().matmul(white).div(400);
    assert.ok(white.mean(0).abs().max().item() < 1e-3);
    assert.ok(
      covariance
        .sub(tensor([1, 0, 0, 0, 1, 0, 0, 0, 1]).reshape([3, 3]))
        .abs()
        .max()
        .item() < 0.02,
    );
    // What is the same in all rows stays at nothing.
    const same = new Whitening(2);
    const flat = cat([random(50, 1), full([50, 1], 3)], 1);
    same.fit(flat);
    assert.ok(same.forward(flat).select(1, 1).abs().max().item() < 1e-3);
  });
});

test('where pixels are fetched is learnt within some steps, by what the codes say', () => {
  scope(() => {
    manualSeed(3);
    const generator = new TalkingGenerator(shape);
    const [portrait, all] = [random(2, 3, 8, 8), told()];
    // One frame is to be fetched from the right, the other from below.
    const meant = tensor([0.3, 0, 0, 0.3]).reshape([2, 1, 1, 2]);
    const still = moved(portrait, zeros([2, 6, 8, 8])).places!;
    const optimizer = new Adam(generator.parameters(), { lr: 5e-3, betas: [0, 0.99] });
    const losses = Array.from({ length: 40 }, () =>
      scope(() => {
        const loss = generator.make(all, portrait).places!.sub(still.add(meant)).abs().mean();
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss.item();
      }),
    );
    assert.ok(Math.abs(losses[0]! - 0.15) < 1e-4, `${losses[0]}`);
    assert.ok(losses.at(-1)! < 0.05, `${losses.at(-1)}`);
  });
});

test('what is heard moves a portrait where it has a mouth, and the turning head takes that along', () => {
  scope(() => {
    manualSeed(5);
    const style = { size: 32, channels: 8, budget: 64, style: 4 };
    const seen = new PortraitMaps(style);
    const flow = new PortraitFlow(style, 3, 2);
    // Mouths are squares, one to the left, one to the right; each of four frames opens its own by what is heard.
    const mouth = zeros([2, 1, 32, 32]);
    mouth.narrow(0, 0, 1).narrow(2, 16, 12).narrow(3, 0, 12).fill_(1);
    mouth.narrow(0, 1, 1).narrow(2, 16, 12).narrow(3, 20, 12).fill_(1);
    const [still, heard] = [zeros([8, 3]), random(8, 2)];
    const portraits = mouth.expand([2, 3, 32, 32]);
    const meant = mouth
      .repeatInterleave(4, 0)
      .mul(heard.narrow(1, 0, 1).reshape([8, 1, 1, 1]))
      .mul(0.1);
    const ways = (): Tensor => flow.forward(still, heard, seen.forward(portraits), 4);
    assert.equal(ways().abs().max().item(), 0);
    const optimizer = new Adam([...seen.parameters(), ...flow.parameters()], { lr: 2e-2 });
    for (let step = 0; step < 150; step++)
      scope(() => {
        const [across, down] = ways().split([1, 1], 1) as [Tensor, Tensor];
        const loss = down.sub(meant).abs().mean().add(across.abs().mean());
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
      });
    // In the middle of either place: the own mouth does as is heard, and where there is none nothing moves.
    const opened = ways().select(1, 1).narrow(1, 20, 4).mean(1);
    const wanted = meant.select(1, 0).narrow(1, 20, 4).mean(1);
    for (const from of [4, 24]) assert.ok(opened.sub(wanted).narrow(1, from, 4).abs().max().item() < 0.01, `${from}`);
    // A head that is fetched from four pixels to the right has its mouth four pixels to the left.
    const { weight, bias } = flow.turn;
    noGrad(() => init.zeros_(bias!));
    const before = ways();
    noGrad(() => init.ones_(weight.narrow(0, 0, weight.shape[0]! / 2).narrow(1, 0, 1)));
    const byOne = flow.turn
      .forward(tensor([[1, 0, 0]]))
      .select(1, 0)
      .item();
    const turned = tensor([[0.25 / byOne, 0, 0]]).expand([8, 3]);
    const after = flow.forward(turned, heard, seen.forward(portraits), 4);
    const [there, here] = [after.narrow(1, 1, 1).narrow(3, 0, 24), before.narrow(1, 1, 1).narrow(3, 4, 24)];
    assert.ok(there.sub(here).abs().max().item() < 1e-3);
  });
});

test("encoders are torchvision's ResNets but for the last layer: keys, and what they tell", () => {
  scope(() => {
    for (const [depth, make] of [
      [18, resnet18],
      [50, resnet50],
    ] as const) {
      const encoder = new FaceEncoder({ depth, width: 64 }, 7, { device: 'meta' });
      const keys = [...encoder.stateDict()].map(([key, value]) => `${key} ${key.startsWith('fc') ? '' : value.shape}`);
      const theirs = make({ classes: 9, smallInput: false }).layers.flatMap(({ prefix, build }) =>
        [...build({ device: 'meta' }).stateDict(prefix === '' ? '' : `${prefix}.`)].map(
          ([key, value]) => `${key} ${key.startsWith('fc') ? '' : value.shape}`,
        ),
      );
      assert.deepEqual(keys, theirs);
    }
    const spec = resnet18({ classes: 7, imageSize: 64, smallInput: false });
    const model = buildModel(spec, { seed: 3 }).eval();
    const encoder = new FaceEncoder({ depth: 18, width: 64 }, 7).eval();
    encoder.loadStateDict(model.stateDict());
    const x = tensor(
      Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i)),
      { shape: [1, 3, 64, 64] },
    );
    noGrad(() => assert.deepEqual(encoder.forward(x).tolist(), (model.forward(x) as Tensor).tolist()));
  });
});
