// The launch files of examples/launch/: against the published schemas, and started for real where that can be.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, isAvailable, readLaunch } from 'headrace/distributed';
import { readWhole } from '../../bench/faulted.js';
import { temporaryFolder } from './run.js';

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const main = at('dist/cli/main.js');
const gloo = isAvailable() ? false : 'the addon was built without Gloo';

/** Where a value does not have the fields of a schema's object. */
function faultsOf(value: unknown, type: string | [string], path: string): string[] {
  if (Array.isArray(type)) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((each, i) => faultsOf(each, type[0], `${path}[${i}]`));
  }
  const fields = schema[type];
  if (fields === undefined) return typeof value === type ? [] : [`${path} is no ${type}: ${JSON.stringify(value)}`];
  if (typeof value !== 'object' || value === null) return [`${path} is no ${type}`];
  const known = new Map(Object.entries(fields).map(([key, of]) => [key.replace('!', ''), of]));
  const required = Object.keys(fields).flatMap((key) => (key.endsWith('!') ? [key.slice(0, -1)] : []));
  return [
    ...required.filter((key) => !(key in value)).map((key) => `${path} lacks ${key}`),
    ...Object.entries(value).flatMap(([key, own]) =>
      known.has(key) ? faultsOf(own, known.get(key)!, `${path}.${key}`) : [`${path} has ${key}, which is unknown`],
    ),
  ];
}
const schema = JSON.parse(readFileSync(at('test/cli/jobset-schema.json'), 'utf8')) as Record<
  string,
  Record<string, string | [string]>
>;

interface JobSet {
  metadata: { name: string };
  spec: { network: { subdomain: string }; replicatedJobs: { name: string; template: { spec: { template: Pod } } }[] };
}
interface Pod {
  spec: { containers: { command: string[]; args: string[]; env: { name: string; value: string }[] }[] };
}

const readYaml = (file: string) =>
  spawnSync('python3', ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))', file], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `/usr/bin:${process.env.PATH}` },
  });

