import { after } from 'node:test';

/** Sets a variable of the environment for the tests of a file; those of others in the process find it as it was. */
export function setVariable(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}
