// Stages on a CUDA device. They skip without one; scripts/test-cuda.sh runs them where there is one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functional, Linear } from 'headrace/nn';
import { buildInfo, Generator, Queue, randn, scope } from 'headrace/torch';
import { finish, readCheckpointJson } from './fixture.js';
import { folders } from './folders.js';

const folder = folders();
const { cudaDevices } = buildInfo();
const needsCuda = { skip: cudaDevices > 0 ? false : 'libtorch sees no CUDA device' };
const device = 'cuda:0';

test('a step on a device computes what the CPU computes', needsCuda, () => {
  scope(() => {
    const layer = new Linear(64, 8);
    const x = randn([32, 64], { generator: new Generator(1) });
    const gradients = ['cpu', device].map((where) => {
      layer.to({ device: where });
      for (const parameter of layer.parameters()) parameter.grad = null;
      functional
        .gelu(layer.forward(x.to({ device: where })))
        .pow(2)
        .mean()
        .backward();
      return [...layer.parameters()].map((parameter) => parameter.grad!.to({ device: 'cpu' }));
    });
    for (const [i, exact] of gradients[0]!.entries()) {
      assert.ok(exact.sub(gradients[1]![i]!).abs().max().item() < 1e-4 * (1 + exact.abs().max().item()));
    }
  });
});

test('tensors of a device pass a queue where they are', needsCuda, () => {
  const queue = Queue.create<null>(1);
  scope(() => {
    queue.put({ meta: null, tensors: [randn([4]).to({ device })] });
    assert.equal(queue.get().tensors[0]!.device, device);
  });
  queue.destroy();
});

test('a queue between threads with streams of their own hands over what is whole', needsCuda, async () => {
  const inTurns = await finish({ steps: 8, schedule: 'sequential', devices: [device] });
  const atOnce = await finish({ steps: 8, devices: [device], faults: { delayMs: 5 } });
  const losses = ({ events }: typeof inTurns, stage: number): number[] =>
    events.flatMap((event) => (event.type === 'step' && event.stage === stage ? [event.loss!] : []));
  for (const stage of [0, 1])
    for (const [i, loss] of losses(inTurns, stage).entries())
      assert.ok(Math.abs(loss - losses(atOnce, stage)[i]!) < 1e-3 * loss, `stage ${stage}, step ${i + 1}`);
});

for (const schedule of ['ppll', '1f1b', 'bp'] as const) {
  test(
    `${schedule} with its stages on one device learns as on the CPU, and leaves a checkpoint that the CPU goes on from`,
    needsCuda,
    async () => {
      const out = folder();
      const change = {
        schedule,
        stages: schedule === 'bp' ? 1 : 2,
        microbatches: schedule === 'ppll' ? 1 : 2,
        steps: 6,
      } as const;
      const [cpu, cuda] = [await finish(change), await finish({ ...change, devices: [device], out })];
      const [first, other] = [cpu, cuda].map(({ events }) =>
        events.flatMap((event) => (event.type === 'step' && event.step === 1 ? [event.loss!] : [])),
      );
      for (const [i, loss] of first!.entries())
        assert.ok(Math.abs(loss - other![i]!) < 1e-3 * loss, `${first} ${other}`);
      await finish({ ...change, steps: 8, out }, { resume: true });
      assert.equal(readCheckpointJson(out).step, 8);
    },
  );
}
