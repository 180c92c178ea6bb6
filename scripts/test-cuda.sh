#!/usr/bin/env bash
# Builds the addon against the CUDA libtorch that is there, runs the tests that need a device, and a short benchmark.
#
#   scripts/test-cuda.sh FOLDER         on a machine with a GPU, a compiler and Python's torch (or LIBTORCH set): 8 minutes at most
#   scripts/test-cuda.sh --dry FOLDER   the same way on the CPU: is everything there, and does it run?
#
# The package comes compiled (npm run setup, and npm test once, elsewhere): dist/, build/test, build/bench and node_modules. Node is on
# the PATH, or its archive (node-*.tar.gz or .tar.xz, from nodejs.org) lies in FOLDER and is unpacked there. JOBS compilers run at once
# (default: one a core).
set -euo pipefail

device=cuda:0
if [[ "${1:-}" == --dry ]]; then
  device=cpu
  shift
fi
if [[ $# -ne 1 || "$1" == -* ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
say() { echo "test-cuda: $*" >&2; }
fail() {
  say "$*"
  exit 1
}
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="$(cd "$1" && pwd)" || fail "there is no folder $1"
begun=$SECONDS
# What is left of 8 minutes, for the step that comes.
within() {
  local left=$((480 - (SECONDS - begun)))
  ((left > 0)) || fail 'the 8 minutes are over'
  timeout --signal=KILL "$left" "$@" || fail "this failed, or took longer than what was left ($left s): $*"
}

archive="$(find "$folder" -maxdepth 1 -name 'node-*.tar.*' | head -n 1)"
if [[ -n "$archive" ]]; then
  mkdir -p "$folder/node"
  tar -xf "$archive" -C "$folder/node" --strip-components=1
  export PATH="$folder/node/bin:$PATH"
fi
command -v node > /dev/null || fail "there is no node: put its archive (node-*.tar.xz) into $folder"
for part in dist build/test build/bench node_modules; do
  [[ -d "$root/$part" ]] || fail "$part/ is missing: compile the package first, and bring it along"
done
cd "$root"
say "Node $(node --version), $device"

within env JOBS="${JOBS:-$(nproc)}" node scripts/build-native.mjs
if [[ $device != cpu ]]; then
  grep -q '"cuda": true' build/native/build.json || fail 'the libtorch that was found is not one for CUDA: name one by LIBTORCH'
  node dist/cli/main.js doctor --json | grep -q 'cuda:0' || fail 'libtorch sees no CUDA device: is the driver there (nvidia-smi)?'
fi
say "addon built after $((SECONDS - begun)) s"

within node --enable-source-maps --test build/test/pipeline/device.test.js
say "device tests passed after $((SECONDS - begun)) s"

size=(--schedules bp,sequential,ppll --steps 60 --batch 256 --rounds 3)
[[ $device == cpu ]] && size=(--schedules ppll --steps 2 --batch 8 --rounds 1 --warm-up 1)
for compute in float32 bfloat16; do
  within node dist/cli/main.js compare resnet32 --data mnist --stages 2 --cut 15 --limit 2048 --devices "$device" --compute "$compute" "${size[@]}"
done
within node build/bench/device.js "$device"
say "done after $((SECONDS - begun)) s"
