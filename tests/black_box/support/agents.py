"""Agents that others' software runs, with scripted models: pydantic-ai and ag-ui-langgraph behind AG-UI, LangGraph's own
`astream_events`. Every tool call is written to a file, so that a test sees how often a tool worked.

Usage: agents.py FILE PORT; prints the address once it listens."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from ag_ui.core import RunAgentInput
from ag_ui.encoder import EventEncoder
from ag_ui_langgraph import LangGraphAgent
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd, dumps
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

LOG = sys.argv[1]


def note(line: str) -> None:
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(line + "\n")


async def worked(expression: str) -> str:
    """What both tools do; an expression with `slow` takes its time."""
    note(f"tool {expression}")
    if "slow" in expression:
        await asyncio.sleep(2)
    if "bad" in expression:
        raise ValueError("the abacus broke")
    return json.dumps({"expression": expression, "value": 42})


def expression_of(question: str) -> str:
    return "slow 6*7" if "slowly" in question else "bad" if "badly" in question else "6*7"


def answer_to(question: str, found: str | None, turns: int) -> list[str]:
    """A scripted model's words."""
    if "story" in question:
        return [f"w{k} " for k in range(120)]
    if found is not None:
        return ["The tool ", f"said: {found}"]
    return [f"You said {question!r}, ", f"after {turns} earlier messages: ", "naïve café 🙂."]


# pydantic-ai


async def scripted(messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str | dict]:
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    questions = [str(part.content) for part in parts if isinstance(part, UserPromptPart)]
    found = next((part for part in reversed(messages[-1].parts) if isinstance(part, ToolReturnPart)), None)
    question = questions[-1]
    note(f"model {question}")
    if found is None and "six times seven" in question:
        yield {0: DeltaThinkingPart(content="A product; ")}
        yield {0: DeltaThinkingPart(content="the tool knows.")}
        arguments = json.dumps({"expression": expression_of(question)})
        yield {1: DeltaToolCall(name="abacus", tool_call_id="call_1")}
        for at in range(0, len(arguments), 3):
            yield {1: DeltaToolCall(json_args=arguments[at : at + 3])}
        return
    if found is None and "safe" in question:
        yield {0: DeltaToolCall(name="safe", tool_call_id="call_safe", json_args='{"code": "1234"}')}
        return
    if "fail" in question:
        raise RuntimeError("the scripted model failed")
    for word in answer_to(question, None if found is None else str(found.content), len(questions) - 1):
        yield word
        if "story" in question:
            await asyncio.sleep(0.02)


pydantic_agent = Agent(FunctionModel(stream_function=scripted), output_type=[str, DeferredToolRequests])


@pydantic_agent.tool_plain(name="safe", requires_approval=True)
async def safe(code: str) -> str:
    """Opens the safe."""
    note(f"tool safe {code}")
    return f"open with {code}"


@pydantic_agent.tool_plain(name="abacus")
async def abacus_of_pydantic(expression: str) -> str:
    """Works out an expression."""
    return await worked(expression)


async def pydantic(request: Request):
    return await AGUIAdapter.dispatch_request(request, agent=pydantic_agent)


# LangGraph


