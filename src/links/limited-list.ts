/** Lists of limited length for messages: a container may have any number of addresses. */
const SHOWN = 8;

/** Counts texts and keeps the first eight. */
export class LimitedList {
  count = 0;
  private readonly first: string[] = [];

  add(text: string): void {
    if (this.count++ < SHOWN) this.first.push(text);
  }

  /** "a, b and 3 more"; "none" when there are none. */
  get text(): string {
    if (this.count === 0) return "none";
    const more = this.count - this.first.length;
    return `${this.first.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
  }
}
