/** Listening to a process until it ends or has taken too long. */

/** Milliseconds. A limit that is left out does not end anything. */
export interface Patience {
  /** For all of it. */
  readonly total?: number;
  /** Without a word. */
  readonly silence?: number;
  /** After the end of the process, for others that keep its output open. */
  readonly lastWords?: number;
}

type Speaker = Bun.Subprocess<"ignore" | Blob | Uint8Array, "pipe", "pipe">;

/**
 * Hands on what a process says, stream by stream, until all is said. What runs out of patience is killed; the limit
 * that it ran into is returned, in milliseconds.
 */
export async function hearOut(
  child: Speaker,
  hear: (text: string, stream: "stdout" | "stderr") => void,
  { total, silence, lastWords }: Patience,
): Promise<number | undefined> {
  const over = Promise.withResolvers<number | undefined>();
  const after = (limit: number | undefined) =>
    limit === undefined ? undefined : setTimeout(() => over.resolve(limit), limit);
  const whole = after(total);
  let quiet = after(silence);
  const streams = (["stdout", "stderr"] as const).map((name) => [name, child[name].getReader()] as const);
  const listen = async ([name, reader]: (typeof streams)[number]) => {
    const decoder = new TextDecoder();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      clearTimeout(quiet);
      quiet = after(silence);
      hear(decoder.decode(read.value, { stream: true }), name);
    }
    hear(decoder.decode(), name);
  };
  const heard = Promise.all(streams.map(listen));
  const end = async () => {
    await child.exited;
    await (lastWords === undefined ? heard : Promise.race([heard, Bun.sleep(lastWords)]));
    return undefined;
  };
  try {
    return await Promise.race([end(), over.promise]);
  } finally {
    clearTimeout(whole);
    clearTimeout(quiet);
    child.kill("SIGKILL");
    await child.exited;
    for (const [, reader] of streams) await reader.cancel();
  }
}
