/** Reads DNS settings from a file in the form of resolv.conf(5) (rule H55). */

import { CniError, code } from "../../cni/error.ts";
import type { Dns } from "../../cni/result.ts";
import { readToEnd } from "../../sys/descriptor.ts";
import { SystemError } from "../../sys/errno.ts";
import { isRegular, O, sameFile, status, statusOf, withFile } from "../../sys/file.ts";
import { describeKind, ForeignFileError, isFileFailure } from "../../sys/own-file.ts";

/** More than any resolver needs. */
const MOST_BYTES = 64 * 1024;
const EFBIG = 27;

/** @throws CniError code 5 when the file cannot be read. */
export function readResolvConf(path: string): Dns {
  try {
    // O_NONBLOCK: opening a fifo must not block the plugin.
    const bytes = withFile(path, O.RDONLY | O.NONBLOCK, 0, (fd) => {
      const found = statusOf(fd);
      if (!isRegular(found) && !sameFile(found, status("/dev/null")))
        throw new ForeignFileError(path, `leads to ${describeKind(found)}, not to a regular file`);
      return readToEnd(fd, MOST_BYTES + 1);
    });
    if (bytes.length > MOST_BYTES) throw new SystemError("read", EFBIG, path);
    return parseResolvConf(new TextDecoder().decode(bytes));
  } catch (error) {
    if (!isFileFailure(error)) throw error;
    throw new CniError(code.io, `cannot read the file that ipam.resolvConf names: ${error.message}`, "", {
      cause: error,
    });
  }
}

/** Each line has a keyword and its values. Other keywords, keywords without a value and comments are ignored. */
export function parseResolvConf(text: string): Dns {
  const nameservers: string[] = [];
  const search: string[] = [];
  const options: string[] = [];
  let domain = "";
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (keyword === undefined || first === undefined || /^[#;]/.test(keyword)) continue;
    if (keyword === "nameserver") nameservers.push(first);
    else if (keyword === "domain") domain = first;
    else if (keyword === "search" || keyword === "options") {
      const list = keyword === "search" ? search : options;
      for (const value of values) list.push(value);
    }
  }
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain !== "" && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  };
}
