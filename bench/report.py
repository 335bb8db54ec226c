import statistics
from bench.measures import Measures
from demo.stage import Stage

async def tell(stage: Stage, measures: Measures) -> int:
    for what, samples in measures.samples.items():
        ms = sorted(1000 * each for each in samples)
        print(f"{what:28} {len(ms):4} median {statistics.median(ms):6.2f} p90 {ms[int(len(ms)*.9)]:6.2f} p99 {ms[min(len(ms)-1,int(len(ms)*.99))]:6.2f} min {ms[0]:.2f}")
    return 0
