/** The run of memory.test.ts, in a process of its own: the test runner keeps a record of every asynchronous call. */
import { finish, smallViT } from './fixture.js';

const { events } = await finish({
  model: smallViT,
  modelName: 'vit',
  cut: [2],
  steps: 1000,
  batchSize: 11,
  queueCapacity: 1,
  evaluation: false,
});
process.stdout.write(JSON.stringify(events.filter((event) => event.type === 'memory')));
