/** A stage may have several optimizers and losses: a GAN behind a border learns as plain code has it learn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functional as F } from 'headrace/nn';
import { Adam } from 'headrace/optim';
import type { Wiring } from 'headrace/pipeline';
import { edgeLayer, FEED_CAPACITY, type FedNotice, Feed, LOADER } from 'headrace/pipeline';
import { cat, Generator, HeadraceError, randn, scope, type Tensor } from 'headrace/torch';
import { encoderLayers, ganLayers, rates } from './gan-program.js';

const steps = 120;
type Named = Readonly<Record<string, number | null>>;

function batches(): { x: Tensor; y: Tensor }[] {
  const generator = new Generator(7);
  return Array.from({ length: steps }, () => {
    const x = randn([16, 4], { generator });
    return {
      x,
      y: x
        .narrow(1, 0, 2)
        .mul(0.5)
        .add(x.narrow(1, 2, 2).tanh()),
    };
  });
}

/** All in one thread, without stages: what each step's losses were. */
function plain(): { encoder: Named[]; gan: Named[] } {
  const [{ encode, decode }, { generator, discriminator }] = [encoderLayers(), ganLayers()];
  const encoding = new Adam([...encode.parameters(), ...decode.parameters()], { lr: rates.encoder });
  const making = new Adam(generator.parameters(), { lr: rates.generator, betas: [0, 0.99] });
  const judging = new Adam(discriminator.parameters(), { lr: rates.discriminator, betas: [0, 0.99] });
  const told: { encoder: Named[]; gan: Named[] } = { encoder: [], gan: [] };
  for (const { x, y } of batches()) {
    const features = encode.forward(x).tanh();
    const loss = F.mseLoss(decode.forward(features), x);
    encoding.zeroGrad();
    loss.backward();
    const seen = features.detach();
    const made = generator.forward(seen);
    const judge = (of: Tensor): Tensor => discriminator.forward(cat([seen, of], 1));
    const judged = F.softplus(judge(made.detach()))
      .mean()
      .add(F.softplus(judge(y).neg()).mean());
    const [fooled, near] = [F.softplus(judge(made).neg()).mean(), F.l1Loss(made, y)];
    making.zeroGrad();
    fooled.add(near).backward();
    judging.zeroGrad(); // what came of the generator's losses
    judged.backward();
    for (const optimizer of [encoding, judging, making]) optimizer.step();
    told.encoder.push({ loss: loss.item() });
    const parts = { discriminator: judged.item(), adversarial: fooled.item(), pixels: near.item() };
    told.gan.push({ loss: fooled.add(near).item(), ...parts });
  }
  return told;
}

function wiring(): Wiring {
  const edge = edgeLayer();
  const source = edge('feed -> stage 0', LOADER, 0, FEED_CAPACITY);
  const border = edge('stage 0 -> stage 1', 0, 1, 2);
  const none = { gradientsIn: [], gradientsOut: [] };
  return {
    sources: [source],
    workers: [
      [{ index: 0, name: 'encoder', inputs: [source], outputs: [border], ...none }],
      [{ index: 1, name: 'gan', inputs: [border], outputs: [], ...none }],
    ],
  };
}

test('a stage with two optimizers and losses for each learns, behind a border, what plain code learns, to the last bit', async () => {
  const told: Named[][] = [[], []];
  const onNotice = (notice: FedNotice): void => {
    if (notice.kind !== 'event' || notice.event.type !== 'step') return;
    const { stage, loss, losses } = notice.event;
    told[stage]!.push(losses ?? { loss: loss! });
  };
  const job = {
    program: new URL('./gan-program.js', import.meta.url).href,
    config: { threads: 1 },
    timeoutMs: 60_000,
  };
  const errorOf = (message: string): HeadraceError => new HeadraceError(message);
  const feed = new Feed<FedNotice>({ wiring: wiring(), job, tensors: [] }, { last: 1, onNotice, errorOf });
  const whole = { kind: 'batch', split: 'train', epoch: 0, samples: 16, microbatch: 0, microbatches: 1 } as const;
  const all = batches();
  for (let step = 1; step <= steps; step++) {
    await feed.room();
    scope(() => {
      const { x, y } = all[step - 1]!;
      feed.batch([{ meta: { ...whole, step }, tensors: [x, y] }]);
    });
  }
  feed.control({ kind: 'stop', step: steps, reason: 'done' });
  await feed.ended();
  await feed.close();
  const { encoder, gan } = scope(plain);
  assert.deepEqual(told, [encoder, gan]);
  assert.ok(gan.at(-1)!.pixels! < 0.7 * gan[0]!.pixels!, 'it learns');
});
