"""MLflow's own client against a real MLflow server, in a process of its own; orders as in protocol.ts."""

import json
import sys
import threading
import time

import mlflow
import requests
from mlflow.entities.model_registry import PromptVersion

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
    return mlflow.genai.load_prompt(f"prompts:/{name}@production", cache_ttl_seconds=3600)


def settle():
    """Its background threads tag the prompt after a load; they belong to the load that caused them."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(timeout=30)


rendered = PromptVersion("rendered", 1, job["template"])


def cached_load(calls):
    start = time.perf_counter_ns()
    for _ in range(calls):
        load("bench-0")
    return (time.perf_counter_ns() - start) / calls


def render(calls):
    values = job["values"]
    start = time.perf_counter_ns()
    for i in range(calls):
        rendered.format(**values[i % 16])
    return (time.perf_counter_ns() - start) / calls


def cold(names):
    before = sent[0]
    times = []
    for name in names:
        start = time.perf_counter()
        load(name)
        times.append((time.perf_counter() - start) * 1000)
    settle()
    return {"ms": times, "requests": sent[0] - before}


def carry_out(order):
    if order["op"] == "cold":
        return cold(order["names"])
    work = {"cachedLoad": cached_load, "render": render}[order["work"]]
    return work(order["calls"])


def say(value):
    print("@@" + json.dumps(value), flush=True)


load("bench-0")
settle()
say("ready")
for line in sys.stdin:
    say(carry_out(json.loads(line)))
