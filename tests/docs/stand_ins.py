"""What stands for what the pages speak of: large archives, GPUs, clusters, hours. A row that matches nothing fails."""

import re
import shlex

ZOO = "zoo-8cd5ea6f-tss"  # the demo's archive, whose place the small zoo takes

# Placeholders and places: what a page writes, what is typed here. {home} is the workplace.
STANDS_FOR = {
    r"^(harness archive \w+ +|cd )PATH\b": rf"\1results/zoo/{ZOO}",
    r"^(harness archive convert \S+ )OUT\b": r"\1converted",
    r"^(harness import published )PATH\b": r"\1/data/calibration-tables",
    r"^(harness import robustness )PATH\b": r"\1/data/robustness",
    r"^(harness compare )A B\b": r"\1clean paper",
    r"^(harness store merge )FROM INTO\b": r"\1other/store merged/store",
    r"^(harness store merge .*)s3://BUCKET/PATH\b": r"\1s3://bucket/study",
    r"^(harness store merge .*)FOLDER\b": r"\1copied/store",
    r"^(harness measure )FILE\.npz\b": r"\1predictions.npz",
    r"--out FOLDER\b": "--out exported",
    r'"SQL"': '"SELECT * FROM models"',
    r'"SELECT \.\.\."': '"SELECT * FROM runs"',
    r"archives\.tss=\.\.\.": "study.spaces=[tss] archives.tss=/data/NATS-tss-v1_0-3ffb9-full data_root=/data",
    r"/data\b": "{home}/data",
    r"/scratch\b": "{home}/scratch",
    r"results/zoo/zoo-c36b7385-tss": "{trained_zoo}",  # the name is a hash of the training images too
    r"study\.archs=100\b": "study.archs={held}",
    r"sample:8:7": "sample:2:7",  # of the small zoo's four topologies and two sizes
    r"zoo\.train_images=5000": "zoo.train_images=40",
    r"--array=1-8": "--array=1-2",
    r"--nodes=4": "--nodes=2",
    r"study\.datasets=\[cifar10,cifar100\]": "study.datasets=[digits]",
}
# The same in snippets.
SNIPPETS_STAND_FOR = {
    r'hp="12"': 'hp="02"',
    r"/data/": "{home}/data/",
    r'published\(space="tss", dataset="cifar10"\)': 'published(space="tss", dataset="digits")',
    r'protocol="paper", dataset="cifar10"': 'protocol="paper", dataset="digits"',
    r"arch_index=11, seed": "arch_index={held}, seed",  # a topology of the small zoo
}
# In settings of what is run, by a page or by a recipe.
SETTINGS_STAND_FOR = {
    r"runner\.device=cuda": "runner.device=cpu",
    r"runner\.gpus_per_worker=.*": "runner.gpus_per_worker=0",
    r"runner\.address=auto": "runner.address=local",
}
# Settings of every command, by its experiment: before its own, so that its own win.
SETTINGS = {
    "demo": ["runner=local"],  # and the archives of the small zoo
    "paper": ["runner=local", "released_only=false"],
    "cifar10_zoo": ["runner=local", "released_only=false"],
}
# What takes hours, cut short by these settings behind its own.
CUT_SHORT = {
    r"^harness zoo train(?!.* limit=)(?!.*zoo\.archs=(0-2|20000))(?!.*(smoothing|crop)=)": ["limit=1", "zoo.epochs=1"],
    r"^harness run study\.families=\[study,intervals,replicates\]$": ["limit=1"],
    r"^jobs/cifar10_zoo\.sh": ["limit=1", "zoo.epochs=1", "study.hps=['01']"],
}
# What a target of make is given to be done in seconds.
MADE_SHORT = {
    "plan": rf"study.spaces=[tss] archives.tss={{home}}/results/zoo/{ZOO} study.hps=[\'02\']",
    "bench": "--tables sort",
    "bench-inference": "--images 2",
    "bench-report": "--networks 12 --pages q3_agreement",
    "bench-search": "--runs 2 --evaluations 10",
    "coverage": "--sets 2 --images 100",
    "precision": r"runner=local limit=2 study.spaces=[tss] zoo.spaces=[tss] zoo.epochs=1 study.hps=[\'01\']",
}
# What takes a minute even so, and is made by the test of its own.
MADE_ELSEWHERE = {"chaos": "tests/chaos/test_chaos.py", "bench-scale": "tests/test_bench_scale.py"}
# Exit codes other than 0 that the page speaks of; after a shown `harness: error:` it is 2.
ENDS_WITH = {r"zoo\.learning_rate=1e6": 1}
# What a page takes for done.
DONE_BEFORE = {
    "docs/questions.md": "harness import published /data/few-rows --partial",
    "docs/store.md": "harness store merge other/store s3://BUCKET/PATH",
}
# Blocks that the page says are a file.
SAVED_AS = {"my_family.py": "docs/own_family.md"}


def replaced(text, table):
    for pattern, value in table.items():
        text = re.sub(pattern, value, text)
    return text


def plain_words(text):
    """The words of a command line without comments, placeholders replaced."""
    return tuple(shlex.split(replaced(text, STANDS_FOR), comments=True))
