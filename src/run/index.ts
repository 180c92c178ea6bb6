/** The record of a run, whatever it trains: events, progress, metrics, and where settings differ. */
export { type Difference, describeDifferences, differencesOf } from './differences.js';
export * from './events.js';
export * from './progress.js';
export * from './sums.js';
