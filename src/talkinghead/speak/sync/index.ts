/** Whether what is seen and what is heard belong together. */
export { readSyncConfig, type SyncConfig, syncRecipes } from './sync-config.js';
export { apart, contrastive, SyncNet, type SyncShape } from './sync-net.js';
export {
  checkRate,
  evaluateSync,
  loadSync,
  type SyncResult,
  type SyncRunOptions,
  saveSync,
  type TrainedSync,
  trainSync,
} from './sync-run.js';
export {
  type SyncCurve,
  type SyncPoints,
  type SyncScores,
  seenOf,
  syncCurve,
  syncReach as syncOffsets,
  syncScores,
  syncScoresOf,
} from './sync-scores.js';
export { drawSyncPairs, type SyncPair, SyncTrainer } from './sync-trainer.js';
export { columnsOf, drawWindow, framesOf, squaresOf, type Window } from './windows.js';
