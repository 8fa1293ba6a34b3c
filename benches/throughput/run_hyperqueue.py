"""Measures how long HyperQueue takes to run a program ITEMS times on this machine: its server and one worker, by its
Python API.

run_hyperqueue.py ITEMS CORES PROGRAM prints seconds.
The client asks once a second whether all are done: up to a second is its own.
"""

import sys
import tempfile
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def run(client, directory, items, program):
    job = Job(default_workdir=directory)
    for _ in range(items):
        job.program([program], stdout=None, stderr=None)
    began = time.monotonic()
    client.wait_for_jobs([client.submit(job)])
    return time.monotonic() - began


items, cores, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with tempfile.TemporaryDirectory() as directory:
    with LocalCluster(directory, WorkerConfig(cores=cores)) as cluster:
        client = cluster.client()
        run(client, directory, 50, program)
        print(run(client, directory, items, program))
