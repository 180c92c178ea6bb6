/** Layouts of data sets that are known. Imports nothing, so that a command line can list them at once. */
export const layoutNames = ['mead', 'crema-d', 'ravdess', 'grid', 'hdtf', 'voxceleb'] as const;

export type LayoutName = (typeof layoutNames)[number];
