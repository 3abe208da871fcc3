#!/bin/bash
# A throw-away REAL systemd for tests: a system manager and one lingering user manager, each with its D-Bus,
# in namespaces of their own over this machine's own root. Boots in about a second, leaves nothing behind.
#
#   sandbox.sh run  [boot options] [exec options] -- CMD...    boot, exec, stop; the exit status is CMD's
#   sandbox.sh boot [--name N] [--root DIR] [--node] [--user NAME] [--uid N] [--net own|host]
#                   [--bind SRC[:DST[:ro]]]... [--full] [--timeout SECONDS]
#   sandbox.sh exec [--name N] [-r|--as-root] [--cron] [-C DIR] [--env K=V]... -- CMD...
#   sandbox.sh status|pid|bus|log|stop [--name N]
#
#   --name   several sandboxes may run at once, each under its name (default: default)
#   --root   the tree to boot (default: /, this machine's own root). It is the lower layer of an overlay: nothing in it
#            changes. It needs the packages systemd dbus dbus-user-session libpam-systemd (Debian's names).
#   --node   also bring this machine's node and npm (for a --root without them)
#   --bind   mount SRC (writable) so that each side sees the other's changes; without it writes stay in the sandbox
#   --net    own (default): loopback only, every port free, abstract sockets private. host: shares the machine's
#   --full   boot multi-user.target with all that is enabled in the tree
#   --cron   run CMD with nothing but cron's environment
#
# Root is needed (overlay and cgroup mounts). Exit: CMD's own, 3 not running, 1 anything else of ours, 2 usage.
set -euo pipefail

SELF=$(readlink -f "$0")
PATH_INSIDE=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() { echo "sandbox.sh: $*" >&2; exit 1; }
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$SELF"; exit 2; }

NAME=default ROOT=/ USER_NAME=op USER_ID=1000 NET=own BINDS=() NODE=0 FULL=0 TIMEOUT=30
AS_ROOT=0 CRON=0 DIR='' ENVS=()
COMMAND=${1:-}
[ $# -gt 0 ] && shift
while [ $# -gt 0 ]; do
  case $1 in
    --name) NAME=$2; shift 2 ;;
    --root) ROOT=$2; shift 2 ;;
    --user) USER_NAME=$2; shift 2 ;;
    --uid) USER_ID=$2; shift 2 ;;
    --net) NET=$2; shift 2 ;;
    --bind) BINDS+=("$2"); shift 2 ;;
    --env) ENVS+=("$2"); shift 2 ;;
    --timeout) TIMEOUT=$2; shift 2 ;;
    --node) NODE=1; shift ;;
    --full) FULL=1; shift ;;
    -r | --as-root) AS_ROOT=1; shift ;;
    --cron) CRON=1; shift ;;
    -C) DIR=$2; shift 2 ;;
    --) shift; break ;;
    *) die "unknown option $1" ;;
  esac
done
[[ $NAME =~ ^[A-Za-z0-9_-]+$ ]] || die "bad --name $NAME"
for pair in ${ENVS[@]+"${ENVS[@]}"}; do [[ $pair == [A-Za-z_]*=* ]] || die "bad --env $pair"; done

STATE=${GPUMOD_SANDBOX_DIR:-${TMPDIR:-/tmp}/.gpumod-sandbox.$(id -u)}/$NAME

# ---- processes and cgroups

alive() { local s; s=$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) && [ -n "$s" ] && [ "$s" != Z ]; }
start_time() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null; }

# The machine's pid of the sandbox's PID 1; fails when it does not run.
init_pid() {
  local outer inner
  [ -s "$STATE/outer.pid" ] || return 1
  outer=$(cat "$STATE/outer.pid")
  alive "$outer" || return 1
  [ "$(start_time "$outer")" = "$(cat "$STATE/outer.start")" ] || return 1   # not another process with its number
  inner=$(pgrep -P "$outer" | head -n1)
  [ -n "$inner" ] && [ "$(awk '/^NSpid/{print $NF}' "/proc/$inner/status" 2>/dev/null)" = 1 ] || return 1
  echo "$inner"
}

# Runs a script with $CG = the root of cgroup2, mounted privately and for that moment only. The sandbox gets a child of
# its own: mounted at the machine's root, two of them would fight over /init.scope. VIA=exec replaces this shell.
with_cgroups() {
  ${VIA:-} unshare --mount --propagation private bash -c '
    set -e; mount -t tmpfs none /mnt; mkdir /mnt/cg; mount -t cgroup2 none /mnt/cg; CG=/mnt/cg/gpumod-sandbox-$1; '"$1" _ "${@:2}"
}
LEAVE_CGROUPS='umount -l /mnt/cg; umount -l /mnt'

