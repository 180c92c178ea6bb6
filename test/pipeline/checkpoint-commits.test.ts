// Stages save at their own speed, and markers may stand close together. In every order of what they do, what is removed is
// written by nobody, and what the state names is there.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CheckpointCommits,
  type CheckpointState,
  evaluate,
  exportModel,
  type SavedPart,
  Trainer,
} from 'headrace/pipeline';
import { StageError } from 'headrace/torch';
import { config, differences, finish, readCheckpointJson, temporaryFolder } from './fixture.js';

/** A folder in memory that refuses what must not happen. */
class Folder {
  readonly writing = new Set<string>();
  readonly whole = new Set<string>();
  state: CheckpointState | null = null;

  begin(file: string): void {
    assert.ok(!this.writing.has(file) && !this.whole.has(file), `${file} is written twice`);
    this.writing.add(file);
  }

  end(file: string): void {
    assert.ok(this.writing.delete(file), `${file} was removed under its writer`);
    this.whole.add(file);
  }

  commit(state: CheckpointState): void {
    assert.ok(state.step > (this.state?.step ?? 0), 'a checkpoint goes back');
    this.state = state;
    this.check();
  }

  remove(file: string): void {
    assert.ok(this.whole.delete(file), `${file} is removed before it is whole`);
    this.check();
  }

  check(): void {
    for (const { model } of this.state?.shards ?? []) {
      assert.ok(this.whole.has(model), 'the current checkpoint is not whole');
    }
  }
}

const part = (stage: number, step: number): SavedPart => {
  const shard = { model: `model-${step}-${stage}`, heads: null, optimizer: null };
  return { step, epoch: 0, saved: { stage, shard, modelKeys: [`${stage}`] } };
};

/** What a stage does, in this order: for each marker it writes a file, then tells. */
function script(
  folder: Folder,
  tell: (part: SavedPart) => void,
  stage: number,
  steps: readonly number[],
): (() => void)[] {
  return steps.flatMap((step) => {
    const own = part(stage, step);
    const { model } = own.saved.shard;
    return [() => folder.begin(model), () => folder.end(model), () => tell(own)];
  });
}

/** Runs every order in which threads can do their scripts, and the run hear of what they tell. Returns how many. */
function everyOrder(stages: number, steps: readonly number[], sample?: (choices: number) => number): number {
  // An order is a list of choices among those who can go on; the last is counted up, as a number's digits are.
  let choices: number[] = [];
  for (let orders = 1; ; orders++) {
    const folder = new Folder();
    const commits = new CheckpointCommits(stages, [], folder);
    const mail: SavedPart[][] = Array.from({ length: stages }, () => []);
    const scripts = mail.map((box, stage) => script(folder, (told) => box.push(told), stage, steps));
    const options: number[] = [];
    for (let turn = 0; ; turn++) {
      const able = [
        ...scripts.filter((left) => left.length > 0).map((left) => () => left.shift()!()),
        ...mail.filter((box) => box.length > 0).map((box) => () => void commits.saved(box.shift()!)),
      ];
      if (able.length === 0) break;
      options.push(able.length);
      choices[turn] ??= sample?.(able.length) ?? 0;
      able[choices[turn]!]!();
    }
    assert.equal(folder.state?.step, steps.at(-1));
    assert.equal(folder.whole.size, stages, 'the files of one checkpoint are left');
    if (sample) return 1;
    let last = options.length - 1;
    while (last >= 0 && choices[last]! === options[last]! - 1) last--;
    if (last < 0) return orders;
    choices = [...choices.slice(0, last), choices[last]! + 1];
  }
}

test('in every order of two stages and two markers', () => {
  assert.ok(everyOrder(2, [8, 16]) > 100_000);
});

test('in many orders of four stages and six markers', () => {
  let state = 1;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647; // Park and Miller's generator
    return state % below;
  };
  for (let i = 0; i < 2000; i++) everyOrder(4, [1, 2, 3, 4, 5, 6], random);
});

test('parts that come in any order at all make no older checkpoint current, and leave nothing behind', () => {
  const all = [8, 16, 24].flatMap((step) => [0, 1].map((stage) => part(stage, step)));
  const orders = (rest: readonly SavedPart[]): SavedPart[][] =>
    rest.length === 0
      ? [[]]
      : rest.flatMap((first) => orders(rest.filter((one) => one !== first)).map((others) => [first, ...others]));
  for (const order of orders(all)) {
    const folder = new Folder();
    for (const { saved } of all) folder.whole.add(saved.shard.model);
    const commits = new CheckpointCommits(2, [], folder);
    for (const one of order) commits.saved(one);
    assert.equal(folder.state?.step, 24);
    assert.equal(folder.whole.size, 2);
  }
});