class Scripted(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools, **kwargs):
        return self

    def _chunks(self, messages: list[BaseMessage]) -> list[AIMessageChunk]:
        questions = [str(message.content) for message in messages if isinstance(message, HumanMessage)]
        question, last = questions[-1], messages[-1]
        note(f"model {question}")
        if "fail" in question:
            raise RuntimeError("the scripted model failed")
        if not isinstance(last, ToolMessage) and "six times seven" in question:
            arguments = json.dumps({"expression": expression_of(question)})
            first = {"name": "abacus", "args": "", "id": f"call_{len(messages)}", "index": 0}
            calls = [first] + [
                {"name": None, "args": arguments[at : at + 3], "id": None, "index": 0}
                for at in range(0, len(arguments), 3)
            ]
            chunks = [
                AIMessageChunk(content=[{"type": "thinking", "thinking": "A product; the tool knows.", "index": 0}])
            ]
            chunks += [
                AIMessageChunk(content="", tool_call_chunks=[{**call, "type": "tool_call_chunk"}]) for call in calls
            ]
        else:
            found = str(last.content) if isinstance(last, ToolMessage) else None
            chunks = [AIMessageChunk(content=word) for word in answer_to(question, found, len(questions) - 1)]
        usage = {"input_tokens": 7, "output_tokens": 11, "total_tokens": 18}
        return [*chunks, AIMessageChunk(content="", usage_metadata=usage, chunk_position="last")]

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        chunks = self._chunks(messages)
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        return ChatResult(generations=[ChatGeneration(message=whole)])

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        for chunk in self._chunks(messages):
            if "story" in str(messages[-1].content):
                await asyncio.sleep(0.02)
            yield ChatGenerationChunk(message=chunk)


@tool("abacus")
async def abacus_of_langgraph(expression: str) -> str:
    """Works out an expression."""
    return await worked(expression)


def graph(checkpointer=None):
    async def model(state: MessagesState):
        question = next(m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
        if "permission" in str(question.content):
            allowed = interrupt({"question": "May I?"})
            return {"messages": [AIMessageChunk(content=f"You said {allowed}.")]}
        return {"messages": [await Scripted().ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tools", ToolNode([abacus_of_langgraph], handle_tool_errors=True))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=checkpointer)


langgraph_agent = LangGraphAgent(name="graph", graph=graph(InMemorySaver()))


async def langgraph(request: Request):
    given = RunAgentInput.model_validate(await request.json())
    encoder = EventEncoder(accept=request.headers.get("accept"))
    events = langgraph_agent.clone().run(given)
    return StreamingResponse((encoder.encode(event) async for event in events), media_type=encoder.get_content_type())


plain = graph()


def events_of(body: dict):
    note(f"input {json.dumps(body['input'])}")
    return plain.astream_events(body["input"], body.get("config"), version="v2")


def plainly(value):
    """Objects as their fields, as LangServe writes them."""
    return value.model_dump() if hasattr(value, "model_dump") else str(value)


async def langserve(request: Request):
    events = events_of(await request.json())

    async def stream():
        try:
            async for event in events:
                yield f"event: data\r\ndata: {json.dumps(event, default=plainly)}\r\n\r\n"
        except Exception as error:
            yield f"event: error\r\ndata: {json.dumps({'status_code': 500, 'message': str(error)})}\r\n\r\n"
            return
        yield "event: end\r\n\r\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def lines(request: Request):
    events = events_of(await request.json())

    async def stream():
        async for event in events:
            yield json.dumps(dumpd(event)) + "\n"

    return StreamingResponse(stream(), media_type="application/x-ndjson")


async def wrapped(request: Request):
    """As many a first attempt writes it: each event as a string of JSON in which objects are strings of JSON once more."""
    events = events_of(await request.json())

    async def stream():
        async for event in events:
            event["data"] = {key: dumps(value) for key, value in event["data"].items()}
            yield f"data: {json.dumps(json.dumps(event))}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def platform(request: Request):
    """The shape of LangGraph's platform: `events` and what is beside them."""
    body = await request.json()
    note(f"thread {request.path_params.get('thread', '-')} {body['assistant_id']}")
    events = events_of(body)

    async def stream():
        yield 'event: metadata\ndata: {"run_id":"1","attempt":1}\n\n'
        async for event in events:
            yield f"event: events\ndata: {json.dumps(event, default=plainly)}\n\n"
            yield ": heartbeat\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


def routes():
    handlers = {"/pydantic": pydantic, "/langgraph": langgraph, "/stream_events": langserve, "/lines": lines}
    handlers |= {"/wrapped": wrapped, "/threads/{thread}/runs/stream": platform, "/runs/stream": platform}
    return [Route(path, handler, methods=["POST"]) for path, handler in handlers.items()]


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes()), log_level="warning"))
    asyncio.run(server.serve(sockets=[listener]))
