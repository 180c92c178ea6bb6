// A thread that profiles a model and ends.

import { parentPort, workerData } from 'node:worker_threads';
import { setNumThreads } from '../torch/index.js';
import { answer, type ProfileRequest } from './profile-run.js';

const request = workerData as ProfileRequest;
setNumThreads(request.threads);
await answer(request, (reply) => parentPort?.postMessage(reply));
