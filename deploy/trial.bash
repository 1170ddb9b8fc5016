# What the trials of this folder share: starting and killing processes in a folder that is removed at the end, writers
# whose acknowledged acts are noted, and the comparison of these with the ledger and the mails. Source it with
# `set -euo pipefail`; it changes to the folder.
rectify=$(realpath "${RECTIFY:-$(dirname "${BASH_SOURCE[0]}")/../target/debug/rectify}")
programs=$(dirname "$(find /usr/lib/postgresql -name initdb | sort --version-sort | tail -n 1)")
declare -A running=()
writers=()
folder=$(mktemp --directory)
end_trial() {
  local status=$? name
  set +e
  touch "$folder/stop"
  kill "${writers[@]:-}" 2>/dev/null
  if [ $status -ne 0 ]; then tail --lines 20 "$folder"/*.log; fi
  for name in "${!running[@]}"; do signal KILL "$name"; done
  if mountpoint --quiet "$folder/disk"; then umount --lazy "$folder/disk"; fi
  rm --recursive --force "$folder"
  exit $status
}
trap end_trial EXIT
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
  as=(setpriv --reuid=postgres --regid="$(id -g postgres)" --clear-groups)
  chown postgres "$folder"
fi
cd "$folder"
step() { printf '\n== %s\n' "$*"; }

# start NAME COMMAND…: starts a process in a session of its own, so that all of it can be killed.
start() {
  local name=$1
  shift
  setsid "$@" >>"$folder/$name.log" 2>&1 &
  running[$name]=$!
  disown
}
# members NAME: prints the processes that were started under a name. Those of PostgreSQL are found by its folder.
members() {
  local first
  pgrep --session "${running[$1]}" || true
  if [ -e "$folder/$1/postmaster.pid" ]; then
    first=$(head -n 1 "$folder/$1/postmaster.pid")
    # The file of a server that was killed may name a process that has begun since.
    if [ "$(readlink "/proc/$first/exe" 2>/dev/null)" = "$programs/postgres" ]; then
      echo "$first"
      pgrep --parent "$first" || true
    fi
  fi
}
# signal SIGNAL NAME
# shellcheck disable=SC2046 # one argument for each process
signal() { kill "-$1" $(members "$2") 2>/dev/null || true; }
is_gone() { [ -z "$(members "$1")" ]; }
# until_true SECONDS COMMAND…: waits until a command succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "timed out: $*" >&2; return 1; }
    sleep 0.2
  done
}

# ask PORT REQUEST: asks a Rectify server, with the token of a session if there is one.
session=''
declare -A reads_on=()
ask() {
  curl --silent --max-time 40 --header 'Content-Type: application/json' ${session:+--header "Authorization: Bearer $session"} \
    --data "$2" "http://127.0.0.1:$1/graphql"
}
# sign_in PORT ROLE: prints the token of a session of the first account of the demo with a role.
sign_in() {
  local account
  account=$(ask "$1" '{"query":"{ demoAccounts { accountId role } }"}' | jq --raw-output "[.data.demoAccounts[] | select(.role == \"$2\")][0].accountId")
  ask "$1" "{\"query\":\"mutation { signInAsDemo(accountId: \\\"$account\\\") { token } }\"}" | jq --raw-output .data.signInAsDemo.token
}
serves() { curl --silent --max-time 5 --fail --output /dev/null "http://127.0.0.1:$1/readyz"; }
an_assignment() {
  ask "$1" '{"query":"{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id } } }"}' |
    jq --raw-output '.data.assignments.nodes[0].id'
}
# begin_writing ASSIGNMENT PORT…: lets one writer for each port urge a unit again and again, and notes what was
# acknowledged or refused, and when. With a session, it reads each act back on the port that `reads_on` names, and notes
# which were not there.
begin_writing() {
  local assignment=$1 number=0 port
  shift
  rm --force stop acknowledged-* refused-* stale-* read-*
  writers=()
  for port in "$@"; do write "$assignment" "$((++number))" "$port" & writers+=($!); done
}
write() {
  local number=0 reason answer query
  while [ ! -e stop ]; do
    reason="writer $2 act $EPOCHREALTIME $((++number)) end"
    query="mutation { issueSupervision(input: {assignmentId: \\\"$1\\\", kind: URGE, reason: \\\"$reason\\\"}) { errors { message } } }"
    answer=$(ask "$3" "{\"query\":\"$query\"}" || true)
    if [[ $answer == *'"issueSupervision":{"errors":[]}'* ]]; then
      printf '%s\t%s\n' "$EPOCHREALTIME" "$reason" >>"acknowledged-$2"
      if [ -n "$session" ]; then read_back "${reads_on[$3]:-$3}" "$reason" "$2"; fi
    else
      printf '%s\t%s\n' "$EPOCHREALTIME" "${answer:-no answer}" >>"refused-$2"
      sleep 0.1
    fi
  done
}
read_back() {
  local answer
  answer=$(ask "$1" '{"query":"{ supervisionActions(first: 100) { nodes { reason } } }"}' || true)
  if [[ $answer == *"$2"* ]]; then echo "$2" >>"read-$3"; elif [[ $answer == *'"nodes"'* ]]; then echo "$2" >>"stale-$3"; fi
}
# stale: prints how many acts were not there when they were read back.
stale() { cat stale-* 2>/dev/null | wc --lines; }
# read_again: prints how many were.
read_again() { cat read-* 2>/dev/null | wc --lines; }
end_writing() {
  touch stop
  wait "${writers[@]}"
  cut --fields 2 acknowledged-* | sort >acknowledged
}
# longest: prints the longest time between two acknowledgements, in seconds.
longest() {
  cut --fields 1 acknowledged-* | sort --numeric-sort |
    awk '{ if (last && $1 - last > most) most = $1 - last; last = $1 } END { printf "%.1f", most }'
}
# refusals: prints what was refused, by code.
refusals() {
  local all
  all=$(cat refused-* 2>/dev/null | cut --fields 2 | sed 's/.*"code":"\([A-Z_]*\)".*/\1/' | sort | uniq --count | awk '{ printf "%s%s × %s", (NR > 1 ? ", " : ""), $1, substr($0, index($0, $2)) }')
  echo "${all:-none}"
}
# twice LOG: prints how many mails aiosmtpd has received more than once.
twice() { grep --ignore-case '^Message-ID:' "$1" | sort | uniq --repeated | wc --lines; }
