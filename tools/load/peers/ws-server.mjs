// The plain broadcast loop of `ws`: what arrives at /publish goes to everyone at /ws.
import { WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false, backlog: 4096 });

server.on("connection", (socket, request) => {
  if (request.url !== "/publish") return;
  socket.on("message", (data) => {
    for (const client of server.clients) {
      if (client !== socket) client.send(data, { binary: false });
    }
  });
});
server.on("listening", () => console.log("ready"));
