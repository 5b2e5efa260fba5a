#!/bin/sh
# Usage: tools/environment.sh NAME EXTRAS
# Makes .venv with this project in it, editable, at the versions of constraints/dev.txt. NAME is the stamp it leaves; a
# run that finds the stamp of the same content does nothing.
set -eu
cd "$(dirname "$0")/.."
# A folder of wheels that the machine has for pip (a torch for processors, say) counts for uv too.
if [ -n "${PIP_FIND_LINKS:-}" ]; then
    export UV_FIND_LINKS="${UV_FIND_LINKS:-$(echo "$PIP_FIND_LINKS" | tr ' ' ',')}"
fi
name=$1 extras=$2
# Tests start hundreds of interpreters; TensorFlow imports in three seconds instead of nine.
[ "$name" = demo ] || export UV_COMPILE_BYTECODE=true

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

key=$(cat pyproject.toml constraints/dev.txt constraints/build.txt constraints/tools.txt | cksum | cut -d' ' -f1)
for stamp in ".venv/.$name-$key" ".venv/.dev-$key"; do
    if [ -e "$stamp" ] && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi
done

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    # Through sys.executable, as a name on the PATH may be a shim that changes its mind in another folder.
    python=$("$candidate" -c 'import sys; print(sys.executable) if (3, 10) <= sys.version_info < (3, 14) else exit(1)' 2>/dev/null) && break
    python=
done
[ -n "$python" ] || fail "no Python 3.10, 3.11, 3.12 or 3.13 on the PATH" "install one, or name it: make PYTHON=/path/to/python3"

if [ -n "${UV:-}" ]; then
    uv=$(command -v "$UV") || fail "there is no program $UV" "leave UV unset, and pip installs one for this project"
else
    tools=.cache/tools-$(cksum < constraints/tools.txt | cut -d' ' -f1)
    uv=$tools/bin/uv
    if ! [ -e "$tools/.installed" ]; then
        rm -rf "$tools"
        "$python" -m venv "$tools" >/dev/null || fail "$python cannot make a virtual environment" "install its venv module (Debian: apt-get install python3-venv)"
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r constraints/tools.txt 2>"$tools/log" || {
            cat "$tools/log" >&2
            fail "pip could not install uv" "check the network and pip's own settings, or name an installed one: make UV=/path/to/uv"
        }
        touch "$tools/.installed"
    fi
fi

.venv/bin/python -c 'import sys; exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null ||
    "$uv" venv --quiet --clear --python "$python" .venv
"$uv" pip install --quiet --python .venv/bin/python -c constraints/dev.txt --build-constraints constraints/build.txt \
    -e ".[$extras]" ||
    fail "the packages of constraints/dev.txt could not be installed" "the lines above say which; check the network"
ln -sf "$(cd "$(dirname "$uv")" && pwd)/$(basename "$uv")" .venv/bin/uv
rm -f .venv/."$name"-*
touch ".venv/.$name-$key"
