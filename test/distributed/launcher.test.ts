import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandNodes, readLaunch } from 'headrace/distributed';

const torchrun = { RANK: '3', WORLD_SIZE: '4', LOCAL_RANK: '1', MASTER_ADDR: 'a', MASTER_PORT: '1234' };
const slurm = {
  SLURM_PROCID: '2',
  SLURM_NTASKS: '4',
  SLURM_LOCALID: '0',
  SLURM_STEP_ID: '0',
  SLURM_STEP_NODELIST: 'gpu[07-08]',
  SLURM_JOB_ID: '10042',
};
const kubernetes = {
  PET_NNODES: '2',
  PET_NPROC_PER_NODE: '1',
  PET_NODE_RANK: '1',
  PET_MASTER_ADDR: 'job-0.svc',
  PET_MASTER_PORT: '23456',
};
const refused = (message: RegExp) => ({ name: 'ConfigError', message });

test('torchrun says who a process is', () => {
  assert.deepEqual(readLaunch({ ...torchrun, TORCHELASTIC_RESTART_COUNT: '2', TORCHELASTIC_USE_AGENT_STORE: 'True' }), {
    rank: 3,
    worldSize: 4,
    localRank: 1,
    master: { host: 'a', port: 1234 },
    restarts: 2,
    storeKept: true,
  });
  assert.deepEqual(
    [readLaunch(torchrun)?.restarts, readLaunch(torchrun)?.storeKept, readLaunch({ ...torchrun, ...slurm })?.rank],
    [0, false, 3],
    'without its store rank 0 keeps one; under srun, torchrun is the nearer launcher',
  );
});

test('srun says it, and its first node is the master', () => {
  const launch = readLaunch(slurm);
  assert.deepEqual(launch, {
    rank: 2,
    worldSize: 4,
    localRank: 0,
    master: { host: 'gpu07', port: 29542 },
    restarts: 0,
    storeKept: false,
  });
  const chosen = readLaunch({ ...slurm, MASTER_ADDR: 'login', MASTER_PORT: '5000', SLURM_RESTART_COUNT: '1' });
  assert.deepEqual([chosen?.master, chosen?.restarts], [{ host: 'login', port: 5000 }, 1]);
});

test('variables of a Slurm allocation alone start nothing: there is no step', () => {
  assert.equal(readLaunch({ SLURM_JOB_ID: '1', SLURM_PROCID: '0', SLURM_NTASKS: '4' }), null);
  assert.equal(readLaunch({}), null);
  assert.equal(readLaunch({ RANK: '', PATH: '/bin' }), null);
});

test('Kubernetes says it, one process a node', () => {
  const launch = readLaunch(kubernetes);
  assert.deepEqual([launch?.rank, launch?.worldSize, launch?.master], [1, 2, { host: 'job-0.svc', port: 23456 }]);
  assert.throws(
    () => readLaunch({ ...kubernetes, PET_NPROC_PER_NODE: '4' }),
    refused(/4 processes a node.*headrace launch/),
  );
  assert.equal(readLaunch({ ...kubernetes, PET_NNODES: '3:3', PET_NPROC_PER_NODE: 'auto' })?.worldSize, 3);
  const elastic = refused(/one number of machines, got 1:3: .*Set it to 3/);
  assert.throws(() => readLaunch({ ...kubernetes, PET_NNODES: '1:3' }), elastic);
});

test('lists of nodes are written out as Slurm means them', () => {
  const cases: [string, string[]][] = [
    ['node1', ['node1']],
    ['node[1-3,7]', ['node1', 'node2', 'node3', 'node7']],
    ['gpu[08-11]', ['gpu08', 'gpu09', 'gpu10', 'gpu11']],
    ['a,b[2,4-5],c', ['a', 'b2', 'b4', 'b5', 'c']],
    ['r[1-2]n[1-2]', ['r1n1', 'r1n2', 'r2n1', 'r2n2']],
    ['n[1-2]-ib', ['n1-ib', 'n2-ib']],
  ];
  for (const [list, names] of cases) assert.deepEqual(expandNodes(list), names);
  for (const list of ['', 'node[1-', 'node[3-1]', 'node[a-b]', 'node]1[', 'node[]']) {
    assert.throws(() => expandNodes(list), refused(/list of nodes as Slurm writes it/), list);
  }
});

test('half of an environment is told with what is there and what is missing', () => {
  const without = <T extends object>(env: T, name: keyof T) => ({ ...env, [name]: undefined });
  assert.throws(
    () => readLaunch(without(torchrun, 'WORLD_SIZE')),
    refused(/half of what torchrun.*WORLD_SIZE missing/),
  );
  assert.throws(() => readLaunch(without(torchrun, 'MASTER_PORT')), refused(/RANK, WORLD_SIZE, MASTER_ADDR there/));
  assert.throws(() => readLaunch(without(slurm, 'SLURM_NTASKS')), refused(/srun.*SLURM_NTASKS missing/));
  assert.throws(() => readLaunch(without(slurm, 'SLURM_STEP_NODELIST')), refused(/no list of nodes.*MASTER_ADDR/));
  assert.throws(
    () => readLaunch(without(kubernetes, 'PET_MASTER_ADDR')),
    refused(/Kubernetes.*PET_MASTER_ADDR missing/),
  );
});

test('values that make no sense are told by name', () => {
  const cases: [object, RegExp][] = [
    [{ RANK: '4' }, /rank from 0 to 3 in a world of 4, got rank 4/],
    [{ RANK: 'one' }, /RANK a whole number >= 0, got 'one'/],
    [{ WORLD_SIZE: '0' }, /WORLD_SIZE a whole number >= 1, got '0'/],
    [{ MASTER_PORT: '70000' }, /MASTER_PORT a port from 1 to 65535, got '70000'/],
  ];
  for (const [change, message] of cases) assert.throws(() => readLaunch({ ...torchrun, ...change }), refused(message));
});
