import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createServer, Socket } from 'node:net';
import { test } from 'node:test';
import { freePort, TCPStore } from 'headrace/distributed';
import { Network } from '../../bench/network.js';
import { begin, needsGloo, type Rank, runRanks, startRank } from './ranks.js';

interface Told {
  name: string;
  code: string;
  message: string;
  seconds: number;
}
const saidOf = async (rank: Rank): Promise<Told> => {
  const { said, errors } = await rank.ended;
  assert.ok(said.length > 0, errors);
  return said.at(-1) as Told;
};

for (const size of [2, 3]) {
  test(`${size} ranks reduce and broadcast as by hand`, needsGloo, async () => {
    const sum = (size * (size + 1)) / 2;
    const product = size === 2 ? 2 : 6;
    const values = [
      [sum, 10 * sum, 100 * sum],
      [size - 1, size - 1],
      [size, size, size],
      [product],
      [1, 1],
      [1 + size],
    ];
    for (const said of await runRanks('collectives', size)) {
      assert.deepEqual(JSON.parse(JSON.stringify(said[0]).replaceAll('true', '1').replaceAll('false', '0')), values);
    }
  });
}

test(
  'gradients are added up over ranks as by hand: one that a rank lacks, and those of a pass too many, too',
  needsGloo,
  async () => {
    const twice = (a: number, ...rest: number[]): number[][] => [[a], ...rest.map((x, i) => Array(i + 2).fill(x))];
    for (const said of await runRanks('buckets', 2)) {
      assert.deepEqual(said, [
        { again: false, gradients: twice(6, 12, 18) },
        { again: false, gradients: twice(2, 12, 18) },
        { again: true, gradients: twice(8, 16, 24) },
      ]);
    }
  },
);

test("ranks that srun and Kubernetes have started meet by these launchers' variables", needsGloo, async () => {
  const port = await freePort();
  const none = { RANK: '', WORLD_SIZE: '' };
  const slurm = {
    SLURM_PROCID: 0,
    SLURM_NTASKS: 2,
    SLURM_LOCALID: 0,
    SLURM_STEP_ID: 0,
    SLURM_STEP_NODELIST: '127.0.0.1',
  };
  const kubernetes = { PET_NNODES: 2, PET_NODE_RANK: 1, PET_MASTER_ADDR: '127.0.0.1', PET_MASTER_PORT: port };
  const ranks = [slurm, kubernetes].map((env, rank) => startRank('collectives', rank, 2, port, { ...none, ...env }));
  for (const { ended } of ranks) {
    const { said, code, errors } = await ended;
    assert.equal(code, 0, errors);
    assert.deepEqual((said[0] as unknown[])[0], [3, 30, 300]);
  }
});

test('two ranks that send to each other at once do not wait for ever', needsGloo, async () => {
  const [zero, one] = await runRanks('exchange', 2);
  assert.deepEqual(
    [zero?.[0], one?.[0]],
    [
      [2 << 20, 1, 2 << 20],
      [1 << 20, 0, 1 << 20],
    ],
  );
});

/** Disturbs the target of a world once all have joined. @returns what the others are told */
async function disturbed(
  part: string,
  size: number,
  target: number,
  disturb: (victim: Rank, port: number, others: readonly Rank[]) => void | Promise<void>,
): Promise<Told[]> {
  const port = await freePort();
  const ranks = Array.from({ length: size }, (_, rank) => startRank(part, rank, size, port, { TARGET: target }));
  try {
    await Promise.all(ranks.map(({ says }) => says('joined')));
    const others = ranks.filter((_, rank) => rank !== target);
    await disturb(ranks[target]!, port, others);
    await Promise.all(others.map(({ says }) => says('told')));
    for (const { child } of ranks) child.kill('SIGKILL');
    const said = await Promise.all(others.map(({ ended }) => ended));
    return said.map((each) => each.said.at(-2) as Told);
  } finally {
    for (const { child } of ranks) child.kill('SIGKILL');
  }
}

