/**
 * TCP for tests of published ports, to be run in a network namespace:
 *
 *   bun tcp.ts listen PORT [ADDRESS]      says "ready", answers each connection with the address of the client
 *   bun tcp.ts ask ADDRESS PORT           says the answer, or "none"
 *   bun tcp.ts hold PORT PROGRAM          listens, and runs PROGRAM meanwhile
 */
import { connect, createServer } from "node:net";

const [command, first = "", second = ""] = process.argv.slice(2);
const plain = (address = "") => address.replace(/^::ffff:/, "");
if (command === "listen") {
  createServer((socket) => socket.end(plain(socket.remoteAddress))).listen(
    Number(first),
    second || "::",
    () => console.log("ready"),
  );
} else if (command === "hold") {
  createServer().listen(Number(first), () => {
    const { exitCode, stderr } = Bun.spawnSync([second], {
      stdin: "inherit",
      stdout: "ignore",
      env: process.env,
    });
    process.stderr.write(stderr);
    process.exit(exitCode);
  });
} else {
  const socket = connect({ host: first, port: Number(second) });
  const end = (text: string) => {
    console.log(text);
    process.exit(0);
  };
  socket.setTimeout(1500, () => end("none"));
  socket.on("error", () => end("none"));
  socket.on("data", (data) => end(String(data)));
}
