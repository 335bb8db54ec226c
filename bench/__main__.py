"""`python -m bench [SAMPLES]`: medians and p99 against the floor. Ends with 1 when the service is above twice it."""

import asyncio
import sys
import time

from bench import bare, report
from bench.measures import Measures
from bench.scene import Scene
from bench.wire import Wire
from demo.stage import scratch_stage

SAMPLES = 200
WARM_UP = 10


def main(samples: int) -> int:
    return asyncio.run(_run(samples))


async def _run(samples: int) -> int:
    async with scratch_stage("bench") as stage:
        scene = await Scene.set(stage, 2 * (samples + WARM_UP) + 2)
        async with bare.floor(stage) as floor:
            service = await Wire.open(stage.ports.http, await scene.token())
            measures = await _measure(scene, service, floor, samples)
            service.close()
            return await report.tell(stage, measures)


async def _measure(scene: Scene, service: Wire, floor: Wire, samples: int) -> Measures:
    measures = Measures(scene, service, floor)
    for _ in range(WARM_UP):
        await measures.round()
    measures.forget()
    started = time.monotonic()
    for n in range(1, samples + 1):
        await measures.round()
        if n % 50 == 0:
            print(f"  {n} of {samples} rounds, {time.monotonic() - started:.0f} s", flush=True)
    return measures


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES))
