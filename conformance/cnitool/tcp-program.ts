/** Run by tcp.ts: `serve PORT` tells each who connects its address; `ask PORT HOST` prints what it is told. */
import { connect, createServer } from "node:net";

const [what, port, host = ""] = process.argv.slice(2);
if (what === "serve") {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end((socket.remoteAddress ?? "").replace(/^::ffff:/, ""));
  });
  server.listen({ port: Number(port), host: "::" }, () => console.log("ready"));
} else {
  connect({ port: Number(port), host, timeout: 30_000 })
    .on("data", (told) => console.log(told.toString()))
    .on("error", (error) => console.log(String(error)))
    .on("timeout", () => process.exit(1));
}
