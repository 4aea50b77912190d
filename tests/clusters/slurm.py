"""A SLURM of two nodes to submit jobs to, on this machine.

Where SLURM is installed, as where CI=true it must be, its own daemons run: one that schedules and one for each node, on
ports and in a folder of their own. Elsewhere small scripts stand in for its commands and start the tasks at once.
"""

import contextlib
import getpass
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.clusters.recipes import write_script

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # where Debian has the daemons
FIRST_JOB = 1009 * (os.getpid() % 50_000) + 1  # a job's Ray has its port and folder by this number
AT_WORK = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED"}

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/slurmd.%n
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
FirstJobId={first_job}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
GresTypes=gpu
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    "CPUs=64 RealMemory=1000000 Gres=gpu:4 State=UNKNOWN\n"
)
STANDS_IN = {
    "sbatch": """
nodes=1
while [[ $1 == --* ]]; do
  case $1 in --array=1-*) tasks=${1#--array=1-} ;; --nodes=*) nodes=${1#--nodes=} ;; *) exit 64 ;; esac
  shift
done
spooled=$(mktemp)
cp "$1" "$spooled"
shift
export SLURM_JOB_ID=$((FIRST_JOB + $$ % 1000)) SLURM_SUBMIT_DIR=$PWD SLURM_JOB_NODELIST="n[1-$nodes]"
export SLURM_CPUS_PER_TASK=1 SLURM_GPUS_ON_NODE=4
echo "Submitted batch job $SLURM_JOB_ID"
started=()
if [ -n "${tasks:-}" ]; then
  export SLURM_ARRAY_TASK_COUNT=$tasks
  for task in $(seq "$tasks"); do
    SLURM_ARRAY_TASK_ID=$task bash "$spooled" "$@" >"slurm-${SLURM_JOB_ID}_$task.out" 2>&1 &
    started+=($!)
  done
else
  bash "$spooled" "$@" >"slurm-$SLURM_JOB_ID.out" 2>&1 &
  started+=($!)
fi
worst=0
for task in "${started[@]}"; do wait "$task" || worst=$?; done
echo "JobState=COMPLETED ExitCode=$worst:0" >"$(dirname "$0")/ended"
""",
    "scontrol": 'if [ "$2" = job ]; then cat "$(dirname "$0")/ended"; else printf "n1\\nn2\\n"; fi',
    "srun": """
while [[ $1 == --* ]]; do [[ $1 != --output=* ]] || exec >"${1#--output=}" 2>&1; shift; done
if [ "$1" = hostname ]; then echo 127.0.0.1; else exec "$@"; fi
""",
}


@dataclass(frozen=True)
class Slurm:
    """Where jobs are submitted.

    Attributes:
        environment: Variables with which SLURM's commands, or those that stand in for them, are found.
    """

    environment: dict[str, str]

    def sbatch(self, checkout, *words, **variables):
        """Submit from a checkout and wait for the end.

        Returns:
            The largest exit code of its tasks, what they printed, and the number of the job.
        """
        submitted = self._call("sbatch", *words, cwd=checkout, **variables)
        number = int(submitted.split()[-1])
        deadline = time.monotonic() + 300
        while AT_WORK & set(re.findall(r"JobState=(\w+)", told := self._call("scontrol", "show", "job", str(number)))):
            assert time.monotonic() < deadline, f"the job does not end:\n{told}"
            time.sleep(0.1)
        printed = [path.read_text() for path in sorted(checkout.glob(f"slurm-{number}*.out"))]
        return max(map(int, re.findall(r" ExitCode=(\d+):", told))), "\n".join(printed), number

    def _call(self, *words, cwd=None, **variables):
        environment = {**os.environ, **self.environment, **variables}
        return subprocess.run(words, cwd=cwd, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def started_slurm():
    """Give a :class:`Slurm` of two nodes."""
    installed = shutil.which("slurmctld", path=PATH) is not None
    assert installed or not os.environ.get("CI"), "CI needs SLURM: apt install slurmctld slurmd slurm-client"
    with tempfile.TemporaryDirectory(prefix="slurm") as name, contextlib.ExitStack() as daemons:
        folder = Path(name)
        if installed:
            environment = {"PATH": PATH, "SLURM_CONF": str(configured(folder))}
            for words in (["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]):
                daemons.enter_context(daemon(words, environment))
            wait_for_nodes(folder, environment)
        else:
            for command, body in STANDS_IN.items():
                write_script(folder / command, body)
            environment = {"PATH": f"{folder}:{PATH}", "FIRST_JOB": str(FIRST_JOB)}
        yield Slurm(environment)


def configured(folder):
    """Write SLURM's configuration; return its file."""
    port, *ports = free_ports(3)
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(host=host, port=port, folder=folder, user=getpass.getuser(), first_job=FIRST_JOB)
    nodes = [NODE.format(name=f"n{k}", host=host, port=port) for k, port in enumerate(ports, start=1)]
    (folder / "state").mkdir()
    (folder / "gres.conf").write_text("NodeName=n[1-2] Name=gpu File=/dev/null,/dev/zero,/dev/full,/dev/random\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n")
    (folder / "slurm.conf").write_text(text.replace("PartitionName", "".join(nodes) + "PartitionName"))
    return folder / "slurm.conf"


def free_ports(count):
    """Ports of this machine that nobody listens to."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextlib.contextmanager
def daemon(words, environment):
    process = subprocess.Popen(
        words, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for_nodes(folder, environment):
    asked = ["sinfo", "--noheader", "--states=idle", "--format=%D"]
    for _ in range(600):
        told = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        if told.stdout.strip() == "2":
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text()[-3000:] for path in folder.glob("*.log"))
    raise AssertionError(f"SLURM does not start: {told.stdout}{told.stderr}\n{logs}")
