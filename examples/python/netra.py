"""Asks a Netra agent and prints its answer as it comes. NETRA_URL and NETRA_TOKEN (an API token) say where and who."""
import asyncio, json, os, sys, uuid
from websockets import ConnectionClosed, InvalidHandshake, connect  # pip install websockets; 14 or newer

URL = os.environ.get("NETRA_URL", "http://127.0.0.1:3000").replace("http", "ws", 1).rstrip("/") + "/ws"
HEADERS = {"Authorization": f"Bearer {os.environ['NETRA_TOKEN']}"}

def frame(kind, payload, **fields):
    return json.dumps({"v": 1, "type": kind, "id": str(uuid.uuid4()), "payload": payload, **fields})

async def main(prompt):
    start = frame("start_agent", {"content": prompt})  # sent again with the same id, it is carried out once
    ack, cursor, printed = None, {"after_seq": 0}, ""
    def show(text):
        nonlocal printed
        if not text.startswith(printed):  # the agent began its answer again
            printed = print() or ""
        print(text[len(printed):], end="", flush=True)
        printed = text
    async for socket in connect(URL, subprotocols=["netra.v1"], additional_headers=HEADERS, max_size=None):
        try:  # `async for` connects again after a cut, with growing pauses while the server is away
            await socket.send(frame("subscribe", cursor, thread_id=ack["thread_id"]) if ack else start)
            async for text in socket:
                message = json.loads(text)
                kind, payload, seq = message["type"], message["payload"], message.get("seq")
                if kind == "heartbeat":
                    await socket.send(frame("heartbeat_ack", {}, reply_to=message["id"]))
                elif kind == "ack":
                    ack = payload
                    await socket.send(frame("subscribe", cursor, thread_id=ack["thread_id"]))
                elif kind == "error_message":
                    if not payload["retryable"]:
                        return f"{payload['code']}: {payload['message']}"
                    await asyncio.sleep(payload.get("retry_after_ms", 1000) / 1000)
                    break  # and ask again on a new connection
                elif kind == "thread_snapshot":  # the log no longer holds what follows the cursor
                    cursor = {"after_seq": payload["as_of_seq"], "epoch": payload["epoch"]}
                    run = next(run for run in payload["runs"] if run["run_id"] == ack["run_id"])
                    show(run["text"])
                    if run["status"] not in ("queued", "running"):
                        return run.get("error", {}).get("message")
                elif seq is not None and seq > cursor["after_seq"] + 1:
                    break  # something is missing: subscribe again
                elif seq == cursor["after_seq"] + 1:
                    cursor = {"after_seq": seq, "epoch": message["epoch"]}
                    mine = message.get("run_id") == ack["run_id"]
                    if mine and kind == "partial_result":
                        show(("" if payload.get("reset") else printed) + payload["delta"])
                    elif mine and kind in ("agent_completed", "agent_error"):
                        print()
                        return payload.get("message")
        except ConnectionClosed as closed:
            if closed.rcvd and 4400 <= closed.rcvd.code < 4500 and closed.rcvd.code != 4401:
                raise  # it would happen again

try:
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]))))  # what `main` returns is the error, if any
except (ConnectionClosed, InvalidHandshake) as error:
    sys.exit(f"no connection: {error}")
