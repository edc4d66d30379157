/** Run by tcp.ts: `serve PORT NAME` tells each who connects its name and address; `ask PORT HOST` prints what it is told. */
import { connect, createServer } from "node:net";

const [what, port, word = ""] = process.argv.slice(2);
if (what === "serve") {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    const address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    socket.end(word === "" ? address : `${word} ${address}`);
  });
  server.listen({ port: Number(port), host: "::" }, () => console.log("ready"));
} else {
  connect({ port: Number(port), host: word, timeout: 30_000 })
    .on("data", (told) => console.log(told.toString()))
    .on("error", (error) => console.log(String(error)))
    .on("timeout", () => process.exit(1));
}
