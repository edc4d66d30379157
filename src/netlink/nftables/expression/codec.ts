/** How one kind of expression is written and read: the attributes inside NFTA_EXPR_DATA. */
import type { Attributes } from "../../attribute.ts";
import type { ByteWriter } from "../../bytes.ts";

export interface ExpressionCodec<E> {
  put(writer: ByteWriter, expression: E): void;
  /** @throws DecodeError */
  read(attributes: Attributes): E;
}
