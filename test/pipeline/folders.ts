// Folders of the runs of a test file.
import { rmSync } from 'node:fs';
import { after } from 'node:test';
import { temporaryFolder } from './fixture.js';

/** Makes temporary folders that are gone when the file's tests are through. */
export function folders(): () => string {
  const made: string[] = [];
  after(() => {
    for (const folder of made) rmSync(folder, { recursive: true });
  });
  return () => {
    made.push(temporaryFolder());
    return made.at(-1)!;
  };
}
