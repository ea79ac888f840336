"""A question's stages by themselves: nanoseconds here, and instructions, which are the same on any machine."""
import os
import re
import subprocess

from cases import CLIENT_CPU, say
from harness import check

HERE = os.path.dirname(os.path.abspath(__file__))
QUESTIONS = 200000


def measure(bench, build):
    program = os.path.join(build, "bench", "stages")
    names = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for _ in range(bench.o.rounds):
        for name in names:
            out = subprocess.run(["taskset", "-c", CLIENT_CPU, program, name, str(QUESTIONS)], stdout=subprocess.PIPE, text=True)
            found = re.search(r": (\d+) ns each", out.stdout)
            check(out.returncode == 0 and found, "stages " + name, out)
            bench.put("stage", name, {"ns": int(found[1])})
    # The guard counts them, and says of each what its file says.
    said = subprocess.run([os.path.join(HERE, "guard.sh"), build], stdout=subprocess.PIPE, text=True).stdout
    for name, now, was in re.findall(r"- (\w+): (\d+) instructions per question.*?(?:file:|says) (\w+)", said):
        bench.put("instructions", name, {"instructions": int(now)} | ({"before": int(was)} if was.isdigit() else {}))
    if "skipped" in said:
        say(said.strip())
