"""Many readers at once on one server: how long each waits, and whether any is lost.

    python -m eval.bench.serve_load http://127.0.0.1:7860 [--readers 20] [--each 5]

Ask as Gradio's own clients do (a call, then its event stream), all readers at the same time, each its questions one after
the other; every question is another one, so that nothing is answered from memory. Only loopback addresses are asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

import httpx
import numpy as np

from eval.cases import DATASETS, read_cases


async def ask(client: httpx.AsyncClient, question: str) -> float:
    """Seconds until the whole answer was there.

    Raises:
        RuntimeError: the server gave none.
    """
    begun = time.perf_counter()
    made = await client.post("/gradio_api/call/ask", json={"data": [question, None, None]})
    made.raise_for_status()
    event = ""
    async with client.stream("GET", f"/gradio_api/call/ask/{made.json()['event_id']}") as stream:
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            event = value if name == "event" else event
            if name == "data" and event == "complete" and json.loads(value)[0]["question"] == question:
                return time.perf_counter() - begun
    raise RuntimeError(f"no answer to {question!r}")


async def measure(address: str, readers: int, each: int) -> tuple[list[float], int]:
    """Seconds of each answer, and how many questions had none."""
    questions = [case.question for case in read_cases(DATASETS / "questions.jsonl") if not case.history]
    times: list[float] = []
    lost = 0

    async def reader(number: int) -> None:
        nonlocal lost
        async with httpx.AsyncClient(base_url=address, timeout=300) as client:
            for turn in range(each):
                try:
                    times.append(await ask(client, questions[(number * each + turn) % len(questions)]))
                except (httpx.HTTPError, RuntimeError) as error:
                    lost += 1
                    print(f"lost: {error!r}", file=sys.stderr)

    await asyncio.gather(*map(reader, range(readers)))
    return times, lost


def main(argv: Sequence[str] | None = None) -> int:
    """Print p50, p95 and the number lost; exit 1 when any was."""
    parser = argparse.ArgumentParser(prog="serve_load", description="Many readers at once on one server.")
    parser.add_argument("address", help="http://127.0.0.1:PORT of a running `attest serve`")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--each", type=int, default=5, help="questions of each reader (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if httpx.URL(arguments.address).host not in ("127.0.0.1", "localhost", "::1"):
        parser.error("only a server on this machine is measured")
    begun = time.perf_counter()
    times, lost = asyncio.run(measure(arguments.address, arguments.readers, arguments.each))
    took = time.perf_counter() - begun
    p50, p95 = np.percentile(times, [50, 95]) if times else (0.0, 0.0)
    print(
        f"{arguments.readers} readers, {len(times)} answers in {took:.1f} s: p50 {p50:.2f} s, p95 {p95:.2f} s, {lost} lost"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
