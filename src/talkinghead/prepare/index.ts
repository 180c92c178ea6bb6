/** Training clips from folders of videos. */
export { type ClipNumbers, type ClipWindow, PreparedClips } from './clips.js';
export { type ClipLabels, type LayoutName, layoutLabels, layoutNames } from './layouts.js';
export { Preparation, type Prepared, type PrepareOptions, type PrepareProgress } from './prepare.js';
export type { ClipRecord, PrepareSettings, Rejection, VideoOutcome } from './records.js';
export type { SegmentRules } from './segments.js';
