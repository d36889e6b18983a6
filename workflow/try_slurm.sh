#!/usr/bin/env bash
# Try the cluster profile on a real Slurm of one node, on this machine: root on Debian or Ubuntu, after `make`.
# The smoke grid is trained here, and again through sbatch, where one job is killed in the middle of a training.
# The tables must come out identical. A difference, or anything that fails, is an exit code other than 0.
set -euo pipefail

cd "$(dirname "$0")/.."
ROOT=$PWD
SHARES=4 VICTIM=2  # the second of four jobs is killed
export PATH="$ROOT/.venv/bin:$PATH" PYTHONPATH="$ROOT" OMP_NUM_THREADS=1 TQDM_DISABLE=1
unset "${!SLURM_@}" "${!SNAKEMAKE_@}"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "starting Slurm's daemons wants root"
if ! type -P slurmctld slurmd munged pgrep >/dev/null; then
    say "installing Slurm and munge"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge procps >/dev/null
fi
[ ! -e /etc/slurm/slurm.conf ] || fail "this machine has a Slurm of its own: snakemake --profile workflow/slurm"

WORK=$(mktemp -d)
LOCAL=$WORK/local CLUSTER=$WORK/cluster LOG=$WORK/cluster.log
DAEMONS=() GRAPH=  # processes to stop at the end, however it comes

clean() {
    code=$?
    trap - EXIT HUP INT TERM
    [ "$code" = 0 ] || tail -n 40 "$WORK"/*.log "$CLUSTER"/.snakemake/slurm_logs/*/*/*.log || true
    if [ -n "$GRAPH" ]; then kill -- "-$GRAPH" || true; fi
    if [ "$(readlink /etc/slurm/slurm.conf)" = "$WORK/slurm.conf" ]; then
        squeue --noheader --format %i | xargs --no-run-if-empty scancel || true
        for _ in {1..50}; do [ -n "$(squeue --noheader)" ] || break; sleep 0.2; done
        rm /etc/slurm/slurm.conf
    fi
    if [ -n "$GRAPH" ]; then kill -KILL -- "-$GRAPH" || true; fi
    [ ${#DAEMONS[@]} = 0 ] || kill "${DAEMONS[@]}" || true
    wait
    rm -rf "$WORK"
    exit "$code"
} 2>/dev/null
trap clean EXIT
trap 'exit 130' HUP INT TERM

graph() {  # BUILD SHARES OPTION...: the runs of the smoke book, begun in a process group of its own
    ADVANCE_BUILD=$1 setsid snakemake runs --directory "$1" --nolock \
        --rerun-triggers input params "${@:3}" --config profile=smoke seeds=2 device=cpu shares="$2" >"$1.log" 2>&1 &
    GRAPH=$!
}
ended() { wait "$GRAPH" || fail "the graph did not end well"; GRAPH=; }
runs() { find "$1/runs" -name metrics.json | wc -l; }

say "the smoke grid on this machine"
mkdir -p "$LOCAL" "$CLUSTER"
began=$SECONDS
graph "$LOCAL" 1 --cores "$(nproc)"
ended
echo "$(runs "$LOCAL") runs in $((SECONDS - began)) s"

say "a Slurm of one node"
# Jobs find their Slurm under /etc: Snakemake drops SLURM_CONF before it calls srun.
mkdir -p /etc/slurm "$WORK/munge" "$WORK/state" "$WORK/spool"
ln -s "$WORK/slurm.conf" /etc/slurm/slurm.conf
chmod 755 "$WORK" "$WORK/munge"
head -c 128 /dev/urandom >"$WORK/munge.key"
chmod 600 "$WORK/munge.key"
# What the node has is declared, not measured (config_overrides), so that the profile's requests fit as they stand.
cat >"$WORK/slurm.conf" <<CONF
ClusterName=trial
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$WORK/munge/socket
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2
ReturnToService=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=trial Nodes=$(hostname -s) Default=YES MaxTime=INFINITE State=UP
CONF
munged --foreground --key-file="$WORK/munge.key" --socket="$WORK/munge/socket" --pid-file="$WORK/munge/pid" \
    --seed-file="$WORK/munge/seed" >"$WORK/munge.log" 2>&1 &
DAEMONS+=($!)
for _ in {1..50}; do [ -S "$WORK/munge/socket" ] && break; sleep 0.1; done
slurmctld -D >"$WORK/slurmctld.log" 2>&1 & DAEMONS+=($!)
slurmd -D >"$WORK/slurmd.log" 2>&1 & DAEMONS+=($!)
for _ in {1..100}; do sinfo --noheader --format %T 2>/dev/null | grep -qx idle && break; sleep 0.2; done
sinfo --noheader --format '%N is %T: %c CPUs, %m MB' | grep ' is idle' || fail "the node does not come up"

say "the same through sbatch, in $SHARES shares"
# Rendered data and features are taken over; pre-training, knowledge and runs are made again. squeue, because this Slurm
# keeps no accounts; short waits, because nobody else asks it.
for kind in worlds event-sets aerial-sets features checked; do ln -s "$LOCAL/$kind" "$CLUSTER/$kind"; done
began=$SECONDS
graph "$CLUSTER" "$SHARES" --profile workflow/slurm --latency-wait 5 --slurm-status-command squeue \
    --slurm-init-seconds-before-status-checks 2 --seconds-between-status-checks 2
trainer() {  # the Python process of the victim's job, not the shells around it
    pgrep -f "^[^ ]*python[^ ]* -m advance_lib.cli train .* --share $VICTIM/$SHARES " | head -n 1
}
training() {  # PROCESS: the run that it has locked, if an epoch of it is done
    lock=$(readlink "/proc/$1/fd/"* | grep "^$CLUSTER/runs/.*\.lock$") || return 1
    [ -e "${lock%.lock}.partial/state.safetensors" ] && basename "$lock" .lock
}
until process=$(trainer) && run=$(training "$process"); do
    kill -0 "$GRAPH" 2>/dev/null || fail "the graph ended before a job could be killed"
    sleep 0.05
done
kill -KILL "$process"
echo "killed process $process of share $VICTIM/$SHARES after the first epoch of run $run"
ended
grep -E "submitted with SLURM|SLURM-job '.*failed|Trying to restart" "$LOG" |
    sed -E "s|\(log: .*/rule_(.*)/[0-9]+\.log\).*|for \1|; s|^ *message: ||; s|('FAILED').*|\1|"