const waitFor = (
  size: number,
  target: number,
  disturb: (victim: ChildProcess, port: number) => void,
): Promise<Told[]> => disturbed('waiting', size, target, ({ child }, port) => disturb(child, port));

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`a rank that gets ${signal} is named by those that wait for it, or reduce`, needsGloo, async () => {
    let told = await waitFor(3, 2, (victim) => victim.kill(signal));
    // It may have been in the middle of a question to the store, whose server serves nobody then: that is a test of its own.
    for (let tries = 1; tries < 4 && told.some(({ message }) => halfAsked.test(message)); tries++) {
      told = await waitFor(3, 2, (victim) => victim.kill(signal));
    }
    for (const { name, code, message } of told) {
      assert.deepEqual([name, code], ['RankError', 'RANK_LOST']);
      assert.match(message, signal === 'SIGKILL' ? /rank 2/ : /rank 2 has not been heard of for 4 s/);
    }
  });
}

test(
  'where a rank is killed, those that turn to it later hear of it, once a border is full or closed',
  needsGloo,
  async () => {
    const told = (await disturbed('later', 3, 2, async (victim, _, others) => {
      victim.child.kill('SIGKILL');
      await victim.ended;
      for (const { child } of others) child.stdin!.end();
    })) as (Told & { passed: number })[];
    for (const { name, code, message } of told) {
      assert.deepEqual([name, code], ['RankError', 'RANK_LOST']);
      assert.match(message, /^the connection to rank 2 is lost|^rank 2 has not been heard of for 4 s/);
    }
    // Until Gloo has seen the end of the connection, messages are as good as on their way, as far as the border holds them.
    assert.ok(told[0]!.passed <= 3, `${told[0]!.passed} of a border of 3`);
  },
);

test('where the rank that keeps the store is stopped or killed, the others say so', needsGloo, async () => {
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    for (const { code, message } of await waitFor(2, 0, (victim) => victim.kill(signal))) {
      assert.equal(code, 'RANK_LOST');
      assert.match(message, /rank 0/);
    }
  }
});

test('ranks that hear of each other by the store, but are cut from each other, say so', needsGloo, async (t) => {
  const network = await Network.open();
  if (network === null) return t.skip('network namespaces need a privileged user and ip');
  const ranks = [0, 1].map((rank) => {
    const env = { MASTER_ADDR: network.host, GLOO_SOCKET_IFNAME: network.second(rank) };
    return startRank('waiting', rank, 2, network.port, env, network.on(rank));
  });
  try {
    await Promise.all(ranks.map(({ says }) => says('joined')));
    network.cutSecond();
    await ranks[0]!.says('told');
    ranks[0]!.child.kill('SIGKILL');
    const { code, message } = (await ranks[0]!.ended).said.at(-2) as Told;
    assert.equal(code, 'RANK_LOST');
    assert.match(
      message,
      /^the connection to rank 1 is lost .*: its machine does not answer, the network between the two is cut/,
    );
  } finally {
    for (const { child } of ranks) child.kill('SIGKILL');
    network.close();
  }
});

const halfAsked =
  /^the store at 127\.0\.0\.1:\d+, which .* in the middle of a question to it, was stopped or is cut off/;

test('a store that one has asked half a question blames others than its keeper, too', needsGloo, async () => {
  const asking = new Socket();
  try {
    const told = await waitFor(3, 2, (_, port) => {
      asking.connect(port, '127.0.0.1', () => asking.write(Buffer.from([0])));
    });
    for (const { code, message } of told) {
      assert.equal(code, 'RANK_LOST');
      assert.match(message, halfAsked);
    }
    assert.match(told[0]!.message, /which this rank keeps, .*: another rank, in the middle/);
    assert.match(told[1]!.message, /which rank 0 or its launcher keeps, .*: it, or a rank in the middle/);
  } finally {
    asking.destroy();
  }
});

test('a rank that fails tells the others why', needsGloo, async () => {
  const said = await runRanks('failing', 2);
  const { code, message } = said[0]![0] as Told;
  assert.deepEqual([code, message], ['RANK_LOST', 'rank 1: the disk is full']);
});

test('a process ends well with transfers outstanding', needsGloo, async () => {
  const port = await freePort();
  const ranks = [0, 1].map((rank) => startRank('outstanding', rank, 2, port));
  for (const { ended } of ranks) {
    const { code, signal, errors } = await ended;
    assert.deepEqual([code, signal], [0, null], errors);
  }
});

