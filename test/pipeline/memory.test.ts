// Memory is flat: a step frees what it made.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type MemoryEvent, median } from 'headrace/pipeline';

test('live tensors are constant from step 10 to step 1,000 and resident memory settles within 5 %', async () => {
  const script = fileURLToPath(new URL('./memory-run.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script], { maxBuffer: 1e8 });
  const events = JSON.parse(stdout) as MemoryEvent[];
  for (const stage of [0, 1]) {
    const memory = events.filter((event) => event.stage === stage);
    assert.equal(memory.length, 100);
    const live = new Set(memory.map((event) => event.liveTensors));
    assert.equal(live.size, 1, `live tensors of stage ${stage}: ${[...live]}`);
    // A median at the end, since JavaScript's young generations come and go by some MB; what leaks stays.
    const rss = memory.map((event) => event.rss);
    const late = median(rss.slice(-20));
    assert.ok(late <= rss[0]! * 1.05, `resident memory rose from ${rss[0]} to ${late}`);
  }
});
