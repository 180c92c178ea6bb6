import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { arange, liveTensors, ones, Queue, scope, type Tensor, tensor, zeros } from 'headrace/torch';
import { withPeers } from './peer.js';

const closed = (message: RegExp) => ({ name: 'QueueError', code: 'QUEUE_CLOSED', message });
const late = (message: RegExp) => ({ name: 'QueueError', code: 'QUEUE_TIMEOUT', message });
/** Waits until so many threads wait at a queue. */
async function waiters(queue: Pick<Queue, 'stats'>, count: number): Promise<void> {
  while (queue.stats().waiting !== count) await sleep(5);
}
const item = (meta: unknown, ...tensors: (Tensor | null)[]) => ({ meta, tensors });

test('items arrive in order, with their meta and tensors', () => {
  const queue = Queue.create<unknown>(3);
  const metas = [{ epoch: 1, name: 'é', list: [1, null] }, null, 'text'];
  for (const meta of metas) queue.put(item(meta, tensor([1, 2]), null, arange(2)));
  for (const meta of metas) {
    const got = queue.get();
    assert.deepEqual(got.meta, meta);
    assert.deepEqual(
      got.tensors.map((t) => t?.tolist()),
      [[1, 2], undefined, [0, 1]],
    );
    assert.equal(got.tensors[2]?.dtype, 'int64');
  }
  queue.put(item(0));
  assert.deepEqual(queue.get().tensors, []);
});

test('a thousand items pass between two threads in order', async () => {
  await withPeers(1, async (peer) => {
    const queue = Queue.create<number>(2);
    const done = peer!.tell({ do: 'putAll', queue: queue.id, count: 1000 });
    for (let i = 0; i < 1000; i++) {
      scope(() => {
        const { meta, tensors } = queue.get(10_000);
        assert.equal(meta, i);
        assert.deepEqual(tensors[0]?.tolist(), [i, i + 1, i + 2]);
        assert.equal(tensors[1], null);
      });
    }
    await done;
    const stats = queue.stats();
    assert.deepEqual([stats.puts, stats.gets, stats.depth, stats.capacity], [1000, 1000, 0, 2]);
    assert.ok(stats.maxDepth <= 2);
  });
});

test('tensors pass by handle: both sides see the same memory', async () => {
  await withPeers(1, async (peer) => {
    const queue = Queue.create(1);
    const shared = zeros([1000, 1000]);
    queue.put(item(null, shared.index(0)));
    await peer!.tell({ do: 'fill', queue: queue.id, value: 7 });
    assert.equal(shared.index(0, 999).item(), 7);
    assert.equal(shared.index(1, 0).item(), 0);
  });
});

test('an item outlives the tensors that were put', () => {
  const queue = Queue.create(1);
  const before = liveTensors();
  scope(() => queue.put(item(null, ones([3]))));
  assert.equal(liveTensors(), before, 'what waits in a queue is held by the queue');
  assert.deepEqual(
    scope(() => queue.get().tensors[0]!.tolist()),
    [1, 1, 1],
  );
  assert.equal(liveTensors(), before);
});

test('put blocks while the queue is full, until a get', async () => {
  await withPeers(1, async (peer) => {
    const queue = Queue.create<string>(1);
    queue.put(item('first') as never);
    let done = false;
    const put = peer!.tell({ do: 'put', queue: queue.id, meta: 'second' }).then(() => {
      done = true;
    });
    await waiters(queue, 1);
    assert.equal(done, false);
    assert.equal(queue.stats().puts, 1);
    assert.equal(queue.get().meta, 'first');
    await put;
    assert.equal(queue.get().meta, 'second');
    assert.equal(queue.stats().maxDepth, 1);
    assert.ok(queue.stats().putWaitMs > 0);
  });
});

test('get blocks while the queue is empty, until a put', async () => {
  await withPeers(1, async (peer) => {
    const queue = Queue.create<number>(1);
    const got = peer!.tell({ do: 'get', queue: queue.id });
    await waiters(queue, 1);
    queue.put(item(5, tensor([1, 2])) as never);
    assert.deepEqual(await got, { meta: 5, values: [[1, 2]] });
    assert.ok(queue.stats().getWaitMs > 0);
    assert.equal(queue.stats().waiting, 0);
  });
});

test('time-outs say how long and for what', () => {
  const queue = Queue.create(1);
  assert.throws(() => queue.get(20), late(/stayed empty for 0\.02/));
  queue.put(item(1));
  assert.throws(() => queue.put(item(2), 20), late(/stayed full for 0\.02/));
  assert.equal(queue.get(0).meta, 1);
  const stats = queue.stats();
  assert.ok(stats.getWaitMs >= 19 && stats.putWaitMs >= 19);
  assert.deepEqual([stats.puts, stats.gets], [1, 1]);
});

