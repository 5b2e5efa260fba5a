#!/bin/sh
# Pins the newest versions again: constraints/*.txt and constraints/clients/*.txt, without addresses, for every Python
# that the project supports. A client's own requirements stand in constraints/clients/*.in.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
# Nobody else has the wheels of this machine's folder.
unset UV_FIND_LINKS PIP_FIND_LINKS
compile() {
    .venv/bin/uv pip compile --quiet --upgrade --no-emit-index-url --no-annotate --no-header "$@"
}
# torch pins what it needs of CUDA itself, and a torch for processors needs none of it.
without_cuda() {
    sed -i '/^\(nvidia-\|cuda-\|triton==\)/d' "$1"
}

compile --universal --python-version 3.10 --all-extras pyproject.toml -o constraints/dev.txt
without_cuda constraints/dev.txt
printf 'hatchling\nnodejs-wheel-binaries\n' | compile --universal --python-version 3.10 - -o constraints/build.txt
echo 'uv' | compile --universal --python-version 3.10 - -o constraints/tools.txt
for requirements in constraints/clients/*.in; do
    compile --universal --python-version 3.10 "$requirements" -o "${requirements%.in}.txt"
    without_cuda "${requirements%.in}.txt"
done