/** All files of a run's checkpoint that nothing refers to. */
function strays(out: string): string[] {
  const shards = readCheckpointJson(out).shards as Record<string, string | null>[];
  const known = new Set([
    'state.json',
    'model.safetensors.index.json',
    ...shards.flatMap((shard) => Object.values(shard)),
  ]);
  return readdirSync(join(out, 'checkpoint')).filter((name) => !known.has(name));
}

test('a run whose stages save at different speeds keeps every checkpoint whole, and its weights are the same', async () => {
  const plain = await finish({ stages: 3, steps: 8, checkpointEvery: 1 });
  for (const saveMs of [
    [0, 0, 15],
    [15, 0, 0],
    [5, 15, 0],
  ]) {
    const out = temporaryFolder();
    try {
      const { state, events } = await finish({
        stages: 3,
        steps: 8,
        checkpointEvery: 1,
        queueCapacity: 8,
        faults: { saveMs },
        out,
      });
      assert.deepEqual(differences(plain.state, state), []);
      assert.deepEqual(strays(out), []);
      assert.deepEqual(
        events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : [])),
        [1, 2, 3, 4, 5, 6, 7, 8],
      );
    } finally {
      rmSync(out, { recursive: true });
    }
  }
});

test('a part that cannot be saved ends the run by name, and the checkpoint before stays', async () => {
  for (const stage of [0, 1]) {
    const out = temporaryFolder();
    try {
      const faults = { saveMs: [20, 0], at: { stage, step: 8, kind: 'save' } } as const;
      // With short queues the other stage has met the marker of step 4 by then.
      await assert.rejects(
        finish({ steps: 100, checkpointEvery: 4, queueCapacity: 1, faults, out }),
        (error) =>
          error instanceof StageError &&
          error.message.startsWith(`stage ${stage}, step 8: `) &&
          /injected/.test(error.message),
      );
      assert.equal(readCheckpointJson(out).step, 4);
      assert.deepEqual(strays(out), []);
      assert.ok(!existsSync(join(out, 'run.lock')));
    } finally {
      rmSync(out, { recursive: true });
    }
  }
});

test('a model is tested and exported while its run replaces checkpoint after checkpoint', async () => {
  const out = temporaryFolder();
  try {
    const run = new Trainer(config({ steps: 100_000, checkpointEvery: 1, out }));
    let tested = 0;
    let testing: Promise<void> | null = null;
    for await (const event of run) {
      if (event.type !== 'checkpoint' || testing) continue;
      testing = (async () => {
        for (const stages of [1, 3]) tested += (await evaluate(out, config().data, { stages })).count;
        assert.equal(exportModel(out, join(out, 'whole.safetensors')).keys, 128);
      })().finally(() => run.stop());
    }
    await testing;
    assert.equal(tested, 40);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('what a session that died has left is swept before the next one writes, and what is not a checkpoint stays', async () => {
  const out = temporaryFolder();
  try {
    await finish({ steps: 4, out });
    const folder = join(out, 'checkpoint');
    for (const name of [
      'model-6-00001-of-00002.safetensors',
      'optimizer-6-00002-of-00003.safetensors',
      '.heads-6-00001-of-00002.safetensors.123-4-5.tmp',
      'notes.txt',
    ]) {
      writeFileSync(join(folder, name), 'half');
    }
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      '{"weight_map":{"a":"model-6-00001-of-00002.safetensors"}}',
    );
    writeFileSync(join(out, '.config.json.123-0-1.tmp'), 'half');
    const run = new Trainer(config({ steps: 8, out }), { resume: true });
    await run.result;
    assert.deepEqual(strays(out), ['notes.txt']);
    assert.ok(!existsSync(join(out, '.config.json.123-0-1.tmp')));
    assert.equal(readCheckpointJson(out).step, 8);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('of a first session that died before its first checkpoint, nothing gets in the way of the next', async () => {
  const out = temporaryFolder();
  try {
    mkdirSync(join(out, 'checkpoint'));
    writeFileSync(join(out, 'checkpoint', 'model-2-00001-of-00002.safetensors'), 'half');
    const { result } = await finish({ steps: 2, out });
    assert.equal(result.steps, 2);
    assert.deepEqual(strays(out), []);
  } finally {
    rmSync(out, { recursive: true });
  }
});