test('while the process is suspended, no time-out passes', async () => {
  const program = `
    import { writeSync } from 'node:fs';
    import { Queue } from 'headrace/torch';
    const queue = Queue.create(1);
    const begun = process.hrtime.bigint();
    writeSync(1, 'waiting\\n');
    try { queue.get(1500); } catch ({ code }) { writeSync(1, [code, begun, process.hrtime.bigint()].join(' ')); }`;
  const milliseconds = (): number => Number(process.hrtime.bigint()) / 1e6; // of the machine, in every process
  for (let again = true; again; ) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const said = text(child.stdout);
      await once(child.stdout, 'data');
      const stopped = milliseconds();
      child.kill('SIGSTOP');
      await sleep(1800);
      const stood = milliseconds() - stopped;
      child.kill('SIGCONT');
      const [code, begun, ended] = (await said).split('\n')[1]!.split(' ') as [string, string, string];
      assert.equal(code, 'QUEUE_TIMEOUT');
      again = Number(ended) / 1e6 < stopped; // this process had no turn before
      const waited = (Number(ended) - Number(begun)) / 1e6;
      assert.ok(again || waited > stood + 1200, `${waited} ms, stopped for ${stood}`);
    } finally {
      child.kill('SIGKILL');
    }
  }
});

test('a closed queue takes no more, and gives what it has', () => {
  const queue = Queue.create(2);
  queue.put(item(1));
  queue.put(item(2));
  queue.close('the epoch ended');
  assert.equal(queue.stats().closed, true);
  assert.throws(() => queue.put(item(3)), closed(/the epoch ended/));
  assert.equal(queue.get().meta, 1);
  assert.equal(queue.get().meta, 2);
  assert.throws(() => queue.get(), closed(/the epoch ended/));
  queue.close('the first reason stays');
  assert.throws(() => queue.get(), closed(/the epoch ended/));
});

test('an abort wakes both sides at once, with its reason, and drops what waits', async () => {
  await withPeers(2, async (getter, putter) => {
    const [empty, full] = [Queue.create(1), Queue.create(1)];
    const before = liveTensors();
    scope(() => full.put(item(0, ones([10]))));
    const waiting = [
      getter!.tell({ do: 'get', queue: empty.id }),
      putter!.tell({ do: 'put', queue: full.id, meta: 1 }),
    ].map((promise) => promise.catch((error: unknown) => error));
    await Promise.all([waiters(empty, 1), waiters(full, 1)]);
    const start = performance.now();
    empty.abort('stage 1 failed');
    full.abort('stage 1 failed');
    for (const error of await Promise.all(waiting)) {
      assert.deepEqual(
        { ...(error as object), message: (error as Error).message },
        { name: 'QueueError', code: 'QUEUE_CLOSED', message: 'stage 1 failed' },
      );
    }
    assert.ok(performance.now() - start < 60_000);
    assert.throws(() => full.get(), closed(/stage 1 failed/));
    assert.equal(full.stats().depth, 0);
    assert.ok(liveTensors() <= before + 1, 'only the tensor that the putter made itself is left');
  });
});

test('destroying a queue wakes its waiters; its number is then unknown', async () => {
  await withPeers(1, async (peer) => {
    const queue = Queue.create(1);
    const got = peer!.tell({ do: 'get', queue: queue.id });
    await waiters(queue, 1);
    queue.destroy();
    await assert.rejects(got, closed(/^the queue was destroyed/));
    assert.throws(() => queue.stats(), closed(/no such queue/));
    queue.destroy();
  });
});

test('a tensor that requires grad is refused; its detached self passes', () => {
  const queue = Queue.create(1);
  const leaf = tensor([1], { requiresGrad: true });
  const refused = { name: 'QueueError', code: 'QUEUE_GRAD', message: /detach\(\) it first/ };
  assert.throws(() => queue.put(item(null, leaf)), refused);
  assert.throws(() => queue.put(item(null, ones([1]), leaf.mul(2))), refused);
  assert.equal(queue.stats().puts, 0);
  queue.put(item(null, leaf.detach()));
  assert.deepEqual(queue.get().tensors[0]?.tolist(), [1]);
});

test('live tensors are constant over many hand-offs', () => {
  const queue = Queue.create(2);
  const source = ones([4]);
  const before = liveTensors();
  for (let i = 0; i < 1000; i++) {
    scope(() => {
      queue.put(item(i, source, source.add(1)));
      queue.get();
    });
  }
  assert.equal(liveTensors(), before);
});

test('wrong capacities, time-outs, metas and tensors are refused', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => Queue.create(capacity), { name: 'ConfigError', message: /capacity >= 1, got/ });
  }
  const queue = Queue.create(1);
  for (const timeout of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => queue.get(timeout), { name: 'ConfigError', message: /time-out from 0 to/ });
    assert.throws(() => queue.put(item(1), timeout), { name: 'ConfigError' });
  }
  assert.throws(() => queue.put(item(undefined)), {
    name: 'ConfigError',
    message: /JSON value as meta, got undefined/,
  });
  const freed = ones([1]);
  freed.dispose();
  assert.throws(() => queue.put(item(1, freed)), { name: 'TorchError', code: 'FREED' });
});
