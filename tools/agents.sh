#!/usr/bin/env bash
# Makes sure that the tests of remote agents have agents that others wrote: PyPI's pydantic-ai, ag-ui-langgraph and LangGraph, and
# npm's opencode, in folders of their own. Without them those tests say that they did not run.
set -eu
cd "$(dirname "$0")/.."

coder=target/acp-agents
coder_version=1
if [ "$(cat $coder/version 2>/dev/null)" != "$coder_version" ]; then
  rm -rf $coder
  mkdir -p $coder
  if echo "netra: installing opencode, an agent for tests" \
    && npm install --silent --no-audit --no-fund --prefix $coder opencode-ai@1.18.33 >/dev/null \
    && $coder/node_modules/.bin/opencode --version >/dev/null; then
    echo $coder_version >$coder/version
  else
    rm -rf $coder
    echo "netra: opencode is missing, so its test will not run" >&2
  fi
fi

folder=target/remote-agents
version=1
if [ "$(cat $folder/version 2>/dev/null)" = "$version" ]; then
  exit 0
fi
rm -rf $folder
if command -v python3 >/dev/null && echo "netra: installing pydantic-ai and LangGraph, agents for tests; about 40 seconds" \
  && python3 -m venv $folder >/dev/null && $folder/bin/pip install -q "pydantic-ai-slim[ag-ui]==2.68.0" "ag-ui-protocol==1.0.0" \
    "ag-ui-langgraph==0.0.47" "langgraph==1.2.24" "langchain-core==1.8.3" "fastapi==0.165.0" "uvicorn==0.54.0"; then
  echo $version >$folder/version
  exit 0
fi
echo "netra: pydantic-ai and LangGraph are missing, so the tests of remote agents will not run; they want Python 3 with venv" >&2
