/** A drawn face, shaded like skin, for tests without photographs. Own work; every pixel is computed here. */

export interface DrawnFace {
  /** Of the head, in pixels. */
  readonly x: number;
  readonly y: number;
  /** Between the eyes' centres, in pixels. */
  readonly eyes: number;
  /** Degrees, clockwise as seen. */
  readonly roll?: number;
  /** 0 closed to 1 wide open. */
  readonly mouth?: number;
}

type Colour = readonly [number, number, number];

const smooth = (edge: number, width: number): number => Math.min(1, Math.max(0, 0.5 - edge / width));

/** Math.hypot takes several times as long, which is most of a picture's time. */
const length = (x: number, y: number): number => Math.sqrt(x * x + y * y);

/** Signed distance of an ellipse, roughly, in the unit of its radii. */
const ellipse = (x: number, y: number, cx: number, cy: number, rx: number, ry: number): number =>
  (length((x - cx) / rx, (y - cy) / ry) - 1) * Math.min(rx, ry);

/** RGB, row by row: a grey background with the faces on it. */
export function drawFaces(width: number, height: number, faces: readonly DrawnFace[]): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let colour: Colour = [96 + (40 * y) / height, 110 + (30 * x) / width, 128];
      for (const face of faces) colour = paint(x + 0.5, y + 0.5, face, colour);
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = Math.round(Math.min(255, Math.max(0, colour[c]!)));
    }
  }
  return data;
}

/** The face's colour at a pixel over what lies behind it. The face's own coordinates have the eyes at (-0.5, 0) and (0.5, 0). */
function paint(px: number, py: number, face: DrawnFace, behind: Colour): Colour {
  const angle = (-(face.roll ?? 0) * Math.PI) / 180;
  const [dx, dy] = [(px - face.x) / face.eyes, (py - face.y) / face.eyes];
  const [u, v] = [dx * Math.cos(angle) - dy * Math.sin(angle), dx * Math.sin(angle) + dy * Math.cos(angle)];
  if (length(u, v) > 3.2) return behind;
  const soft = 1.5 / face.eyes;
  let colour = behind;
  const over = (top: Colour, cover: number): void => {
    if (cover <= 0) return;
    const [r, g, b] = colour;
    colour = [r + (top[0] - r) * cover, g + (top[1] - g) * cover, b + (top[2] - b) * cover];
  };
  over([70, 90, 150], smooth(ellipse(u, v, 0, 3.3, 1.9, 1.3), 0.1)); // clothes
  over([176, 128, 104], smooth(Math.max(Math.abs(u) - 0.55, Math.abs(v - 1.7) - 0.7), 0.2)); // neck
  over([58, 40, 30], smooth(ellipse(u, v, 0, -0.1, 1.28, 1.62), 0.12)); // hair
  const light = 1 - 0.16 * (u * u) - 0.05 * (v - 0.3) ** 2 + 0.05 * u;
  const skin: Colour = [222 * light, 172 * light, 146 * light];
  over(skin, smooth(ellipse(u, v, 0, 0.42, 1.08, 1.42), soft));
  for (const side of [-1, 1]) {
    over([150, 104, 86], 0.45 * smooth(ellipse(u, v, side * 0.5, -0.03, 0.36, 0.22), 0.2)); // sockets
    over([60, 42, 34], smooth(ellipse(u, v + 0.1 * (Math.abs(u) - 0.5) ** 2, side * 0.52, -0.33, 0.33, 0.06), 0.06)); // brows
    const eye = smooth(ellipse(u, v, side * 0.5, 0, 0.2, 0.1), soft * 1.2);
    over([232, 226, 222], eye);
    over([70, 50, 40], eye * smooth(ellipse(u, v, side * 0.5, 0, 0.095, 0.095), soft));
    over([12, 10, 10], eye * smooth(ellipse(u, v, side * 0.5, 0, 0.045, 0.045), soft));
    over([60, 40, 32], 0.8 * smooth(Math.abs(ellipse(u, v, side * 0.5, 0, 0.2, 0.1)) - (v < 0 ? 0.03 : 0.008), soft)); // lids
    over([120, 70, 58], 0.75 * smooth(ellipse(u, v, side * 0.1, 0.66, 0.055, 0.035), 0.05)); // nostrils
    over([236, 190, 166], 0.35 * smooth(ellipse(u, v, side * 0.62, 0.55, 0.3, 0.25), 0.3)); // cheeks
    over([176, 126, 104], 0.5 * smooth(ellipse(u, v, side * 0.19, 0.58, 0.06, 0.12), 0.08)); // wings of the nose
  }
  over([240, 200, 178], 0.6 * smooth(ellipse(u, v, 0, 0.32, 0.07, 0.36), 0.12)); // ridge of the nose
  over([150, 102, 84], 0.5 * smooth(ellipse(u, v, 0, 0.71, 0.17, 0.035), 0.06)); // below the nose
  const open = 0.25 * (face.mouth ?? 0.1);
  over([184, 88, 84], smooth(ellipse(u, v, 0, 1.06 + open / 2, 0.42, 0.12 + open), soft * 2)); // lips
  over([70, 24, 26], smooth(ellipse(u, v, 0, 1.06 + open / 2, 0.36, 0.015 + open), soft * 1.5)); // mouth
  over([160, 112, 92], 0.4 * smooth(ellipse(u, v, 0, 1.32 + open, 0.3, 0.05), 0.08)); // below the lip
  return colour;
}
