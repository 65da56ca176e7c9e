#!/usr/bin/env python3
"""forward.py NETWORK|FILE.onnx [BATCH...]: the forward pass by atled and by onnxruntime, in turn, with one thread.

NETWORK: one of bench/networks.h or of `atled --help`, which build/bench/atled_imported writes as an ONNX file.  Prints
milliseconds of processor time, the median of $ROUNDS (3) medians of $RUNS (7) runs, and their ratio.  BUILD (build).
With ATLED_ISA=avx2 or generic both run as on a processor without more (bench/cap_cpuid.c).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["BENCH_CLOCK"] = "processor"
RUNS = int(os.environ.get("RUNS", "7"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
IMPORTED = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bench", "atled_imported"))
CAPS = {"avx2": "avx2", "generic": "sse4"}  # the processor of a level, by the names of bench/cap_cpuid.c


def cap_processor():
    """Starts this script once more, so that onnxruntime sees no more of the processor than $ATLED_ISA allows."""
    cap = CAPS.get(os.environ.get("ATLED_ISA"))
    if cap and os.environ.get("CAP_ISA") != cap:
        library = os.path.join(os.path.dirname(IMPORTED), "cap_cpuid.so")
        if not os.path.exists(library):
            sys.exit(f"there is no {library}, without which onnxruntime cannot be capped")
        environment = dict(os.environ, LD_PRELOAD=library, CAP_ISA=cap)
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def run_onnxruntime(path, batch):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    shape = [size if i and isinstance(size, int) else batch for i, size in enumerate(image.shape)]
    feed = {image.name: numpy.random.default_rng(1).random(shape, dtype=numpy.float32)}
    output = [session.get_outputs()[0].name]
    times = []
    for _ in range(RUNS + 1):
        start = time.process_time()
        session.run(output, feed)
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times[1:])


def run_atled(path, batch):
    command = [IMPORTED, "forward", path, str(batch), str(RUNS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["median"]


def main():
    cap_processor()
    name, batches = sys.argv[1], [int(text) for text in sys.argv[2:]] or [1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.abspath(name)
        for batch in batches:
            if not name.endswith(".onnx"):
                subprocess.run([IMPORTED, "write", name, str(batch)], check=True, cwd=folder)
                path = os.path.join(folder, "bench_imported.onnx")
            pairs = [(run_atled(path, batch), run_onnxruntime(path, batch)) for _ in range(ROUNDS)]
            atled, other = (statistics.median(times) for times in zip(*pairs))
            ratio = statistics.median(a / b for a, b in pairs)
            text = f"atled {atled:.2f} ms, onnxruntime {other:.2f} ms, ratio {ratio:.2f}"
            print(f"{os.path.basename(name)}, batch {batch}: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
