// Stages in processes of their own learn what they learn in threads.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventsPath, type RunConfig, type RunEvent, type RunResult, readEvents } from 'headrace/pipeline';
import { Generator, rand, scope, tensor } from 'headrace/torch';
import { drawFaults, readWhole, runFaulted } from '../../bench/faulted.js';
import { Network } from '../../bench/network.js';
import { headrace, type Outcome } from '../cli/run.js';
import { needsGloo } from '../distributed/ranks.js';
import { differences, type Finished, finish, readCheckpointJson, readState, smallViT } from './fixture.js';
import { folders } from './folders.js';

type Kept = typeof import('../../dist/pipeline/kept.js');
type Stores = typeof import('../../dist/pipeline/message-store.js');
type Envelope = import('../../dist/pipeline/messages.js').Envelope;
const inner = <M>(name: string): Promise<M> => import(`../../../dist/pipeline/${name}.js`) as Promise<M>;
const { KeptMessages } = await inner<Kept>('kept');
const { MessageStore } = await inner<Stores>('message-store');

const program = fileURLToPath(new URL('./ranks-run.js', import.meta.url));
const folder = folders();

type Change = Partial<RunConfig> & { resume?: boolean; apart?: boolean };

const launch = (processes: number, change: Change): Promise<Outcome> =>
  headrace(['launch', '--standalone', '--processes', String(processes), '--', program, JSON.stringify(change)], {
    env: { OMP_NUM_THREADS: '1' },
  });

async function overRanks(processes: number, change: Change): Promise<Finished> {
  const out = change.out ?? folder();
  const { code, stdout, stderr } = await launch(processes, { ...change, out });
  assert.equal(code, 0, stderr);
  const { events, result } = JSON.parse(stdout) as { events: RunEvent[]; result: RunResult };
  return { events, result, state: readState(out) };
}

const stepLosses = ({ events }: Finished, stage: number): unknown[] =>
  events.flatMap((event) => (event.type === 'step' && event.stage === stage ? [event.loss] : []));

test(
  'ppll over 2 processes equals 2 threads bit for bit, with augmentation and a partial last batch',
  needsGloo,
  async () => {
    const out = folder();
    const change = { steps: 12, evalEvery: 1 };
    const [threads, ranks] = [await finish(change), await overRanks(2, { ...change, out })];
    assert.ok(threads.state.size > 100);
    assert.deepEqual(differences(threads.state, ranks.state), []);
    assert.deepEqual(ranks.result.metrics, threads.result.metrics);
    assert.deepEqual(ranks.result.best, threads.result.best);
    assert.ok([...ranks.state.keys()].some((key) => key.startsWith('best/')));
    for (const stage of [0, 1]) {
      assert.equal(stepLosses(ranks, stage).length, 12);
      assert.deepEqual(stepLosses(ranks, stage), stepLosses(threads, stage));
      assert.equal(readEvents(eventsPath(out, stage)).filter(({ type }) => type === 'step').length, 12);
    }
  },
);

test(
  '3 stages in 2 processes, under random delays, and a run that goes on without a shared folder: the same',
  needsGloo,
  async () => {
    const out = folder();
    const alone = folder();
    const threads = await finish({ stages: 3, steps: 9, out: alone });
    await overRanks(2, { stages: 3, steps: 9, out, faults: { delayMs: 4 }, checkpointEvery: 4 });
    assert.deepEqual(differences(threads.state, readState(out)), []);
    const longer = { stages: 3, steps: 14, evalEvery: 1 };
    const further = await finish({ ...longer, out: alone }, { resume: true });
    const resumed = await overRanks(3, { ...longer, out, resume: true, apart: true });
    assert.deepEqual(stepLosses(resumed, 2).length, 5);
    // Rank 0 has written what ranks 1 and 2 sent it: their parts and their events.
    assert.equal(readEvents(eventsPath(out, 2)).filter(({ type }) => type === 'step').length, 14);
    assert.deepEqual(differences(further.state, resumed.state), []);
  },
);

