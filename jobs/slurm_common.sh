#!/usr/bin/env bash
# What slurm_cluster.sh and slurm_array.sh share; read by them, never submitted.

# Run a command so that SLURM's notice lets it end well, and return its exit code.
#   USR1, two minutes before the time limit (#SBATCH --signal): end and queue the job again, to resume.
#   TERM, sent on preemption and by scancel: end; SLURM itself queues a preempted job again, a cancelled one stays away.
# Ending means an interrupt, on which the harness commits the parcels in hand, and 60 s later a second one, on which it
# stops at once. Both go to the whole process group: a script of jobs/ waits for its step and passes its code on. The
# code is 3 if work is left.
run_until_notice() {
  local code command notice=
  set -m  # a process group of its own, in which interrupts are not ignored
  "$@" &
  command=$!
  set +m
  trap 'notice=limit; end_softly "$command"' USR1
  trap 'notice=end; end_softly "$command"' TERM INT
  while true; do
    code=0
    wait "$command" || code=$?
    kill -0 "$command" 2>/dev/null || break
  done
  if [ "$code" -gt 128 ]; then  # the notice came while we waited: ask for the command's own code
    code=0
    wait "$command" || code=$?
  fi
  trap - USR1 TERM INT
  if [ "$notice" = limit ] && [ "$code" -eq 3 ]; then
    echo "time is up with work left: queueing job $SLURM_JOB_ID again"
    scontrol requeue "$SLURM_JOB_ID"
  fi
  return "$code"
}

end_softly() {
  kill -INT -- "-$1" 2>/dev/null || return 0
  (sleep 60 && kill -INT -- "-$1") >/dev/null 2>&1 &
}
