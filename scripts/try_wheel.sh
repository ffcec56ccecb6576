#!/usr/bin/env bash
# Install the wheel of dist/ into an empty environment and run the demo:
#   scripts/try_wheel.sh            the newest dependencies
#   scripts/try_wheel.sh lowest     the lowest that pyproject.toml allows (needs uv)
# TORCH names the build of torch; set it to a CPU build on a machine without an accelerator.
set -euo pipefail
cd "$(dirname "$0")/.."

which="${1:-newest}"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/env"
bin="$place/env/bin"
"$bin/pip" install -q uv

options=(--python "$bin/python")
if [ "$which" = lowest ]; then
    # torch is left at a build that the machine can hold; its own lowest is another question.
    options+=(--resolution lowest-direct)
fi
"$bin/uv" pip install -q "${options[@]}" "torch==${TORCH:-2.13.0}" dist/*.whl
cd "$place"
"$bin/parsimony" --version
"$bin/python" -X importtime -c 'import parsimony' 2>&1 | tail -1
"$bin/parsimony" demo --quiet
"$bin/pip" list --format=freeze | grep -iE '^(torch|numpy|polars|numba|scipy|pydantic|typer)='