test('1f1b of a ViT over processes sends gradients back across borders', needsGloo, async () => {
  const vit = { model: smallViT, modelName: 'vit', cut: [2], head: { kind: 'linear' } } as const;
  const change = { ...vit, schedule: '1f1b', microbatches: 2, steps: 6 } as const;
  const [threads, ranks] = [await finish(change), await overRanks(2, change)];
  assert.deepEqual(differences(threads.state, ranks.state), []);
});

test('a stage that fails in another process stops all, and rank 0 says which', needsGloo, async () => {
  for (const stage of [0, 1]) {
    const { code, stdout, seconds } = await launch(2, { steps: 50, faults: { at: { stage, step: 4, kind: 'throw' } } });
    assert.equal(code, 1);
    const { message, stage: named } = JSON.parse(stdout.split('\n')[0]!) as { message: string; stage: number };
    assert.equal(message, `${stage === 1 ? 'rank 1: ' : ''}stage ${stage}, action ${stage}F0, step 4: injected fault`);
    assert.equal(named, stage);
    assert.ok(seconds < 60, `${seconds}`);
  }
});

test('bfloat16 between ranks rounds what crosses, and nothing else', needsGloo, async () => {
  const change = { steps: 6, batchSize: 11, wire: 'bfloat16' } as const;
  const [threads, ranks] = [await finish(change), await overRanks(2, change)];
  // The first stage learns by its own head: nothing that crosses comes back.
  const first = stepLosses(threads, 0);
  assert.deepEqual(stepLosses(ranks, 0), first);
  const [exact, rounded] = [threads, ranks].map((run) => stepLosses(run, 1) as number[]) as [number[], number[]];
  assert.ok(differences(threads.state, ranks.state).length > 20);
  // 8 bits of mantissa: one part in 256 of what comes in, and a loss that it moves by little.
  for (const [i, loss] of exact.entries()) assert.ok(Math.abs(rounded[i]! - loss) < 0.05 * loss, `${rounded} ${exact}`);
});

type FaultedRun = Parameters<typeof runFaulted>;

/** Runs with faults into a folder of its own; again where the run was over before this process had its turn to do them all. */
async function disturbed(words: FaultedRun[0], ranks: number, faults: FaultedRun[3], options: FaultedRun[4]) {
  for (let tries = 1; ; tries++) {
    const out = folder();
    const found = await runFaulted(
      words.map((word) => word.replaceAll('OUT', out)),
      out,
      ranks,
      faults,
      options,
    );
    if (found.waits.length === faults.length || found.code !== 0 || tries === 4) return { out, ...found };
  }
}

const small = ['resnet20', '--data', 'mnist', '--limit', '64', '--batch', '24', '--stages', '2', '--cut', '8'];
/** With a checkpoint after each step. */
const shortRun = [
  ...[
    'train',
    'resnet20',
    '--data',
    'mnist',
    '--limit',
    '24',
    '--batch',
    '8',
    '--stages',
    '2',
    '--cut',
    '8',
    '--steps',
    '30',
  ],
  ...['--eval-every', '0', '--threads', '1', '--checkpoint-every', '1'],
];
const onLaunch = ['launch', '--standalone', '--processes', '2', '--', 'train', ...small, '--threads', '1'];

