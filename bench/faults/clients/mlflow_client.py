"""MLflow's own client, with its own settings, in a process of its own; orders as in client-process.ts."""

import gc
import json
import sys
import threading
import time
import tracemalloc

job = json.loads(sys.argv[1])
shift = [0.0]
real_time = time.time
time.time = lambda: real_time() + shift[0]

import mlflow  # noqa: E402 (after the clock that it is to read)

mlflow.set_tracking_uri(job["url"])


def timed(name):
    start = time.perf_counter()
    answer = {"name": name}
    try:
        uri = f"prompts:/{name}@production"
        prompt = mlflow.genai.load_prompt(uri, cache_ttl_seconds=job["ttlSeconds"])
        answer["text"] = prompt.template
    except Exception as error:
        answer["error"] = str(getattr(error, "error_code", None) or type(error).__name__)
    answer["ms"] = (time.perf_counter() - start) * 1000
    return answer


def all_at_once(names):
    if len(names) == 1:
        return [timed(names[0])]
    answers = []
    threads = [threading.Thread(target=lambda name=name: answers.append(timed(name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def carry_out(order):
    if order["op"] == "load":
        return all_at_once(order["names"])
    if order["op"] == "clock":
        shift[0] += order["shiftMs"] / 1000
        return None
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def say(value):
    print("@@" + json.dumps(value), flush=True)


say("ready")
for line in sys.stdin:
    say(carry_out(json.loads(line)))
