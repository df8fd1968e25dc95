#!/usr/bin/env bash
# Makes sure that the tests of a bucket have a server that speaks S3 and checks keys: PyPI's moto, in a folder of its own. Without it
# those tests say that they did not run.
set -eu
cd "$(dirname "$0")/.."

folder=target/s3-server
version=5.2.5
if [ "$(cat $folder/version 2>/dev/null)" = "$version" ]; then
  exit 0
fi
rm -rf $folder
if command -v python3 >/dev/null && echo "netra: installing moto $version, an S3 server for tests; about 15 seconds" \
  && python3 -m venv $folder >/dev/null && $folder/bin/pip install -q "moto[s3]==$version" "flask>=3,<4" "flask-cors>=6,<7"; then
  echo $version >$folder/version
  exit 0
fi
echo "netra: moto is missing, so the tests of a bucket will not run; they want Python 3 with venv" >&2