# ---- boot

# Runs inside the new namespaces: builds the tree, enters it, becomes systemd. Reads IN_* from the environment.
inner() {
  local work=$IN_MOUNT new=$IN_MOUNT/root
  mount -t tmpfs -o mode=755 gpumod-sandbox "$work"
  mkdir "$work/upper" "$work/work" "$new"
  mount -t overlay overlay -o "lowerdir=$IN_ROOT,upperdir=$work/upper,workdir=$work/work" "$new"
  mount_kernel_trees "$new"
  mount_binds "$new"
  add_user "$new"
  configure "$new"
  # A directory of its own for the old root: "pivot_root . .; umount -l ." would detach the new one.
  mkdir -p "$new/.old"
  cd "$new"
  pivot_root . .old
  cd /
  umount -l /.old
  rmdir /.old || true
  local target=gpumod-sandbox.target
  [ "$IN_FULL" = 0 ] || target=multi-user.target
  exec env -i container=gpumod PATH="$PATH_INSIDE" LANG=C.UTF-8 \
    /lib/systemd/systemd --system --unit="$target" --log-target=console --log-level=info --show-status=0
}

mount_kernel_trees() {
  local new=$1 node
  mkdir -p "$new"/{proc,sys,run,tmp,dev}
  mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
  mount -t sysfs -o nosuid,nodev,noexec sysfs "$new/sys"
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$new/sys/fs/cgroup"
  mount -o remount,bind,ro "$new/sys"   # read-only /sys keeps udev and its like away
  mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$new/run"
  mkdir "$new/run/small-disk"
  mount -t tmpfs -o mode=1777,nosuid,nodev,size=64k tmpfs "$new/run/small-disk"   # for tests of a full one
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$new/tmp"
  mount -t tmpfs -o mode=755,nosuid tmpfs "$new/dev"
  for node in null zero full random urandom tty; do
    : >"$new/dev/$node"
    mount --bind "/dev/$node" "$new/dev/$node"
  done
  mkdir "$new/dev/pts" "$new/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$new/dev/pts"
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$new/dev/shm"
  ln -s pts/ptmx "$new/dev/ptmx"
  ln -s /proc/self/fd "$new/dev/fd"
  ln -s fd/0 "$new/dev/stdin"
  ln -s fd/1 "$new/dev/stdout"
  ln -s fd/2 "$new/dev/stderr"
}

mount_binds() {
  local new=$1 src dst mode
  while IFS=: read -r src dst mode; do
    [ -n "$src" ] || continue
    dst=$new${dst:-$src}
    if [ -d "$src" ]; then mkdir -p "$dst"; else mkdir -p "$(dirname "$dst")"; [ -e "$dst" ] || : >"$dst"; fi
    mount --rbind "$src" "$dst"
    [ "$mode" != ro ] || mount -o remount,bind,ro "$dst"
  done <<<"$IN_BINDS"
}