test(
  'headrace launch gives the weights of headrace train, though ranks are killed and stopped',
  needsGloo,
  async () => {
    const threads = folder();
    const one = await headrace([...shortRun, '--out', threads]);
    assert.equal(one.code, 0, one.stderr);
    const faults = drawFaults(5, 2, { ranks: 2, steps: 11, lastMs: 60 });
    assert.deepEqual(
      faults.map(({ signal, rank }) => `${signal} ${rank}`),
      ['SIGSTOP 1', 'SIGKILL 0'],
    );
    // A rank that is only slow, on a busy machine, shall not be taken for lost.
    const run = await disturbed([...shortRun, '--out', 'OUT'], 2, faults, { patience: 5 });
    const { out, code, stdout, stderr, waits, left } = run;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^resnet20, ppll, 2 stage\(s\): 30 steps.*\nkept in .*\n$/);
    assert.equal(waits.length, 2, stderr);
    assert.match(stderr, /going on with .* after step \d+\n/);
    assert.deepEqual(left, []);
    assert.deepEqual(differences(readWhole(threads), readWhole(out)), []);
  },
);

test(
  'a rank that is killed is started again alone, first, middle or last: no batch is lost, the weights are the same',
  needsGloo,
  async () => {
    const change = { stages: 3, steps: 36, evalEvery: 2, checkpointEvery: 4 };
    const words = [program, JSON.stringify({ ...change, out: 'OUT', faults: { delayMs: 30 } })];
    const faults = [1, 2, 0].map((rank, i) => ({ signal: 'SIGKILL', rank, step: 4 + 8 * i, afterMs: 60 }) as const);
    // Patience with the launcher, which keeps the store: it may have no turn for a while.
    const run = await disturbed(words, 3, faults, { recovery: 'stage', patience: 10 });
    const { out, code, stdout, stderr, replaced, left } = run;
    assert.equal(code, 0, stderr);
    assert.deepEqual(replaced, [[1], [2], [0]], stderr);
    assert.match(stderr, /^headrace: rank 1 ended by SIGKILL; starting it again, restart 1 of 3$/m);
    assert.deepEqual(left, []);
    const threads = await finish(change);
    assert.deepEqual(differences(threads.state, readState(out)), []);
    const { result } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { result: RunResult };
    assert.deepEqual([result.metrics, result.best], [threads.result.metrics, threads.result.best]);
    assert.ok(!existsSync(join(out, 'kept')));
  },
);

test('a rank that is cut from the network comes back to the others, which go on', needsGloo, async (t) => {
  const network = await Network.open();
  if (network === null) return t.skip('network namespaces need a privileged user and ip');
  try {
    const [threads, out] = [folder(), folder()];
    const one = await headrace([...shortRun, '--out', threads]);
    assert.equal(one.code, 0, one.stderr);
    const faults = [0, 1].map((rank, i) => ({ signal: 'cut', rank, step: 4 + 12 * i, afterMs: 20 }) as const);
    const options = { network, recovery: 'stage', patience: 2 } as const;
    const { code, stderr, left, waits } = await runFaulted([...shortRun, '--out', out], out, 2, faults, options);
    assert.equal(code, 0, stderr);
    assert.equal(waits.length, 2, stderr);
    assert.doesNotMatch(stderr, /all ranks again/);
    assert.deepEqual(left, []);
    assert.deepEqual(differences(readWhole(threads), readWhole(out)), []);
  } finally {
    network.close();
  }
});

