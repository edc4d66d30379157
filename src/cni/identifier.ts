/** The form of container ids and network names (rules A3, A10). */

/**
 * Whether `text` may be a container id or a network's name. Both become parts of paths, rules and comments: such a
 * text can't leave a directory, look like an option or end a line.
 */
export const isIdentifier = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
