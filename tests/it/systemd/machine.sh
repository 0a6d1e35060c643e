# A machine of its own (unshare), whose first process is systemd and whose disk forgets everything, and what systemd does there with the
# unit that `gatehouse service` writes. Each finding is a line with its name.
# $1: the program; $2: an empty folder.
set -u
gatehouse=$1
folder=$2

# What runs inside, as the first process: systemd on a copy of this machine's files, in which what is written goes to memory.
cat >"$folder/boot" <<'END'
mount --make-rprivate / && mkdir "$1/memory" "$1/root" && mount -t tmpfs none "$1/memory" || exit 1
mkdir "$1/memory/written" "$1/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$1/memory/written,workdir=$1/memory/work" none "$1/root" || exit 1
cd "$1/root"
mount -t proc none proc && mount --rbind /sys sys && mount --rbind /dev dev && mount -t tmpfs none run && mount -t tmpfs none tmp || exit 1
mkdir -p usr/local/bin etc && : >usr/local/bin/gatehouse && mount --bind "$2" usr/local/bin/gatehouse || exit 1
rm -f etc/systemd/system/gatehouse.service
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >etc/machine-id
container=lxc exec chroot . /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=no
END
unshare -m -p -f -u -i -n bash "$folder/boot" "$folder" "$gatehouse" >"$folder/boot.log" 2>&1 &
outer=$!
trap 'kill -9 $(pgrep -P $outer) $outer 2>/dev/null' EXIT

# until_yes SECONDS COMMAND...: tries until it says yes.
until_yes() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [ $SECONDS -lt $end ] || { echo "late: $*"; cat "$folder/boot.log"; inside journalctl -u gatehouse -n 50 --no-pager; exit 1; }
    read -rt 0.2 <>"$folder/pause" || true
  done
}
mkfifo "$folder/pause"

inside() { nsenter -t "$first" -m -p -u -i -n -r -w "$@"; }
is_up() { first=$(pgrep -P $outer) && inside systemctl is-active --quiet basic.target 2>"$folder/systemctl.log"; }
# Where nothing may be mounted, or no control group be made, systemd ends or stands still.
cannot() { ! kill -0 $outer 2>/dev/null || grep -qi freezing "$folder/boot.log"; }
is_known() { is_up || cannot; }
until_yes 60 is_known
if cannot; then
  echo "none $(tail -n 1 "$folder/boot.log")"
  exit
fi

shown() { inside systemctl show gatehouse -p "$1" --value; }
is() { [ "$(shown "$1")" = "$2" ]; }
serves() { shown StatusText | grep -q '^serving at ws://'; }

inside gatehouse service install --system >"$folder/install.log" 2>&1 && echo "install $(shown ActiveState)" || cat "$folder/install.log"
serves && echo "status $(shown StatusText)"
inside gatehouse status --home /var/lib/gatehouse --json | tr -d '\n' | sed 's/^/gateway /' && echo
main=$(shown MainPID)
echo "user $(inside stat -c %u "/proc/$main") owns $(inside stat -Lc %u:%a /var/lib/gatehouse)"

# Somebody who kills it.
inside kill -9 "$main"
another() { local now; now=$(shown MainPID) && [ "$now" != 0 ] && [ "$now" != "$main" ] && serves; }
until_yes 60 another
echo "killed $(shown NRestarts)"

# Somebody who hangs: the watchdog looks, here oftener than it does elsewhere.
inside mkdir -p /etc/systemd/system/gatehouse.service.d
printf '[Service]\nWatchdogSec=10\n' | inside tee /etc/systemd/system/gatehouse.service.d/often.conf >"$folder/often"
inside systemctl daemon-reload
inside systemctl restart gatehouse
main=$(shown MainPID)
inside kill -STOP "$main"
until_yes 90 another
echo "hung $(shown NRestarts)"

inside systemctl stop gatehouse
echo "stop $(shown Result) $(shown ExecMainStatus) $(inside pgrep -c -x gatehouse)"

# A configuration that is wrong from the beginning is not tried again.
inside sh -c 'rm -rf /var/lib/private/gatehouse/* && echo "{ nonsense: 1, " >/var/lib/private/gatehouse/gatehouse.json5'
inside systemctl start gatehouse 2>"$folder/start.log" && echo "started all the same"
until_yes 30 is ActiveState failed
echo "mistake $(shown ExecMainStatus) $(shown NRestarts)"

inside gatehouse service uninstall --system >"$folder/uninstall.log" 2>&1
echo "uninstall $? $(shown LoadState)"