[ "$(grep -c 'Trying to restart job' "$LOG")" = 1 ] || fail "one job, and no other, should have been submitted again"
echo "$(runs "$CLUSTER") runs in $((SECONDS - began)) s"

say "the same runs, the same scores, the same tables?"
python - "$LOCAL" "$CLUSTER" "$run" <<'PYTHON'
import json, sys
from pathlib import Path

def metrics_of(build):
    """Losses and scores of every run; how long it took may differ."""
    files = Path(build, "runs").glob("*/metrics.json")
    return {path.parent.name: json.loads(path.read_text()) | {"seconds": None} for path in files}


local, cluster = map(metrics_of, sys.argv[1:3])
assert set(local) == set(cluster) and sys.argv[3] in cluster, f"other runs: {set(local) ^ set(cluster)}"
different = [run for run in local if local[run] != cluster[run]]
assert not different, f"other scores: {different}"
print(f"{len(local)} runs with identical losses and scores, the killed one among them")
PYTHON
tables() {  # BUILD
    for number in 1 2 3; do
        ADVANCE_BUILD=$1 advance table $number --csv --profile smoke --seeds 2 --device cpu >"$1/table-$number.csv"
    done
}
tables "$LOCAL" & tables "$CLUSTER"
wait $! || fail "the local tables"
for number in 1 2 3; do
    cmp "$LOCAL/table-$number.csv" "$CLUSTER/table-$number.csv" || fail "Table $number differs"
    echo "Table $number: identical, $(wc -l <"$LOCAL/table-$number.csv") lines"
done
printf '\nOK\n'
