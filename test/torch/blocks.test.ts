// The allocator of large tensors: what is freed serves the next of its size, and nothing grows beyond what was in use.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { emptyCache, full, memoryStats, Queue, scope, type Tensor, zeros } from 'headrace/torch';
import { withPeers } from './peer.js';

const MB = 2 ** 20;
const megabytes = (count: number): Tensor => zeros([Math.round(count * MB)], { dtype: 'uint8' });
const linux = process.platform === 'linux' ? {} : { skip: 'Linux alone' };

/** Makes tensors of so many megabytes, all alive at once, and frees them. */
const step = (sizes: readonly number[]): void => scope(() => void sizes.map(megabytes));

test('the same sizes again need no more memory, in whichever order', linux, () => {
  emptyCache();
  step([8, 8, 4, 2, 1]);
  const { allocated, reserved } = memoryStats();
  assert.ok(reserved - allocated >= 23 * MB);
  for (const sizes of [
    [1, 2, 4, 8, 8],
    [8, 1, 8, 2, 4],
  ]) {
    step(sizes);
    assert.equal(memoryStats().reserved, reserved);
  }
  // A size that is nearly one of them takes its block.
  step([7.9]);
  assert.equal(memoryStats().reserved, reserved);
  emptyCache();
  assert.equal(memoryStats().reserved, memoryStats().allocated);
});

test('sizes that come no longer make room for those that do', linux, () => {
  emptyCache();
  for (const size of [1, 1.3, 1.6, 2.1, 2.7, 3.3]) step(Array.from({ length: Math.floor(200 / size) }, () => size));
  const { reserved, peak } = memoryStats();
  assert.ok(reserved <= peak + peak / 8 + 32 * MB, `${reserved / MB} MB are reserved of ${peak / MB} in use at most`);
  emptyCache();
});

test('sizes that change from step to step are served by larger blocks, and no pages are given back', linux, () => {
  emptyCache();
  const sizes = Array.from({ length: 12 }, (_, i) => 4 + i / 3);
  const cycle = (): void => {
    for (const size of sizes) step(Array.from({ length: 10 }, () => size));
  };
  cycle();
  const before = process.resourceUsage().minorPageFault;
  cycle();
  const touched = (process.resourceUsage().minorPageFault - before) * 4096;
  const asked = sizes.reduce((sum, size) => sum + 10 * size, 0) * MB;
  assert.ok(touched < asked / 10, `${touched / MB} MB came from the kernel, of ${asked / MB} that were asked for`);
  const { reserved, peak } = memoryStats();
  assert.ok(reserved <= peak + peak / 8 + 32 * MB, `${reserved / MB} MB are reserved of ${peak / MB} in use at most`);
  emptyCache();
});

test('kinds of work that take turns keep their pages, though together they would need more', linux, () => {
  emptyCache();
  const large = Array.from({ length: 10 }, () => 20);
  const small = Array.from({ length: 90 }, () => 1.1);
  const cycle = (): void => {
    step(large);
    step(small);
    step([...small, 40, 30]);
  };
  cycle();
  const before = process.resourceUsage().minorPageFault;
  for (let k = 0; k < 3; k++) cycle();
  const touched = (process.resourceUsage().minorPageFault - before) * 4096;
  assert.ok(touched < 100 * MB, `${touched / MB} MB came from the kernel in three turns`);
  const { reserved, peak } = memoryStats();
  assert.ok(reserved <= peak + peak / 8 + 32 * MB, `${reserved / MB} MB are reserved of ${peak / MB} in use at most`);
  emptyCache();
  assert.equal(memoryStats().reserved, memoryStats().allocated);
});

test('blocks are their tensors’ own: none is given to two, and each keeps its numbers', () => {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (1103515245 * seed + 12345) % 2147483648;
    return seed % below;
  };
  // Large enough that the room is taken, so that blocks are split, joined and given back, too.
  scope(() => {
    const alive: { x: Tensor; value: number }[] = [];
    for (let i = 0; i < 250; i++) {
      if (alive.length < 12 || random(2) === 0) {
        const [count, value] = [1 + random(2_000_000), 1 + random(100)];
        alive.push({ x: full([count], value), value });
      } else {
        const [{ x, value }] = alive.splice(random(alive.length), 1) as [(typeof alive)[number]];
        const range = scope(() => [x.min().item(), x.max().item()]);
        assert.deepEqual(range, [value, value]);
        x.dispose();
      }
    }
  });
});

test('what one thread frees serves another', linux, () =>
  withPeers(1, async (peer) => {
    emptyCache();
    const before = memoryStats().allocated;
    const queue = Queue.create<null>(1);
    scope(() => queue.put({ meta: null, tensors: [megabytes(16)] }));
    assert.equal(memoryStats().allocated, before + 16 * MB);
    await peer.tell({ do: 'drop', queue: queue.id });
    queue.destroy();
    const { allocated, reserved } = memoryStats();
    assert.equal(allocated, before);
    step([16]);
    assert.equal(memoryStats().reserved, reserved);
  }),
);

test('a tensor that is too large for the machine is an error that says so', linux, () => {
  assert.throws(
    () => scope(() => zeros([2 ** 46], { dtype: 'uint8' })),
    /can't allocate memory: you tried to allocate/,
  );
});

test('HEADRACE_MALLOC=system leaves the allocator alone', () => {
  const program =
    "import { memoryStats, zeros } from 'headrace/torch'; const x = zeros([1e6]); console.log(JSON.stringify(memoryStats()), x.shape)";
  const env = { ...process.env, HEADRACE_MALLOC: 'system' };
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { env, encoding: 'utf8' });
  assert.match(said, /^\{"allocated":0,"reserved":0,"peak":0\}/);
});