describe('launch files', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  before(() => {
    folder = temporaryFolder();
    mkdirSync(folder.at('bin'));
    command('headrace', `exec ${process.execPath} ${main} "$@"`);
  });
  after(() => folder.remove());

  /** A command that the files find before any other. */
  function command(name: string, body: string): void {
    writeFileSync(folder.at(`bin/${name}`), `#!/bin/bash\n${body}\n`);
    chmodSync(folder.at(`bin/${name}`), 0o755);
  }
  const environment = (more: Record<string, string> = {}) => ({
    ...process.env,
    PATH: `${folder.at('bin')}:${process.env.PATH}`,
    OMP_NUM_THREADS: '1',
    ...more,
  });
  const small = ['resnet20', '--data', 'mnist', '--limit', '24', '--batch', '8', '--stages', '2', '--cut', '8'];
  const words = (out: string, steps: number) => [
    ...[...small, '--threads', '1', '--eval-every', '0', '--steps', String(steps), '--out', out],
  ];
  const saved = async (out: string): Promise<void> => {
    while (!existsSync(`${out}/checkpoint/state.json`)) await sleep(30);
  };

  it('the JobSet has the fields that the schema asks for, and names a rank a job', (t) => {
    const { status, stdout, stderr } = readYaml(at('examples/launch/jobset.yaml'));
    if (status !== 0 && /No module named|ENOENT/.test(stderr ?? 'ENOENT')) return t.skip('no python3 with yaml');
    assert.equal(status, 0, stderr);
    const set = JSON.parse(stdout) as JobSet;
    assert.deepEqual(faultsOf(set, 'JobSet', 'JobSet'), []);
    const { metadata, spec } = set;
    const options = new Set(readFileSync(at('test/cli/commands.txt'), 'utf8').match(/--[\w-]+/g));
    const found = spec.replicatedJobs.map(({ template }) => {
      const [{ command, args, env }] = template.spec.template.spec.containers as [
        JobSet['spec']['replicatedJobs'][0]['template']['spec']['template']['spec']['containers'][0],
      ];
      const unknown = [...command, ...args].filter((word) => /^--\w/.test(word) && !options.has(word));
      assert.deepEqual(unknown, []);
      return readLaunch(Object.fromEntries(env.map(({ name, value }) => [name, value])));
    });
    const host = `${metadata.name}-${spec.replicatedJobs[0]!.name}-0-0.${spec.network.subdomain}`;
    const master = { host, port: 29500 };
    assert.deepEqual(
      found.map((launch) => ({ rank: launch?.rank, of: launch?.worldSize, master: launch?.master })),
      [0, 1].map((rank) => ({ rank, of: 2, master })),
    );
    const broken = JSON.parse(stdout.replace('"containers"', '"container"')) as unknown;
    assert.equal(faultsOf(broken, 'JobSet', 'JobSet').length, 2, 'a file that lacks a field is found');
  });

  it("Slurm's script makes a checkpoint when its time is up, and the job goes on from it", { skip: gloo }, async () => {
    // What srun does, as far as the script needs it: variables for each task, and the signal to all.
    command(
      'srun',
      `while [[ $1 == --* ]]; do shift; done
       export SLURM_NTASKS=2 SLURM_STEP_ID=0 SLURM_STEP_NODELIST=127.0.0.1
       for task in 0 1; do SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & tasks+=($!); done
       trap 'kill -TERM "\${tasks[@]}"' TERM
       wait "\${tasks[0]}"; wait "\${tasks[0]}"; code=$?; wait; exit $code`,
    );
    command('scontrol', `echo "$@" >> ${folder.at('requeued')}`);
    const out = folder.at('slurm');
    const job = async (steps: number, stop: boolean): Promise<{ code: number | null; errors: string }> => {
      const variables = { SLURM_JOB_ID: '7', MASTER_PORT: String(await freePort()) };
      const script = at('examples/launch/slurm.sh');
      const child = spawn('bash', [script, ...words(out, steps)], { env: environment(variables), stdio: 'pipe' });
      let errors = '';
      child.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      if (stop) {
        while (!/^step \d/m.test(errors)) await sleep(20);
        child.kill('SIGTERM');
      }
      return { code: await ended, errors };
    };
    const first = await job(100_000, true);
    assert.equal(first.code, 130, first.errors);
    assert.equal(readFileSync(folder.at('requeued'), 'utf8'), 'requeue 7\n');
    const [, step] = /stopped after step (\d+); checkpoint in/.exec(first.errors)!;
    const second = await job(Number(step) + 2, false);
    assert.equal(second.code, 0, second.errors);
    assert.match(second.errors, new RegExp(`going on with .* after step ${step}\n`));
  });

  const torchrun = process.env.TORCHRUN ?? 'torchrun';
  const works = (options: string): boolean => {
    const all = [...options.split(' ').filter(Boolean), '--nproc_per_node', '1', '--no_python', 'true'];
    return spawnSync(torchrun, all).status === 0;
  };
  // Debian's 1.13 cannot read its own defaults under Python 3.11.
  const options = gloo ? undefined : ['', '--tee 1 --redirects 1'].find(works);
  const broken = gloo || (options === undefined ? 'no torchrun that works (TORCHRUN names one)' : false);

  it('torchrun starts a run of two processes, and again from its checkpoint when one is killed', {
    skip: broken,
  }, async () => {
    const out = folder.at('torchrun');
    const variables = {
      ...{ PORT: String(await freePort()), TORCHRUN: torchrun, OPTIONS: options!, EVERY: '1', RESTARTS: '1' },
    };
    const script = at('examples/launch/torchrun.sh');
    const child = spawn('sh', [script, ...words(out, 40)], { env: environment(variables), stdio: 'pipe' });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await Promise.race([saved(out), ended.then(() => assert.fail(`it ended before its first checkpoint: ${errors}`))]);
    const ranks = spawnSync('pgrep', ['-P', String(child.pid), '-f', out], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n');
    process.kill(Number(ranks.at(-1)), 'SIGKILL');
    assert.equal(await ended, 0, errors);
    assert.match(errors, /going on with .* after step \d+/);
    const alone = folder.at('alone');
    const { status } = spawnSync('headrace', ['train', ...words(alone, 40)], { env: environment() });
    assert.equal(status, 0);
    const [threads, ranksState] = [readWhole(alone), readWhole(out)];
    assert.ok(threads.size > 0);
    assert.deepEqual(ranksState, threads);
  });
});
