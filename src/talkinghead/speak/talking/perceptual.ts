/** How different two pictures look to a network: distances of its features, level by level. */
import { Conv2d, functional as F, Module, ModuleList } from '../../../nn/index.js';
import { inFull } from '../../../pipeline/compute.js';
import { openWeights } from '../../../text/bert-weights.js';
import { DataError, noGrad, scope, type Tensor, tensor } from '../../../torch/index.js';
import { type FaceCoder, reduced } from '../irfd.js';

export interface Looker {
  /** Which network it is, for people. */
  readonly name: string;
  /** Maps of pictures from -1 to 1, [B, C, H, W] each. */
  maps(pictures: Tensor): Tensor[];
}

/** Features of IRFD's encoders of identity and emotion: of faces, and trained on them. */
export function coderLooker(coder: FaceCoder): Looker {
  return {
    name: "IRFD's encoders of identity and emotion",
    maps: (pictures) => {
      const seen = reduced(pictures, coder.size);
      return [...coder.identity.maps(seen), ...coder.emotion.maps(seen)];
    },
  };
}

/**
 * VGG (Simonyan and Zisserman 2014) without its classifier, of any number of layers: as many as the weights tell of.
 * Keys: `features.N`, torchvision's: convolutions of 3 x 3, between which the maps are halved where a number is skipped.
 */
class Vgg extends Module {
  features: ModuleList<Conv2d>;

  /** @param numbers - of the convolutions, rising */
  constructor(
    readonly numbers: readonly number[],
    channels: readonly (readonly [number, number])[],
  ) {
    super();
    this.features = new ModuleList(channels.map(([inside, out]) => new Conv2d(inside, out, 3, { padding: 1 })));
  }

  /** What there is before the maps are halved, and at the end. */
  forward(pictures: Tensor): Tensor[] {
    const [mean, deviation] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ].map((values) => tensor(values, { shape: [1, 3, 1, 1] })) as [Tensor, Tensor];
    let x = pictures.add(1).div(2).sub(mean).div(deviation);
    const maps: Tensor[] = [];
    for (const [i, conv] of [...this.features].entries()) {
      x = conv.forward(x).relu();
      const step = (this.numbers[i + 1] ?? Number.POSITIVE_INFINITY) - this.numbers[i]!;
      if (step === 2) continue;
      maps.push(x);
      // A map of one pixel cannot be halved: pictures are small.
      if (step === Number.POSITIVE_INFINITY || Math.min(x.shape[2]!, x.shape[3]!) < 2) break;
      x = F.maxPool2d(x, 2);
    }
    return maps;
  }
}

/**
 * A VGG of a folder: `model.safetensors` or `pytorch_model.bin` with torchvision's keys (of VGG-11 to VGG-19, without batch norm).
 * @throws DataError where there is none
 */
export function vggLooker(folder: string): Looker {
  const file = openWeights(folder);
  try {
    const keys = file.keys().filter((key) => /^features\.\d+\.weight$/.test(key));
    const numbers = keys.map((key) => Number(key.split('.')[1])).sort((a, b) => a - b);
    const wide = numbers.map((number) => file.entry(`features.${number}.weight`).shape);
    const fits = (shape: readonly number[], i: number): boolean =>
      shape.length === 4 && shape[2] === 3 && shape[3] === 3 && shape[1] === (wide[i - 1]?.[0] ?? 3);
    if (numbers[0] !== 0 || !wide.every(fits))
      throw new DataError(
        `Expected ${folder} to hold a VGG's weights by torchvision's names (features.0.weight, ...), found ${file.keys().slice(0, 4).join(', ')}`,
      );
    const network = new Vgg(
      numbers,
      wide.map(([out, inside]) => [inside!, out!]),
    );
    noGrad(() =>
      scope(() => {
        const given = numbers.flatMap((number, i) =>
          ['weight', 'bias'].map((part) => [`features.${i}.${part}`, file.get(`features.${number}.${part}`)] as const),
        );
        network.loadStateDict(new Map(given));
      }),
    );
    network.requiresGrad_(false).eval();
    return {
      name: `a VGG of ${numbers.length} convolutions from ${folder}`,
      maps: (pictures) => network.forward(pictures),
    };
  } finally {
    file.close();
  }
}

/**
 * The mean over the maps of squared distances of their pixels' features, which are brought to length 1 first, so that all maps count
 * alike (as Zhang et al. 2018 have it, without their weights).
 */
export function perceptualLoss(looker: Looker, made: Tensor, truth: Tensor): Tensor {
  const meant = noGrad(() => looker.maps(truth));
  const maps = looker.maps(made);
  const unit = (map: Tensor): Tensor => F.normalize(inFull('bfloat16', map), { dim: 1 });
  return maps
    .map((map, i) => unit(map).sub(unit(meant[i]!)).square().sum(1).mean())
    .reduce((sum, each) => sum.add(each))
    .div(maps.length);
}
