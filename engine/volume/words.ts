// Errors of the kernel as Docker writes them.

/** C's "No such file or directory" after the last colon as Go writes it: "no such file or directory". */
export function lowerFirst(text: string): string {
  return text.trim().replace(/(^|: )([A-Z])([^:]*)$/, (_all, before: string, first: string, rest: string) => {
    return `${before}${first.toLowerCase()}${rest}`;
  });
}
