/** The first of many, for messages: what a container has is as much as it likes. */
const SHOWN = 8;

/** Counts texts and keeps the first few. */
export class Some {
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
