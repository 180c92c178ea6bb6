/** A thread that is kept ready: it imports what the threads of a run need, and is one of them from its first message on. */
import { parentPort, workerData } from 'node:worker_threads';
import { markEngineThread } from '../torch/threads.js';
import { become, type Task } from './kept-threads.js';

const own = ['./loop.js', './transport.js', './chain-program.js'].map((file) => new URL(file, import.meta.url).href);

markEngineThread();
const told = new Promise<Task>((resolve) => parentPort!.once('message', resolve));
// What cannot be imported fails again in the run, which tells of it.
await Promise.allSettled([...own, ...(workerData as string[])].map((module) => import(module)));
const task = await told;
become(task);
await import(task.module);
