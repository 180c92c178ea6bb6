import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mediaInfo, readAudio, readFrames } from 'headrace/media';
import { all, realData } from './support.js';

const grid = realData('grid');

test('clips of GRID, MPEG-1 by another encoder: all frames, all sound', { skip: grid.skip }, async () => {
  const clips = readdirSync(grid.path).filter((name) => name.endsWith('.mpg'));
  assert.ok(clips.length > 0);
  for (const name of clips.slice(0, 8)) {
    const path = join(grid.path, name);
    const { video, audio } = await mediaInfo(path);
    assert.deepEqual([video?.width, video?.height, video?.fps], [360, 288, 25]);
    const frames = await all(readFrames(path, { width: 90, threads: 1 }));
    assert.equal(frames.length, 75, name);
    assert.ok(frames.every(({ time, index }) => Math.abs(time - index / 25) < 1e-3));
    assert.equal((await all(readFrames(path, { width: 30, fps: 5 }))).length, 15);
    const { samples } = await readAudio(path, { rate: 16000 });
    assert.ok(Math.abs(samples.length / 16000 - 3) < 0.05, `${samples.length}`);
    assert.ok(audio?.rate === 44100 && samples.some((value) => Math.abs(value) > 0.02));
  }
});
