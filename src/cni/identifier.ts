/** The form of container ids and network names (rules A3, A10). */

/**
 * Whether `text` may be a container id or a network's name. Both become parts of paths, rules and comments: such a
 * text can't leave a directory, look like an option or end a line.
 */
export function isIdentifier(text: string): boolean {
  // No regular expression, for every call comes here: the first one of a process costs 0.06 ms.
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    const isAlphanumeric =
      (character >= "a" && character <= "z") ||
      (character >= "A" && character <= "Z") ||
      (character >= "0" && character <= "9");
    if (!isAlphanumeric && (index === 0 || !"_.-".includes(character))) return false;
  }
  return text !== "";
}