# The user, lingering, and allowed to read the journal of the system's units.
add_user() {
  local etc=$1/etc user=$IN_USER id=$IN_UID old
  old=$(awk -F: -v id="$id" '$3 == id {print $1}' "$etc/passwd")
  [ -z "$old" ] || sed -i "/^$old:/d" "$etc/passwd" "$etc/shadow"
  sed -i "/^$user:/d" "$etc/passwd" "$etc/shadow"
  echo "$user:x:$id:$id::/home/$user:/bin/bash" >>"$etc/passwd"
  echo "$user:*:19000:0:99999:7:::" >>"$etc/shadow"
  awk -F: -v id="$id" '$3 == id {found = 1} END {exit !found}' "$etc/group" || echo "$user:x:$id:" >>"$etc/group"
  sed -i "/^systemd-journal:/s/:[^:]*\$/:$user/" "$etc/group"
  mkdir -p "$1/home/$user" "$1/var/lib/systemd/linger"
  chown "$id:$id" "$1/home/$user"
  rm -f "$1"/var/lib/systemd/linger/*
  : >"$1/var/lib/systemd/linger/$user"
}

# Things that make no sense in here, or take long.
MASKED="console-getty.service getty.target systemd-udevd.service systemd-udevd-kernel.socket
  systemd-udevd-control.socket systemd-timesyncd.service systemd-resolved.service systemd-networkd.service
  systemd-pstore.service systemd-firstboot.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount
  sys-kernel-tracing.mount sys-fs-fuse-connections.mount sys-kernel-config.mount systemd-modules-load.service
  systemd-update-utmp.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-sysctl.service
  systemd-remount-fs.service systemd-hwdb-update.service ldconfig.service systemd-machine-id-commit.service"

configure() {
  local new=$1 units=$1/run/systemd/system unit
  hostname gpumod-sandbox
  echo gpumod-sandbox >"$new/etc/hostname"
  # On a --root or a container these may be mounts of their own that can't be written.
  printf '127.0.0.1 localhost gpumod-sandbox\n::1 localhost\n' 2>/dev/null >"$new/etc/hosts" || true
  echo 0123456789abcdef0123456789abcdef 2>/dev/null >"$new/etc/machine-id" || true
  : 2>/dev/null >"$new/etc/fstab" || true
  rm -f "$new/run/nologin" "$new/etc/nologin"
  mkdir -p "$new/var/log/journal" "$units"   # a journal on disk, as Debian has it: each user reads the own
  for unit in $MASKED; do ln -s /dev/null "$units/$unit"; done
  if [ "$IN_FULL" = 0 ]; then
    mount -t tmpfs -o mode=755 tmpfs "$new/etc/systemd/system"   # nothing is enabled
    cat >"$units/gpumod-sandbox.target" <<'UNIT'
[Unit]
Description=gpumod test sandbox
Requires=basic.target
After=basic.target
Wants=dbus.socket systemd-logind.service systemd-user-sessions.service
AllowIsolate=yes
UNIT
  fi
  echo "$IN_NAME" >"$new/run/gpumod-sandbox"   # tells the new /run from the old one
}

# Its buses are there. The marker first: before the pivot, /run is still the machine's own.
is_up() {
  local p
  p=$(init_pid) && [ "$(cat "/proc/$p/root/run/gpumod-sandbox" 2>/dev/null)" = "$NAME" ] &&
    [ -S "/proc/$p/root/run/user/$USER_ID/bus" ] && [ -S "/proc/$p/root/run/dbus/system_bus_socket" ]
}

boot() {
  local p outer end system user namespaces
  if p=$(init_pid); then echo "already running pid=$p"; return; fi
  [ ! -d "$STATE" ] || stop >/dev/null
  mkdir -p "$STATE/mnt"
  chmod 755 "$(dirname "$STATE")" "$STATE"
  ROOT=$(readlink -f "$ROOT")
  [ -x "$ROOT/lib/systemd/systemd" ] || die "no systemd in $ROOT (apt-get install systemd dbus dbus-user-session libpam-systemd)"
  [ $NODE = 0 ] || bind_node
  namespaces=(--fork --kill-child=KILL --pid --mount --uts --ipc --cgroup --propagation private)
  [ "$NET" != own ] || namespaces+=(--net)
  echo "$ROOT" >"$STATE/root"
  echo "$USER_NAME" >"$STATE/user"
  echo "$USER_ID" >"$STATE/uid"
  export IN_ROOT=$ROOT IN_MOUNT=$STATE/mnt IN_USER=$USER_NAME IN_UID=$USER_ID IN_FULL=$FULL IN_NAME=$NAME
  IN_BINDS=$(printf '%s\n' ${BINDS[@]+"${BINDS[@]}"})
  export IN_BINDS
  # First into the cgroup, then unshare: the new cgroup namespace has its root there.
  (VIA=exec with_cgroups 'mkdir -p "$CG"; echo 0 >"$CG/cgroup.procs"; '"$LEAVE_CGROUPS"'; shift; exec setsid "$@"' \
    "$NAME" unshare "${namespaces[@]}" bash "$SELF" inner </dev/null >"$STATE/log" 2>&1) &
  outer=$!
  disown
  echo $outer >"$STATE/outer.pid"
  start_time $outer >"$STATE/outer.start"
  end=$((SECONDS + TIMEOUT))
  until is_up; do
    alive $outer || { cat "$STATE/log" >&2; stop >/dev/null || :; die "PID 1 died"; }
    [ $SECONDS -le $end ] || { tail -40 "$STATE/log" >&2; stop >/dev/null || :; die "no user bus after ${TIMEOUT} s"; }
    sleep 0.02
  done
  system=$(AS_ROOT=1 wait_running system) || :
  user=$(wait_running user) || :
  echo "pid=$(init_pid) system=$system user=$user bus=unix:path=/run/user/$USER_ID/bus"
}

wait_running() {
  local as=()
  [ "$1" = user ] || as=(-r)
  timeout "$TIMEOUT" "$SELF" exec --name "$NAME" ${as[@]+"${as[@]}"} -- systemctl "--$1" is-system-running --wait
}

bind_node() {
  local node modules
  node=$(readlink -f "$(command -v node)")
  BINDS+=("$node:/usr/local/bin/node:ro")
  modules=$(readlink -f "$(dirname "$node")/../lib/node_modules") || return 0
  [ ! -d "$modules" ] || BINDS+=("$modules:/usr/local/lib/node_modules:ro")
}

# ---- exec

run_inside() {
  local p user id path=$PATH_INSIDE node variables=() as=() namespaces=(--mount --uts --ipc --pid --cgroup) change=()
  p=$(init_pid) || { echo "sandbox.sh: $NAME is not running" >&2; exit 3; }
  [ $# -gt 0 ] || die "exec: no command"
  user=$(cat "$STATE/user")
  id=$(cat "$STATE/uid")
  node=${GPUMOD_NODE_DIR:-$(dirname "$(command -v node 2>/dev/null || echo /usr/bin/node)")}   # sudo resets PATH
  case :$path: in *":$node:"*) ;; *) path=$node:$path ;; esac
  if [ "$AS_ROOT" = 1 ]; then
    variables=(HOME=/root USER=root LOGNAME=root SHELL=/bin/bash "PATH=$path" LANG=C.UTF-8)
  else
    as=(setpriv --reuid "$id" --regid "$id" --init-groups)
    variables=("HOME=/home/$user" "USER=$user" "LOGNAME=$user" SHELL=/bin/bash "PATH=$path" LANG=C.UTF-8
      "XDG_RUNTIME_DIR=/run/user/$id" "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$id/bus")
  fi
  [ $CRON = 0 ] || variables=("HOME=/home/$user" "LOGNAME=$user" PATH=/usr/bin:/bin SHELL=/bin/sh)
  [ $CRON = 1 ] || for v in TERM CI; do [ -z "${!v:-}" ] || variables+=("$v=${!v}"); done
  variables+=(${ENVS[@]+"${ENVS[@]}"})
  [ "$(readlink "/proc/$p/ns/net")" = "$(readlink /proc/self/ns/net)" ] || namespaces+=(--net)
  [ -z "$DIR" ] || change=(bash -c 'cd -- "$0" && exec "$@"' "$DIR")
  # Into its cgroup too, so that /proc/self/cgroup makes sense inside.
  VIA=exec with_cgroups 'mkdir -p "$CG/gpumod-exec"; echo 0 >"$CG/gpumod-exec/cgroup.procs"; '"$LEAVE_CGROUPS"'; shift; exec "$@"' \
    "$NAME" nsenter -t "$p" "${namespaces[@]}" -- env -i "${variables[@]}" ${as[@]+"${as[@]}"} \
    ${change[@]+"${change[@]}"} "$@"
}

boot_and_run() {
  [ $# -gt 0 ] || die "run: no command"
  trap 'stop >/dev/null || :' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  boot >&2
  local status=0
  (run_inside "$@") || status=$?
  exit $status
}

# ---- the rest

# For a process outside that runs with the very same uid: dbus-daemon refuses everybody else, root included.
bus_address() {
  local p id child
  p=$(init_pid) || { echo "not running" >&2; exit 3; }
  id=$(cat "$STATE/uid")
  for child in $(pgrep -P "$p"); do
    if [ "$(stat -c %u "/proc/$child" 2>/dev/null)" = "$id" ] && grep -qz -- --user "/proc/$child/cmdline"; then
      echo "unix:path=/proc/$child/root/run/user/$id/bus"
      return
    fi
  done
  die "no user manager"
}

stop() {
  local p outer
  if p=$(init_pid); then
    outer=$(cat "$STATE/outer.pid")
    kill -KILL "$p" 2>/dev/null || :   # with it goes every process of its pid namespace
    for _ in $(seq 250); do alive "$outer" || break; sleep 0.02; done
    ! alive "$outer" || kill -KILL "$outer" 2>/dev/null || :
  fi
  with_cgroups '[ -d "$CG" ] || exit 0
    for _ in $(seq 100); do
      find "$CG" -depth -type d -exec rmdir {} + 2>/dev/null || :
      [ -d "$CG" ] || exit 0
      sleep 0.02
    done
    echo "cgroup $CG is not empty" >&2; exit 1' "$NAME"
  rm -rf --one-file-system "$STATE"
  rmdir "$(dirname "$STATE")" 2>/dev/null || :
  echo stopped
}

case $COMMAND in run | boot | exec | status | pid | bus | log | stop | inner) ;; *) usage ;; esac
[ "$(id -u)" = 0 ] || die "root is needed (a user namespace will not do: overlay and cgroup mounts)"
case $COMMAND in
  run) boot_and_run "$@" ;;
  boot) boot ;;
  exec) run_inside "$@" ;;
  status) if p=$(init_pid); then echo "running pid=$p root=$(cat "$STATE/root") user=$(cat "$STATE/user")"; else echo stopped; exit 3; fi ;;
  pid) init_pid || { echo "not running" >&2; exit 3; } ;;
  bus) bus_address ;;
  log) cat "$STATE/log" ;;
  stop) stop ;;
  inner) inner ;;
esac
