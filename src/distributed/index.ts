/// <reference lib="esnext.disposable" preserve="true" />
/** Ranks: processes that exchange tensors through c10d's Gloo, on one machine or many. */
export { isAvailable } from './addon.js';
export { type BorderOptions, RankChannel, type RankEnvelope } from './channel.js';
export { type JoinOptions, type NewGroupOptions, ProcessGroup, type Reduction, Work } from './group.js';
export { type Environment, expandNodes, type Launch, readLaunch } from './launcher.js';
export { freePort } from './ports.js';
export { type StoreOptions, TCPStore } from './store.js';
