"""MLflow's own client against a real MLflow server; prints the figures of measure.ts as JSON."""

import json
import statistics
import sys
import threading
import time

import mlflow
import requests

job = json.loads(sys.argv[1])
mlflow.set_tracking_uri(job["url"])
sent = [0]
lock = threading.Lock()
real_send = requests.sessions.Session.send


def counting_send(self, *args, **kwargs):
    with lock:
        sent[0] += 1
    return real_send(self, *args, **kwargs)


requests.sessions.Session.send = counting_send


def load(name):
    return mlflow.genai.load_prompt(f"prompts:/{name}@production", cache_ttl_seconds=300)


def settle():
    """Its background threads tag the prompt after a load; they belong to the load that caused them."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(timeout=30)


load("bench-warm")
settle()
cold = []
before = sent[0]
for i in range(job["prompts"]):
    start = time.perf_counter()
    load(f"bench-{i}")
    cold.append((time.perf_counter() - start) * 1000)
settle()
cold_requests = (sent[0] - before) / job["prompts"]

before = sent[0]
threads = [threading.Thread(target=load, args=("bench-herd",)) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
settle()
herd = sent[0] - before

calls = max(200, job["calls"] // 100)
cached = []
for _ in range(job["rounds"]):
    start = time.perf_counter_ns()
    for _ in range(calls):
        load("bench-0")
    cached.append((time.perf_counter_ns() - start) / calls)
print(
    json.dumps(
        {
            "cachedLoadNs": statistics.median(cached),
            "coldLoadMs": statistics.median(cold),
            "coldLoadRequests": cold_requests,
            "herdRequests": herd,
        }
    )
)
