import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, isAvailable } from 'headrace/distributed';
import { headrace, temporaryFolder } from './run.js';

const example = fileURLToPath(new URL('../../examples/ranks.js', import.meta.url));

const gloo = { skip: isAvailable() ? false : 'the addon was built without Gloo' };

/** The command line of a process; '' of one that has ended. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

describe('headrace launch', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  before(() => {
    folder = temporaryFolder();
  });
  after(() => folder.remove());

  /** A program that writes its process's number to a file beside it first; `all(n)` waits until n ranks have. */
  function program(name: string, body: string): string {
    const file = folder.at(`${name}.mjs`);
    writeFileSync(
      file,
      `import { existsSync, writeFileSync } from 'node:fs';
       const all = async (count) => {
         const there = () => Array.from({ length: count }, (_, i) => ${JSON.stringify(folder.at(name))} + i).every((file) => existsSync(file));
         while (!there()) await new Promise((resolve) => setTimeout(resolve, 20));
       };
       const rank = Number(process.env.RANK);
       writeFileSync(${JSON.stringify(folder.at(name))} + rank, String(process.pid));
       ${body}`,
    );
    return file;
  }
  const written = async (name: string, rank: number): Promise<number> => {
    const file = folder.at(name) + rank;
    for (;;) {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      if (text !== '') return Number(text);
      await sleep(20);
    }
  };
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      // One that nobody has waited for yet is no process any more.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  };
  /** Waits until the process that a rank has written is gone: what is killed ends when its turn comes. */
  const isGone = async (name: string, rank: number): Promise<void> => {
    const pid = await written(name, rank);
    for (let tries = 0; isAlive(pid); tries++) {
      assert.ok(tries < 3000, `process ${rank} of ${name} was left behind`);
      await sleep(20);
    }
  };
  const launch = (file: string, processes: number, whenStarted?: (child: ChildProcess) => void) =>
    headrace(['launch', '--standalone', '--processes', String(processes), '--', file, '--own', 'x'], {
      ...(whenStarted ? { whenStarted } : {}),
    });

  it("gives each process torchrun's variables; rank 0 prints plainly, the others with their names", async () => {
    const file = program(
      'variables',
      `const { RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT } = process.env;
       console.log([RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, Number(MASTER_PORT) > 0, ...process.argv.slice(2)].join(' '));
       console.error('remark');`,
    );
    const { code, stdout, stderr } = await launch(file, 3);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').sort(), [
      '0 3 0 127.0.0.1 true --own x',
      '[rank 1] 1 3 1 127.0.0.1 true --own x',
      '[rank 2] 2 3 2 127.0.0.1 true --own x',
    ]);
    assert.deepEqual(stderr.trim().split('\n').sort(), ['[rank 1] remark', '[rank 2] remark', 'remark']);
  });

  it('counts ranks over machines', async () => {
    const file = program('machines', 'console.log(process.env.RANK, process.env.WORLD_SIZE, process.env.MASTER_PORT);');
    const words = ['launch', '--node', '2/3', '--master', 'node1:4000', '--processes', '2', '--', file];
    const { stdout } = await headrace(words);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['[rank 2] 2 6 4000', '[rank 3] 3 6 4000']);
    const env = {
      PET_NNODES: '2',
      PET_NODE_RANK: '1',
      PET_MASTER_ADDR: 'a',
      PET_MASTER_PORT: '5000',
      PET_NPROC_PER_NODE: '2',
    };
    const outcome = await headrace(['launch', '--', file], { env });
    assert.deepEqual(outcome.stdout.trim().split('\n').sort(), ['[rank 2] 2 4 5000', '[rank 3] 3 4 5000']);
    const by = (change: object) => {
      const hidden = { CUDA_VISIBLE_DEVICES: '' };
      return headrace(['launch', '--', file], { env: { ...env, ...hidden, ...change } as Record<string, string> });
    };
    const each = await by({ PET_NPROC_PER_NODE: 'auto', PET_NNODES: '2:2' });
    const lines = each.stdout.trim().split('\n');
    assert.deepEqual(
      [lines.length, lines[0]!.split(' ')[3]],
      [availableParallelism(), `${2 * availableParallelism()}`],
      each.stderr,
    );
    assert.match(
      (await by({ PET_NPROC_PER_NODE: 'gpu' })).stderr,
      /a process for each GPU, .* sees none .*set a number/,
    );
    assert.match((await by({ PET_NPROC_PER_NODE: 'all' })).stderr, />= 1, gpu, cpu or auto, got 'all'/);
    assert.match((await by({ PET_NNODES: '1:2' })).stderr, /one number of machines, got 1:2/);
  });

  it('runs a verb of headrace in each', async () => {
    const { code, stdout } = await headrace(['launch', '--standalone', '--processes', '2', '--', '--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^\[rank 1\] \d+\.\d+\.\d+$/m);
  });

  it('ends all when one fails, names it, and exits as it did', async () => {
    const file = program(
      'failing',
      `process.on('SIGTERM', () => {}); // one that does not listen is ended all the same
       if (rank === 1) all(3).then(() => process.exit(7));
       else setInterval(() => {}, 1000);`,
    );
    const { code, stderr, seconds } = await launch(file, 3);
    assert.equal(code, 7);
    assert.match(stderr, /^headrace: rank 1 ended with code 7; ending the others$/m);
    assert.ok(seconds < 60, `${seconds}`);
    for (const rank of [0, 1, 2]) await isGone('failing', rank);
  });

  it('names a rank that was killed', async () => {
    const file = program(
      'killed',
      "if (rank === 0) all(2).then(() => process.kill(process.pid, 'SIGKILL')); else setInterval(() => {}, 1000);",
    );
    const { code, stderr } = await launch(file, 2);
    assert.equal(code, 137);
    assert.match(stderr, /rank 0 ended by SIGKILL; ending the others/);
    await isGone('killed', 1);
  });

  it('starts all again, so often as it may, and says who failed last', async () => {
    const file = program(
      'again',
      `const { TORCHELASTIC_RESTART_COUNT: round, TORCHELASTIC_MAX_RESTARTS: most } = process.env;
       console.log('round', round, 'of', most, rank);
       const spoke = ${JSON.stringify(folder.at('spoke'))} + process.ppid + '-' + round;
       if (rank === 0) writeFileSync(spoke, '');
       else while (!existsSync(spoke)) await new Promise((resolve) => setTimeout(resolve, 20));
       if (rank === 1 && round !== '2') process.kill(process.pid, 'SIGKILL');
       if (rank === 0 && round !== '2') setInterval(() => {}, 1000);`,
    );
    const words = (restarts: number) => ['launch', '--standalone', '--processes', '2', '--restarts', `${restarts}`];
    const well = await headrace([...words(3), '--', file]);
    assert.equal(well.code, 0, well.stderr);
    const rounds = [0, 1, 2].flatMap((round) => [`[rank 1] round ${round} of 3 1`, `round ${round} of 3 0`]);
    assert.deepEqual(well.stdout.trim().split('\n').sort(), rounds.sort());
    assert.match(well.stderr, /rank 1 ended by SIGKILL; ending the others\n.*all ranks again, restart 1 of 3\n/);
    const badly = await headrace([...words(1), '--', file]);
    assert.equal(badly.code, 137);
    assert.match(badly.stderr, /^headrace: gave up after 1 restart: rank 1 ended by SIGKILL$/m);
    await isGone('again', 0);
  });

  it('starts a killed rank again in a process that was kept ready, and leaves none behind', gloo, async () => {
    const file = program(
      'spare',
      `const { title, argv } = process;
       if (rank === 0) {
         await all(3); // the third file is of rank 1's second process
         process.exit(0);
       }
       await all(2);
       if (!existsSync(${JSON.stringify(folder.at('first'))})) {
         writeFileSync(${JSON.stringify(folder.at('first'))}, '');
         process.kill(process.pid, 'SIGKILL');
       }
       console.log(title, rank, process.env.WORLD_SIZE, process.env.HEADRACE_SPARE, ...argv.slice(2));
       writeFileSync(${JSON.stringify(folder.at('spare'))} + 2, '');`,
    );
    const words = ['launch', '--standalone', '--processes', '2', '--restarts', '5', '--recovery', 'stage'];
    const { code, stdout, stderr } = await headrace([...words, '--', file, '--own', 'x']);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '[rank 1] headrace rank 1 1 2 undefined --own x\n');
    assert.equal(stderr, 'headrace: rank 1 ended by SIGKILL; starting it again, restart 1 of 5\n');
    const left = readdirSync('/proc').filter((each) => /^\d+$/.test(each) && commandOf(each).includes(file));
    assert.deepEqual(left, []);
  });

  it('names and ends a rank that stands still, which no other need miss', async () => {
    const file = program(
      'standing',
      "if (rank === 1) process.kill(process.pid, 'SIGSTOP'); else setInterval(() => {}, 1000);",
    );
    const words = ['launch', '--standalone', '--processes', '2', '--timeout', '1', '--', file];
    const { code, stderr, seconds } = await headrace(words);
    assert.equal(code, 137);
    assert.match(
      stderr,
      /^headrace: rank 1 was stopped \(SIGSTOP\) for longer than 1 s, and is killed; ending the others$/m,
    );
    assert.ok(seconds < 60, `${seconds}`);
    for (const rank of [0, 1]) await isGone('standing', rank);
  });

  it('does not start again what a mistake, or who asked for it, has ended', async () => {
    const words = ['launch', '--standalone', '--processes', '1', '--restarts', '3', '--'];
    const mistaken = await headrace([...words, 'train', 'resnet21', '--data', 'mnist', '--out', folder.at('none')]);
    assert.equal(mistaken.code, 2);
    assert.match(mistaken.stderr, /resnet21/);
    assert.doesNotMatch(mistaken.stderr, /again/);
    const asked = await headrace([...words, program('asked', 'process.exit(130);')]);
    assert.equal(asked.code, 130);
    assert.doesNotMatch(asked.stderr, /again/);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`passes ${signal} on, and leaves no process behind`, async () => {
      const name = `passed${signal}`;
      const file = program(
        name,
        `import { spawn } from 'node:child_process';
         const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
         writeFileSync(${JSON.stringify(folder.at(name))} + (rank + 10), String(child.pid));
         process.on('${signal}', () => { console.log('asked'); process.exit(0); });
         writeFileSync(${JSON.stringify(folder.at(name))} + (rank + 20), '1');
         setInterval(() => {}, 1000);`,
      );
      const { code, stdout } = await launch(file, 2, (child) => {
        void Promise.all([written(name, 20), written(name, 21)]).then(() => child.kill(signal));
      });
      assert.equal(code, 0);
      assert.deepEqual(stdout.trim().split('\n').sort(), ['[rank 1] asked', 'asked']);
      for (const rank of [0, 1, 10, 11]) await isGone(name, rank);
    });
  }

  it('lets ranks that are asked to end finish, though one fails first', async () => {
    const name = 'saving';
    const file = program(
      name,
      `process.on('SIGINT', () => setTimeout(() => { console.log('saved', rank); process.exit(rank === 0 ? 130 : 0); }, 300 * rank));
       process.on('SIGTERM', () => process.exit(9));
       writeFileSync(${JSON.stringify(folder.at(name))} + (rank + 20), '1');
       setInterval(() => {}, 1000);`,
    );
    const { code, stdout, stderr } = await launch(file, 3, (child) => {
      void Promise.all([20, 21, 22].map((rank) => written(name, rank))).then(() => child.kill('SIGINT'));
    });
    assert.equal(code, 130, stderr);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['[rank 1] saved 1', '[rank 2] saved 2', 'saved 0']);
  });

  it('kills all at the second Ctrl-C', async () => {
    const name = 'deaf';
    const file = program(
      name,
      `process.on('SIGINT', () => writeFileSync(${JSON.stringify(folder.at(name))} + (rank + 30), '1'));
       writeFileSync(${JSON.stringify(folder.at(name))} + (rank + 20), '1');
       setInterval(() => {}, 1000);`,
    );
    const both = (from: number) => Promise.all([written(name, from), written(name, from + 1)]);
    const { code } = await launch(file, 2, (child) => {
      void (async () => {
        for (const from of [20, 30]) {
          await both(from);
          child.kill('SIGINT');
        }
      })();
    });
    assert.equal(code, 137);
    for (const rank of [0, 1]) await isGone(name, rank);
  });

  it('passes on all that ranks wrote before their end, line by line', async () => {
    const file = program(
      'lines',
      "import { writeSync } from 'node:fs'; writeSync(1, 'a line of text\\n'.repeat(4000)); process.exit(0);",
    );
    const { code, stdout } = await launch(file, 2);
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split('\n');
    const count = (wanted: string): number => lines.filter((line) => line === wanted).length;
    assert.deepEqual([count('a line of text'), count('[rank 1] a line of text'), lines.length], [4000, 4000, 8000]);
  });

  it('says what is missing or makes no sense', async () => {
    const cases: [string[], number, RegExp][] = [
      [['--', 'x.mjs'], 1, /expected --standalone, or --node K\/N with --master HOST:PORT/],
      [['--standalone', '--node', '1/2', '--', 'doctor'], 1, /leave out --node and --master/],
      [['--node', '3/2', '--', 'doctor'], 2, /Expected K\/N/],
      [['--node', '1/2', '--master', 'here', '--', 'doctor'], 2, /Expected HOST:PORT/],
      [['--standalone'], 2, /missing required argument 'words'/],
      [['--standalone', '--', 'none.mjs'], 1, /there is no file none\.mjs/],
    ];
    for (const [words, wanted, message] of cases) {
      const { code, stderr } = await headrace(['launch', ...words]);
      assert.equal(code, wanted, stderr);
      assert.match(stderr, message);
    }
  });

  /** A program that meets the others, in 4 s, and says how that went. */
  const meeting = (name: string): string =>
    program(
      name,
      `const { ProcessGroup, readLaunch } = await import(${JSON.stringify(import.meta.resolve('headrace/distributed'))});
       try {
         ProcessGroup.join(readLaunch(process.env), { timeoutMs: 4000 }).close();
       } catch ({ message }) {
         console.error(message);
         process.exit(1);
       }`,
    );

  it('tells of a machine that never comes, by one error within the time-out', gloo, async () => {
    const master = `127.0.0.1:${await freePort()}`;
    const words = ['launch', '--node', '1/2', '--master', master, '--', meeting('alone')];
    const { code, stderr, seconds } = await headrace(words);
    assert.equal(code, 1);
    const [said, how, ...rest] = stderr.trim().split('\n');
    assert.match(said!, new RegExp(`^rank 0: waited [0-4](\\.\\d)? s for rank 1 of 2 at ${master}, which never came`));
    assert.deepEqual([how, ...rest], ['headrace: rank 0 ended with code 1']);
    assert.ok(seconds < 60, `${seconds}`);
  });

  it('tells of a taken port by one error, and the other ranks do not wait', gloo, async () => {
    const other = createServer((socket) => socket.resume()); // what is not read keeps its connection, and this process
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const words = ['launch', '--node', '1/1', '--master', `127.0.0.1:${port}`, '--processes', '2', '--'];
      const { code, stderr } = await headrace([...words, meeting('taken')]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^rank 0: .*127\\.0\\.0\\.1:${port}\\).*choose another MASTER_PORT`, 'm'));
      assert.match(stderr, /^headrace: rank 0 ended with code 1(; ending the others)?$/m); // which may have ended, too
    } finally {
      other.close();
    }
  });

  it('runs the example of ranks', gloo, async () => {
    const { code, stdout, stderr } = await headrace(['launch', '--standalone', '--processes', '3', '--', example]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['[ 6, 6, 6 ]', '[rank 1] [ 6, 6, 6 ]', '[rank 2] [ 6, 6, 6 ]']);
  });
});
