/** Numbers that callers and users give, from the least to the most. Imports nothing, so that a command line can check them at once. */
export type Range = readonly [least: number, most: number];

/** Frames a second at which videos are read, or clips drawn: films of more are for slow motion, and are read at less. */
export const frameRates: Range = [1, 240];

/** Frames a second of an animation: what mouths do is heard at no less, and screens show no more. */
export const animationRates: Range = [10, 60];

/** Pixels of a side. */
export const portraitSizes: Range = [32, 8192];
export const syntheticSizes: Range = [16, 2048];
export const clipSizes: Range = [32, 4096];
export const leastClipSides: Range = [16, 16384];
export const evaluatedSizes: Range = [16, 4096];

/** Of each motion: 1 is as it is. */
export const scales = { emotion: [0, 2], pose: [0, 5], mouth: [0, 3] } as const satisfies Record<string, Range>;

/** Stills or clips, and people, of a synthetic set; frames of a clip. */
export const setCounts: Range = [1, 10_000_000];
export const clipFrames: Range = [1, 1_000_000];

/** Whose light, camera and background are: of each clip, or of a person in all of theirs. */
export const clipPlaces = ['clip', 'person'] as const;
export type ClipPlace = (typeof clipPlaces)[number];

/** Of a face's box, on each side. */
export const margins: Range = [0, 2];

/** Videos at once; threads of a training. */
export const jobCounts: Range = [1, 256];
export const threadCounts: Range = [1, 256];

export const seeds: Range = [0, Number.MAX_SAFE_INTEGER];
