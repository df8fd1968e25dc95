// The plain broadcast of Socket.IO, with connection state recovery, its nearest thing to a log: `publish` goes to everyone.
import { createServer } from "node:http";
import { Server } from "socket.io";

const port = Number(process.argv[2]);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], connectionStateRecovery: {}, perMessageDeflate: false });

io.on("connection", (socket) => {
  socket.on("publish", (message) => io.emit("m", message));
});
http.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => console.log("ready"));