test('what cannot be sent is refused by name', needsGloo, async () => {
  const [said] = await runRanks('refused', 2);
  const messages = (said![0] as Told[]).map(({ message }) => message);
  const patterns = [
    /another rank of 0 to 1, got 0 in rank 0/,
    /another rank of 0 to 1, got 5 in rank 0/,
    /capacity >= 1, got 0/,
    /contiguous tensors on the CPU, got Tensor\(float32\[3, 2\]\)/,
    /requires grad cannot pass a border/,
    /this end of the border sends/,
  ];
  for (const [k, pattern] of patterns.entries()) assert.match(messages[k] ?? '', pattern);
});

test('a rank that never comes is named within the time-out', needsGloo, async () => {
  const port = await freePort();
  const ranks = [0, 2].map((rank) => startRank('joining', rank, 4, port, { JOIN_MS: 3000 }));
  await begin(ranks);
  for (const [k, each] of ranks.entries()) {
    const { name, message, seconds } = await saidOf(each);
    assert.equal(name, 'RankError');
    assert.match(message, new RegExp(`^rank ${2 * k}: `));
    // Rank 2 may come when it is too late for rank 0.
    if (k === 0) assert.match(message, /for ranks 1, (2, )?3 of 4 at 127.0.0.1:\d+, which never came/);
    assert.ok(seconds < 30, `${seconds}`);
  }
});

test('without its master a rank says so within the time-out', needsGloo, async () => {
  const rank = startRank('joining', 1, 2, await freePort(), { HEADRACE_TIMEOUT: 2, JOIN_MS: '' });
  await begin([rank]);
  const { message, seconds } = await saidOf(rank);
  assert.match(
    message,
    /^rank 1: waited 2 s for the master: nothing answers at 127\.0\.0\.1:\d+ \(.*Is rank 0 running, and 127\.0\.0\.1:\d+ its address/,
  );
  assert.ok(seconds < 30, `${seconds}`);
});

test('where the port is taken, rank 0 says so and the others do not hang', needsGloo, async () => {
  const server = createServer((socket) => socket.resume()); // what is not read keeps its connection, and this process
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  try {
    const ranks = [0, 1].map((rank) => startRank('joining', rank, 2, port, { JOIN_MS: 4000 }));
    await begin(ranks);
    const [zero, one] = await Promise.all(ranks.map(saidOf));
    assert.match(zero!.message, /^rank 0: port \d+ is taken by another program .*choose another MASTER_PORT/);
    assert.match(
      one!.message,
      /^rank 1: waited 4 s for the master: what listens at 127.0.0.1:\d+ does not answer as a store does/,
    );
    assert.ok(one!.seconds < 30, `${one!.seconds}`);
  } finally {
    server.close();
  }
});

test('an interface that is not there is named, with those that are', needsGloo, async () => {
  const rank = startRank('joining', 0, 2, await freePort(), { INTERFACE: 'eth77' });
  await begin([rank]);
  const { name, message } = await saidOf(rank);
  assert.equal(name, 'ConfigError');
  assert.match(message, /^rank 0: expected a network interface with an address, got 'eth77'; there are .*lo/);
});

test('worlds of different sizes are told', needsGloo, async () => {
  const port = await freePort();
  const ranks = [startRank('joining', 0, 2, port), startRank('joining', 1, 3, port)];
  await begin(ranks);
  assert.match((await saidOf(ranks[0]!)).message, /^rank 0: it was started in a world of 2, and rank 1 in one of 3/);
  ranks[1]!.child.kill('SIGKILL'); // it waits for rank 2
});

test('a rank that comes twice is told', needsGloo, async () => {
  const store = TCPStore.open({ host: '127.0.0.1', port: 0, serve: true });
  try {
    // It looks again until the time is over: the one before may be on its way out.
    const kept = { TORCHELASTIC_USE_AGENT_STORE: 'True', JOIN_MS: 4000 };
    const twice = [1, 1].map((rank) => startRank('joining', rank, 3, store.port, kept));
    await begin(twice);
    const said = await Promise.all(twice.map(saidOf));
    assert.equal(said.filter(({ message }) => /^rank 1: it was started twice/.test(message)).length, 1);
    assert.equal(said.filter(({ message }) => /^rank 1: waited .* for ranks 0, 2 of 3/.test(message)).length, 1);
  } finally {
    store.close();
  }
});
