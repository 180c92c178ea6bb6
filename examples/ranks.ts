// Ranks: processes that exchange tensors. On one machine:
//   npx headrace launch --standalone --processes 2 -- ranks.js
import { ones } from 'headrace';
import { ProcessGroup, readLaunch } from 'headrace/distributed';

const launch = readLaunch(process.env);
if (launch === null) throw new Error('start it by headrace launch or torchrun');

const group = ProcessGroup.join(launch);
const gradient = ones([3]).mul(group.rank + 1);
group.allReduce(gradient).wait();
console.log(gradient.tolist());
group.close();
