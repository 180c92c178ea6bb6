/** Names as PyTorch spells them, and as they are spelled here. */

/** `requires_grad` as `requiresGrad`; underscores at the ends, the last of which says "in place", stay. */
export const camelCase = (name: string): string =>
  name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
