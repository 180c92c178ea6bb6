#!/usr/bin/env bash
# Builds and tests Headrace in a fresh Debian 13 (libtorch 2.6), as a user with Node and a compiler would.
#
#   sudo scripts/test-debian13.sh FOLDER          make the root in FOLDER if it is not there, then `npm test` in it
#   sudo scripts/test-debian13.sh --cuda FOLDER   compile the addon there against libtorch-cuda-dev; runs nothing
#
# Needs debootstrap, and room: 3 GB for the first, 12 GB for the second, in two different folders.
# DEBIAN_MIRROR chooses the mirror. What is committed is tested: the root gets a clone.
set -euo pipefail

cuda=no
if [[ "${1:-}" == --cuda ]]; then
  cuda=yes
  shift
fi
if [[ $# -ne 1 || "$1" == -* ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
fail() {
  echo "test-debian13: $*" >&2
  exit 1
}
say() { echo "test-debian13: $*" >&2; }
[[ $EUID -eq 0 ]] || fail 'chroot needs root: run it with sudo'
command -v debootstrap > /dev/null || fail 'debootstrap is missing: apt-get install -y debootstrap'

source="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
root="$(mkdir -p "$1" && cd "$1" && pwd)"
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"

environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI="${CI:-}")
inside() { chroot "$root" /usr/bin/env -i "${environment[@]}" "$@"; }
install() { inside DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" > "$root/apt.log" 2>&1 ||
  { tail -n 20 "$root/apt.log" >&2; fail "could not install $*"; }; }

if [[ ! -e "$root/ready" ]]; then
  say "making a Debian 13 root in $root (some minutes)"
  debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$mirror" > "$root.log" 2>&1 ||
    fail "debootstrap failed; see $root.log"
  echo "deb $mirror trixie main contrib non-free non-free-firmware" > "$root/etc/apt/sources.list"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  inside apt-get update -q > /dev/null
  install nodejs npm g++ git
  touch "$root/ready"
fi

for place in proc dev sys; do
  mountpoint -q "$root/$place" || mount --rbind "/$place" "$root/$place"
done
unmount() { for place in proc dev sys; do umount --recursive --lazy "$root/$place" || true; done; }
trap unmount EXIT
# What is mounted on must not be undone through the root's own mounts.
for place in proc dev sys; do mount --make-rslave "$root/$place"; done

# Behind a proxy that signs for others, npm needs its certificate too.
if [[ -n "${NODE_EXTRA_CA_CERTS:-}" ]]; then
  cp -L "$NODE_EXTRA_CA_CERTS" "$root/root/extra-ca.crt"
  environment+=(NODE_EXTRA_CA_CERTS=/root/extra-ca.crt)
fi

rm -rf "$root/root/headrace"
git clone -q --no-local "$source" "$root/root/headrace"

if [[ $cuda == yes ]]; then
  say 'installing libtorch-cuda-dev (2.5 GB)'
  # cuDNN would be downloaded from its maker under a licence; nothing is run here, so it is not needed.
  echo 'nvidia-cudnn nvidia-cudnn/question select I Decline' | inside debconf-set-selections
  install libtorch-cuda-dev
  inside sh -c 'cd /root/headrace && npm ci --no-audit --no-fund --loglevel=error && node scripts/build-native.mjs'
  inside sh -c 'cd /root/headrace && grep -q "\"cuda\": true" build/native/build.json' ||
    fail 'the addon was built, but not against CUDA'
  say 'the addon compiles and links against libtorch-cuda-dev'
else
  # libtorch-dev is left for the set-up itself to install.
  inside sh -c 'cd /root/headrace && npm test'
  say "passed with libtorch $(inside sh -c "dpkg-query -W -f '\${Version}' libtorch-dev") and Node $(inside node --version)"
fi
