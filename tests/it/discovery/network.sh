# A network of its own (unshare -n), in which a gateway is started and Avahi is asked for it. Each finding is a line with its name.
# $1: the program; $2: an empty folder; $3: somebody who has every name already.
set -u
gatehouse=$1
folder=$2
hostile=$3
export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$folder/bus" XDG_STATE_HOME="$folder/state"
trap 'kill $(jobs -p) 2>/dev/null' EXIT

# until SECONDS COMMAND...: tries until it says yes.
until_yes() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@"; do
    [ $SECONDS -lt $end ] || { echo "late: $*"; cat "$folder"/*.log; exit 1; }
    read -rt 0.2 <>"$folder/pause" || true
  done
}
mkfifo "$folder/pause"

ip link set lo up
ip link add m0 type veth peer name m1
ip addr add 192.0.2.7/24 dev m0
ip link set m0 up
ip link set m1 up

cat >"$folder/bus.conf" <<END
<busconfig><type>system</type><listen>unix:path=$folder/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
END
dbus-daemon --config-file="$folder/bus.conf" --nofork --nopidfile >"$folder/bus.log" 2>&1 &
until_yes 30 [ -S "$folder/bus" ]
printf '[server]\nallow-interfaces=m0\nuse-ipv6=no\n' >"$folder/avahi.conf"
mount -t tmpfs none /run && mkdir -p /run/avahi-daemon
avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$folder/avahi.conf" >"$folder/avahi.log" 2>&1 &

"$gatehouse" up --home "$folder/home" --bind 0.0.0.0 --port 0 --metrics off >"$folder/up.log" 2>&1 &
up=$!
until_yes 60 grep -q "Gatehouse is ready" "$folder/up.log"
port=$(sed 's/.*://; s,/$,,' "$folder/home/run/edge.url")
echo "port $port"

found() { timeout 10 avahi-browse -rpt _openclaw-gw._tcp 2>/dev/null | grep '^=' >"$folder/found"; }
with() { found && grep -q ";$1;" "$folder/found"; }
until_yes 60 with 192.0.2.7
sed 's/^/first /' "$folder/found"

ip addr add 198.51.100.9/24 dev m0
ip addr del 192.0.2.7/24 dev m0
until_yes 60 with 198.51.100.9
echo "follows yes"

"$gatehouse" discover --seconds 3 --json | sed 's/^/discover /'

child=$(pgrep -P $up -f ' discovery')
kill -9 "$child"
another() { local now; now=$(pgrep -P $up -f ' discovery') && [ "$now" != "$child" ]; }
until_yes 30 another
until_yes 60 with 198.51.100.9
echo "again yes"

ip link set m0 down
"$gatehouse" healthcheck edge --port "$port" && echo "ready without a network"
ip link set m0 up
ip addr add 198.51.100.9/24 dev m0 2>/dev/null
until_yes 60 with 198.51.100.9

kill -INT $up
wait $up
echo "end $?"
# Its records live for minutes and more: who is told goodbye forgets them at once.
gone() { timeout 10 avahi-browse -pt _openclaw-gw._tcp >"$folder/left" 2>/dev/null && ! grep -q _openclaw-gw "$folder/left"; }
until_yes 20 gone
echo "goodbye yes"

# A storm: each name that it tries is somebody else's.
python3 "$hostile" 198.51.100.9 >"$folder/hostile.log" 2>&1 &
until_yes 30 grep -q there "$folder/hostile.log"
"$gatehouse" up --home "$folder/home" --bind 0.0.0.0 --port "$port" --metrics off >"$folder/up.log" 2>&1 &
up=$!
until_yes 60 grep -q "Gatehouse is ready" "$folder/up.log"
until_yes 60 grep -q "others on the network take every name" "$folder/up.log"
"$gatehouse" healthcheck edge --port "$port" && echo "storm ready"
kill -INT $up
wait $up
echo "ended $?"
