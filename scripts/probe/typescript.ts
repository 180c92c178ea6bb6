// Imported to learn whether a thread has a loader for TypeScript: an enum takes more than leaving types out.
export enum Probe {
  loaded = 1,
}
