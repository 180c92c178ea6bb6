/** What people read and compare: columns, durations, statistics. */
export { formatColumns } from './columns.js';
export { duration } from './duration.js';
export * from './statistics.js';
