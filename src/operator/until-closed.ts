/** Standard output of a command whose reader may have had enough, as `head -1` has (rule O4). */
import { failedWith } from "../sys/errno.ts";

/** Drops what the reader does not want any more. The command goes on, and its exit code is the same. */
export function untilClosed(write: (text: string) => void): (text: string) => void {
  return (text) => {
    try {
      write(text);
    } catch (error) {
      if (!failedWith(error, "EPIPE")) throw error;
    }
  };
}
