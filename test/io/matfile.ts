import { deflateSync } from 'node:zlib';

/** A MATLAB level-5 file put together from its public description. */

const dataTypes = { uint8: 2, int32: 5, uint32: 6, double: 9 };
const classes = { double: 6, uint8: 9 };

function element(type: number, data: Uint8Array, little: boolean): Buffer {
  const tag = Buffer.alloc(8);
  tag.set(int32s([type, data.length], little));
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

function int32s(values: readonly number[], little: boolean): Buffer {
  const out = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) {
    if (little) out.writeInt32LE(value, 4 * i);
    else out.writeInt32BE(value, 4 * i);
  }
  return out;
}

export interface MatVariable {
  name: string;
  shape: number[];
  /** Column-major values of 0 to 255. */
  values: Uint8Array;
  kind: 'uint8' | 'double';
}

/** The bytes of a .mat file with these variables; doubles are stored as bytes, as MATLAB does with small whole numbers. */
export function matFile(variables: readonly MatVariable[], { compressed = true, little = true } = {}): Buffer {
  const head = Buffer.alloc(128, ' ');
  head.write('MATLAB 5.0 MAT-file, made by a test');
  head.fill(0, 116, 124);
  if (little) head.writeUInt16LE(0x0100, 124);
  else head.writeUInt16BE(0x0100, 124);
  head.write(little ? 'IM' : 'MI', 126, 'latin1');
  const parts = variables.map(({ name, shape, values, kind }) => {
    const content = Buffer.concat([
      element(dataTypes.uint32, int32s([classes[kind], 0], little), little),
      element(dataTypes.int32, int32s(shape, little), little),
      element(1, Buffer.from(name), little),
      element(dataTypes.uint8, values, little),
    ]);
    const matrix = element(14, content, little);
    if (!compressed) return matrix;
    const packed = deflateSync(matrix);
    return element(15, packed, little).subarray(0, 8 + packed.length); // compressed elements are not padded
  });
  return Buffer.concat([head, ...parts]);
}
