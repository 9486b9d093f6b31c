#!/usr/bin/env bash
# Configure a CMake preset when it is new, and build it: scripts/build.sh <preset> [ninja target ...]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
folder=build
[ "$preset" = default ] || folder=build-$preset
[ -e "$folder/build.ninja" ] || cmake --preset "$preset" > /dev/null
ninja -C "$folder" --quiet "$@"

# The command and the Python package of the build tree, where the virtual environment finds them.
if [ "$preset" = default ] && [ -d .venv ]; then
  ln -sfn ../../build/bin/tetrarch .venv/bin/tetrarch
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  echo "$PWD/build/python" > "$site/tetrarch-build-tree.pth"
fi
