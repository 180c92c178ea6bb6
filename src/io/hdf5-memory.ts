/**
 * A bound on the HDF5 library's memory. Its filters take what a stream unpacks to, whatever the file announces, so only its memory itself
 * can be held: each growth is asked for here, and one that is refused is an error of that reading.
 */
const pageBytes = 65_536;

/** Node's types leave it out. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: { readonly prototype: WasmMemory } } })
  .WebAssembly;

let first = 0;
let allowed = Infinity;
let refused = false;

/** To be called once, before the library is loaded, on the thread that is its alone. */
export function watchMemory(): void {
  const { grow } = Memory.prototype;
  Memory.prototype.grow = function watched(this: WasmMemory, pages: number): number {
    if (first === 0) first = this.buffer.byteLength;
    if (this.buffer.byteLength + pages * pageBytes > first + allowed) {
      refused = true;
      throw new RangeError('the memory allowed for this reading is taken');
    }
    return grow.call(this, pages);
  };
}

/** @param bytes what the library may take from here on, beyond what it began with */
export function allowMemory(bytes: number): void {
  allowed = bytes;
  refused = false;
}

/** Whether a growth was refused since then. */
export function memoryWasRefused(): boolean {
  return refused;
}
