// Memory is flat: a step frees what it made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryEvent } from 'headrace/pipeline';
import { finish, smallViT } from './fixture.js';

test('live tensors are constant from step 10 to step 1,000 and resident memory within 5 %', async () => {
  const { events } = await finish({
    model: smallViT,
    modelName: 'vit',
    cut: [2],
    steps: 1000,
    batchSize: 11,
    queueCapacity: 1,
    evaluation: false,
  });
  for (const stage of [0, 1]) {
    const memory = events.filter((event): event is MemoryEvent => event.type === 'memory' && event.stage === stage);
    assert.equal(memory.length, 100);
    const live = new Set(memory.map((event) => event.liveTensors));
    assert.equal(live.size, 1, `live tensors of stage ${stage}: ${[...live]}`);
    const rss = memory.map((event) => event.rss);
    assert.ok(Math.max(...rss) <= rss[0]! * 1.05, `resident memory rose from ${rss[0]} to ${Math.max(...rss)}`);
  }
});