test('what an edge keeps comes back as it was, on disk too, and is let go of once nobody will ask for it', () => {
  const parent = folder();
  const at = join(parent, 'edge');
  const store = new MessageStore(at, 4096);
  const kept = new KeptMessages<Envelope>(0, (envelope) => store.keep(envelope));
  const batch = (step: number): Envelope => {
    const meta = { kind: 'batch', split: 'train', step, epoch: 0, samples: 2, microbatch: 0, microbatches: 1 } as const;
    const x = rand([2, 3, 8, 8], { generator: new Generator(step) }).contiguous({ memoryFormat: 'channelsLast' });
    return { meta, tensors: [x, rand([4, 2], { generator: new Generator(step) }).t(), tensor([step, -1])] };
  };
  const shown = ({ meta, tensors }: Envelope) => [
    meta,
    ...tensors.map((x) => [x.dtype, x.shape, x.shape.map((_, dim) => Number(x.stride(dim))), [...x.bytes()]]),
  ];
  scope(() => {
    for (const step of [1, 2, 3, 4, 5]) {
      kept.add(batch(step));
      if (step % 2 === 0) kept.add({ meta: { kind: 'checkpoint', step, epoch: 0 }, tensors: [] });
    }
  });
  assert.equal(readdirSync(at).length, 3);
  const places = [1, 2, 3, 4, 5].map((step) => ({ marker: step > 4 ? 4 : step > 2 ? 2 : 0, count: (step - 1) % 2 }));
  for (const [i, place] of places.entries()) scope(() => assert.deepEqual(shown(kept.at(place)), shown(batch(i + 1))));
  for (const committed of [2, 4]) kept.trim(committed, kept.end);
  assert.deepEqual([kept.reaches({ marker: 0, count: 1 }), kept.reaches({ marker: 2, count: 0 })], [false, true]);
  kept.trim(6, kept.end);
  assert.equal(readdirSync(at).length, 1);
  assert.throws(() => kept.at(places[0]!), /expected a message at .*"marker":0/);
});

test('recovery by stage says what it needs, and what another start of a rank does not mend', needsGloo, async () => {
  const words = ['launch', '--standalone', '--processes', '2', '--recovery', 'stage'];
  const broken = { checkpointEvery: 2, out: folder(), faults: { at: { stage: 1, step: 4, kind: 'throw' } } };
  const ended = await headrace([...words, '--restarts', '1', '--', program, JSON.stringify(broken)]);
  assert.match(ended.stdout, /"message":"rank 1: stage 1, action 1F0, step 4: injected fault"/);
  const said = ended.stderr.trim().split('\n');
  assert.match(said[0]!, /^headrace: rank [01] ended with code 1(; ending the others)?$/); // which may have ended, too
  assert.equal(said[1], 'headrace: starting all ranks again, restart 1 of 1');
  const change = { schedule: '1f1b', microbatches: 2, patience: 2, evalEvery: 1, out: folder() };
  const { code, stdout } = await headrace([...words, '--restarts', '2', '--', program, JSON.stringify(change)]);
  assert.equal(code, 1);
  const { message } = JSON.parse(stdout.split('\n')[0]!) as { message: string };
  assert.match(
    message,
    /expected the schedule ppll, got 1f1b: .*; and checkpointEvery .*; and no patience: .* Or leave it out/,
  );
  const without = await headrace([...words, '--', program, '{}']);
  assert.match(without.stderr, /expected --restarts N with --recovery stage/);
});

test('Ctrl-C on the launcher ends a run over ranks with a checkpoint', needsGloo, async () => {
  const out = folder();
  const args = [...onLaunch, '--steps', '100000', '--checkpoint-every', '2', '--out', out];
  const { code, stderr } = await headrace(args, {
    whenStarted: (child) => {
      const poll = setInterval(() => {
        if (!existsSync(join(out, 'checkpoint', 'state.json'))) return;
        clearInterval(poll);
        child.kill('SIGINT');
      }, 30);
    },
  });
  assert.equal(code, 130, stderr);
  const [, stopped] = /stopped after step (\d+); checkpoint in/.exec(stderr)!;
  assert.equal(readCheckpointJson(out).step, Number(stopped));
  assert.doesNotMatch(stderr, /ending the others|\[rank 1\]/);
});

test('what is the work of one process says so where a launcher has started several', async () => {
  const env = { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '29500' };
  const { code, stderr } = await headrace(['eval', folder()], { env });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /headrace eval works in one process \(--stages are threads of it\), and a launcher has started 2/,
  );
});

test('more processes than stages are told how many there are', needsGloo, async () => {
  const { code, stdout } = await launch(3, { steps: 2 });
  assert.equal(code, 1);
  assert.match(stdout, /expected at most as many ranks as stages that work side by side, 2 here, got 3/);
});
