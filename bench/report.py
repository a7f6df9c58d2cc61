# SPDX-License-Identifier: ISC
"""Tables of what was measured, on the screen and in docs/BENCHMARKS.md."""
import os
import platform
import subprocess

from systems import ROOT

PAGE = os.path.join(ROOT, "docs/BENCHMARKS.md")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def number(x):
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.3g}"


def ratio(figure, ours, theirs):
    """How many times better we are."""
    if ours <= 0 or theirs <= 0:
        return ""
    better = ours / theirs if figure.more_is_better else theirs / ours
    return f"{better:.1f}"


def table(case, medians):
    out = [f"### {case.title}", "",
           f"| | Veredus | {case.peer or ''} | times better | wanted |",
           "|---|--:|--:|--:|--:|"]
    for f in case.figures:
        cells = [number(medians[s][f.key]) if s in medians else ""
                 for s in ("veredus", "peer")]
        times = ratio(f, medians["veredus"][f.key],
                      medians["peer"][f.key]) if len(medians) == 2 else ""
        out.append(f"| {f.words} | {cells[0]} | {cells[1]} | {times} | "
                   f"{f.wanted} |")
    return "\n".join(out) + "\n"


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f
                      if line.startswith("model name")), "?")
    rev = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT,
                         capture_output=True, text=True).stdout.strip()
    return (f"{os.cpu_count()} x {model}, Linux {platform.release()}, "
            f"commit {rev}")


def write(tables, runs):
    """Replaces the figures in the page, whose words are kept."""
    with open(PAGE) as f:
        text = f.read()
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(PAGE, "w") as f:
        f.write(f"{head}{BEGIN}\n\n{machine()}; median of {runs}.\n\n"
                + "\n".join(tables) + f"\n{END}{tail}")
