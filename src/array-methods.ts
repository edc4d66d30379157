/**
 * The methods of arrays that take a function, replaced when the program starts. The engine has them as source, which it
 * compiles when a process first uses each: 0.2 ms of an ADD. These are in the program's bytecode
 * (docs/decisions/0019-array-methods.md). They do what the language says of them, but for subclasses of Array and objects
 * that are none, which nothing here has. Whether there is a hole is asked where the value could be one: asking costs as
 * much as the rest of a turn.
 */

const { prototype } = Array;

type Callback<T, Result> = (value: T, index: number, list: T[]) => Result;

prototype.map = function map<T, U>(this: T[], callback: Callback<T, U>, self?: unknown): U[] {
  const { length } = this;
  const mapped = new Array<U>(length);
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if (value !== undefined || index in this) mapped[index] = callback.call(self, value, index, this);
  }
  return mapped;
};

prototype.forEach = function forEach<T>(this: T[], callback: Callback<T, void>, self?: unknown): void {
  const { length } = this;
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if (value !== undefined || index in this) callback.call(self, value, index, this);
  }
};

prototype.filter = function filter<T>(this: T[], callback: Callback<T, unknown>, self?: unknown): T[] {
  const { length } = this;
  const kept: T[] = [];
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if (value === undefined && !(index in this)) continue;
    if (callback.call(self, value, index, this)) kept.push(value);
  }
  return kept;
};

prototype.some = function some<T>(this: T[], callback: Callback<T, unknown>, self?: unknown): boolean {
  const { length } = this;
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if ((value !== undefined || index in this) && callback.call(self, value, index, this)) return true;
  }
  return false;
};

prototype.every = function every<T>(this: T[], callback: Callback<T, unknown>, self?: unknown): boolean {
  const { length } = this;
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if ((value !== undefined || index in this) && !callback.call(self, value, index, this)) return false;
  }
  return true;
} as typeof prototype.every;

prototype.find = function find<T>(this: T[], callback: Callback<T, unknown>, self?: unknown): T | undefined {
  const { length } = this;
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if (callback.call(self, value, index, this)) return value;
  }
  return undefined;
} as typeof prototype.find;

prototype.findIndex = function findIndex<T>(
  this: T[],
  callback: Callback<T, unknown>,
  self?: unknown,
): number {
  const { length } = this;
  for (let index = 0; index < length; index++) {
    if (callback.call(self, this[index] as T, index, this)) return index;
  }
  return -1;
};

prototype.flatMap = function flatMap<T, U>(
  this: T[],
  callback: Callback<T, U | readonly U[]>,
  self?: unknown,
): U[] {
  const flat: U[] = [];
  const { length } = this;
  for (let index = 0; index < length; index++) {
    const value = this[index] as T;
    if (value === undefined && !(index in this)) continue;
    const item = callback.call(self, value, index, this);
    if (!Array.isArray(item)) flat.push(item as U);
    else for (let at = 0; at < item.length; at++) if (at in item) flat.push(item[at] as U);
  }
  return flat;
} as typeof prototype.flatMap;

export {};
