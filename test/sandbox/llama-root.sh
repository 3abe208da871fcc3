#!/bin/bash
# llama-root.sh - a root folder that holds the real llama-server and its libraries, from Debian's packages alone.
#
#   llama-root.sh [--mirror URI] [DIR]     default DIR: .cache/llama-root of this checkout; prints DIR
#
# The package is in Debian forky and needs a newer libc than Debian 12's, hence a root of its own. Nothing is installed:
# a private apt resolves and downloads the packages with their signatures verified, dpkg-deb unpacks them, and a
# `llama-server --version` inside proves the result before it is put in place. A finished root is never rebuilt:
# later runs touch no network. Root is not needed. Run the server in it with `unshare -r -R DIR /usr/bin/llama-server`;
# its models go below DIR/models, which anybody may write to.
set -euo pipefail
SUITE=forky PACKAGE=llama.cpp-tools
die() { echo "llama-root.sh: $*" >&2; exit 1; }
say() { echo "llama-root.sh: $*" >&2; }

mirror=
[ "${1:-}" = --mirror ] && { mirror=${2:?--mirror needs a URI}; shift 2; }
dir=${1:-$(dirname "$(readlink -f "$0")")/../../.cache/llama-root}
dir=$(realpath -m -- "$dir")
for tool in apt-get dpkg-deb flock unshare; do
  command -v "$tool" >/dev/null || die "$tool is missing: this needs Debian's apt, dpkg and util-linux"
done

# The user namespace makes it work without root; where those are switched off, root's chroot does.
if unshare -r true 2>/dev/null; then enter=(unshare -r -R); else enter=(chroot); fi
runs() { "${enter[@]}" "$1" /usr/bin/llama-server --version 2>&1; }
finished() { [ -s "$dir/stamp" ] && [ "$(head -n1 "$dir/stamp")" = "$SUITE $(dpkg --print-architecture)" ]; }

mkdir -p "$(dirname "$dir")"
exec 9>"$dir.lock"
flock 9 # a second builder waits, then finds the root finished
if finished; then
  runs "$dir" >/dev/null || die "$dir is damaged: remove it and run this again"
  echo "$dir"
  exit 0
fi

tmp=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$tmp"/state/lists/partial "$tmp"/archives/partial "$tmp"/root
: >"$tmp/state/status" # as if nothing were installed: every dependency is fetched

# apt with nothing of the machine's but its transport settings (proxies and the like). An index past its date is taken, as
# mirrors that stand still are common and only age, not authenticity, is given up.
private_apt() {
  apt-get -q -y -o Dir::State="$tmp/state" -o Dir::State::status="$tmp/state/status" -o Dir::Cache="$tmp" \
    -o Dir::Cache::archives="$tmp/archives" -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::trusted=/dev/null -o Dir::Etc::trustedparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o APT::Sandbox::User="$(id -un)" \
    -o APT::Update::Post-Invoke::=true -o APT::Install-Recommends=false -o APT::Update::Error-Mode=any \
    -o Acquire::AllowInsecureRepositories=false -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 "$@"
}

# Archives that this machine takes Debian from, first the one its own release comes from.
mirrors() {
  if [ -n "$mirror" ]; then echo "$mirror"; return; fi
  apt-get update --print-uris 2>/dev/null |
    sed -nE "s#^'([^']+)/dists/(bookworm|trixie|forky|oldstable|stable|testing|unstable|sid)/(In)?Release.*#\1#p" | awk '!seen[$0]++'
}

own_keyring() {
  local k
  for k in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do if [ -s "$k" ]; then echo "$k"; return; fi; done
}
# For a machine whose keyring is older than the suite's keys: the newest keyring package that its own apt vouches for.
newest_keyring() {
  mkdir -p "$tmp/keyring" && cd "$tmp/keyring" || return
  apt-get -q -o APT::Sandbox::User="$(id -un)" download debian-archive-keyring >/dev/null 2>&1 && dpkg-deb -x ./*.deb . || return
  find "$PWD/usr/share/keyrings" -name 'debian-archive-keyring.[gp]*' ! -type l -print -quit
}

update_with() { # KEYRING: the first mirror whose index it verifies
  local uri
  [ -n "$1" ] || return
  while read -r uri; do
    echo "deb [signed-by=$1] $uri $SUITE main" >"$tmp/sources.list"
    if private_apt update >"$tmp/log" 2>&1; then return 0; fi
  done < <(mirrors)
  return 1
}

[ -n "$(mirrors)" ] || die "no Debian archive among this machine's apt sources: pass one with --mirror URI"
say "fetching $PACKAGE of Debian $SUITE"
update_with "$(own_keyring)" || update_with "$(newest_keyring || :)" || {
  [ ! -s "$tmp/log" ] || cat "$tmp/log" >&2
  die "could not read Debian $SUITE, verified, from any archive among this machine's apt sources"
}
private_apt install --download-only "$PACKAGE" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; die "could not download $PACKAGE"; }

root=$tmp/root
for d in bin sbin lib lib64; do mkdir -p "$root/usr/$d"; ln -s "usr/$d" "$root/$d"; done
for deb in "$tmp"/archives/*.deb; do dpkg-deb -x "$deb" "$root" || die "could not unpack ${deb##*/}"; done
mkdir -p "$root"/{tmp,models,proc,dev}
chmod 755 "$root"
chmod 1777 "$root/tmp" "$root/models"
version=$(runs "$root") || die "llama-server does not run in its root: $version"
deb=$(echo "$tmp"/archives/"$PACKAGE"_*.deb)
printf '%s\n' "$SUITE $(dpkg --print-architecture)" "$PACKAGE $(dpkg-deb -f "$deb" Version)" "$version" >"$root/stamp"
if [ -e "$dir" ]; then mv -T "$dir" "$tmp/old"; fi # unfinished, or of another architecture
mv -T "$root" "$dir"
say "$(sed -n 2p "$dir/stamp")"
echo "$dir"
