// A real mail server (npm `smtp-server`) for the tests: prints each letter it takes as a line of JSON. With `refuse` it takes none.
import { SMTPServer } from "smtp-server";

const refuse = process.argv[2] === "refuse";

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  onAuth: ({ username, password }, _, done) =>
    username === "netra" && password === "the password of the mail server"
      ? done(null, { user: username })
      : done(new Error("wrong")),
  allowInsecureAuth: true,
  onMailFrom: (_, __, done) => done(refuse ? Object.assign(new Error("not now"), { responseCode: 451 }) : null),
  onData: (stream, session, done) => {
    let text = "";
    stream.on("data", (chunk) => (text += chunk));
    stream.on("end", () => {
      const { mailFrom, rcptTo } = session.envelope;
      const to = rcptTo.map(({ address }) => address);
      console.log(JSON.stringify({ from: mailFrom.address, to, user: session.user ?? null, text }));
      done();
    });
  },
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.server.address().port}`));
