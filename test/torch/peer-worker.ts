/** The other side of queue.test.ts and threads.test.ts: does what it is told, on its own thread; see peer.ts. */
import { parentPort } from 'node:worker_threads';
import { arange, getNumThreads, liveTensors, ones, Queue, setNumThreads } from 'headrace/torch';
import type { Command, Reply } from './peer.js';

function perform(command: Command): unknown {
  switch (command.do) {
    case 'put':
      return Queue.attach(command.queue).put({ meta: command.meta, tensors: [ones([2])] }, command.timeoutMs);
    case 'putAll': {
      const queue = Queue.attach<number>(command.queue);
      for (let i = 0; i < command.count; i++) queue.put({ meta: i, tensors: [arange(i, i + 3), null] });
      return null;
    }
    case 'get': {
      const { meta, tensors } = Queue.attach(command.queue).get(command.timeoutMs);
      return { meta, values: tensors.map((tensor) => tensor?.tolist() ?? null) };
    }
    case 'fill':
      return Queue.attach(command.queue).get().tensors[0]!.fill_(command.value).tolist();
    case 'drop':
      for (const tensor of Queue.attach(command.queue).get().tensors) tensor!.dispose();
      return null;
    case 'hold':
      return Array.from({ length: command.count }, () => ones([2])).length + liveTensors('thread');
    case 'threads':
      if (command.set !== undefined) setNumThreads(command.set);
      return getNumThreads();
  }
}

parentPort!.on('message', (command: Command) => {
  let reply: Reply;
  try {
    reply = { value: perform(command) };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string };
    reply = { error: { name, message, code } };
  }
  parentPort!.postMessage(reply);
});
