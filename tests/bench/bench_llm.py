"""How fast a language model reads and writes here, beside the plain runtimes, and what reuse and guesses win.

    PYTHONPATH=. python tests/bench/bench_llm.py
    PYTHONPATH=. python tests/bench/bench_llm.py --quantisations Q8_0 --rounds 5 --parts speed reuse

Makes a llama model of 349 M weights (about a minute; deleted at the end). Its weights are random, so
that what it writes means nothing; speed does not depend on that, but how many guesses come true does.
So guesses are measured on a second model of the same size whose weights are those of an induction
head and else zero: it quotes its prompt, as an answer over documents does, at the same cost a token.
Every figure is the best of the rounds, the contenders taking turns; the load of the machine is
printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_gguf import Shape, write_gguf

from rag.generation.runtime import LocalModel, open_model
from rag.protocols import Prompt, Sampling
from rag.types import Message, Usage

LARGE = Shape(layers=24, width=1024, heads=16, kv_heads=8, hidden=2816, context_tokens=8192, vocabulary=32000)
SYSTEM = "Answer from the passages alone, and cite each by its number. " * 4
GRAMMAR = r"root ::= sentence+" "\n" r'sentence ::= [^\[\]]+ "[" [1-5] "]. "'


def passages(tokens: int, seed: int = 0) -> str:
    """Text of about so many of the model's tokens, no sentence of it twice."""
    chance = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 4))) for _ in range(tokens)]
    text = ""
    for at in range(0, int(tokens / 3.1), 12):
        text += f"{' '.join(words[at : at + 12])}.\n"
    return text


def ask(model: LocalModel, prompt: Prompt, sampling: Sampling, partition: str = "") -> Usage:
    told: list[Usage] = []
    for _ in model.generate(prompt, sampling, partition=partition, done=told.append):
        pass
    return told[0]


def question(context: str, text: str = "What is said?") -> Prompt:
    return Prompt(SYSTEM, context, (Message("user", text),))


def best(rounds: int, contenders: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The highest figure of each contender, who take turns."""
    found = dict.fromkeys(contenders, 0.0)
    for _ in range(rounds):
        for name, run in contenders.items():
            found[name] = max(found[name], run())
    return found


def show(title: str, figures: dict[str, Any]) -> None:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(json.dumps({"what": title, **figures, "load": load}), flush=True)


def rounded(figures: dict[str, float], places: int = 1) -> dict[str, float]:
    return {name: round(value, places) for name, value in figures.items()}


def read_speed(model: LocalModel, context: str) -> float:
    model.forget("read")
    usage = ask(model, question(context), Sampling(max_tokens=1), "read")
    return 1000 * usage.prompt_tokens / usage.first_token_ms


def write_speed(model: LocalModel, context: str, sampling: Sampling) -> float:
    usage = ask(model, question(context), sampling)
    return 1000 * (usage.generated_tokens - 1) / (usage.total_ms - usage.first_token_ms)


class PlainLlama:
    """llama.cpp as xllamacpp runs it: its own server, asked in process."""

    def __init__(self, path: Path, threads: int) -> None:
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = 8192, 1, 0
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.verbosity = -1
        settings.port = 0
        self._server = xllamacpp.Server(settings)

    def timings(self, tokens: list[int], count: int) -> dict[str, Any]:
        asked = {"prompt": tokens, "n_predict": count, "temperature": 0, "cache_prompt": False}
        found = self._server.handle_completions({**asked, "ignore_eos": True})
        return dict(found["timings"])


class PlainOpenVino:
    """openvino-genai reading the file itself."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino_genai

        self._genai = openvino_genai
        self._asked = 0
        self._pipeline = openvino_genai.LLMPipeline(str(path), "CPU", INFERENCE_NUM_THREADS=threads)

    def seconds(self, tokens: list[int], count: int) -> float:
        import numpy as np
        import openvino

        settings = self._genai.GenerationConfig(max_new_tokens=count, ignore_eos=True)
        # Another beginning each time: it keeps what it read, and would read nothing again.
        self._asked += 1
        tokens = [300 + self._asked, *tokens[1:]]
        begun = time.perf_counter()
        self._pipeline.generate(openvino.Tensor(np.array([tokens], np.int64)), settings)
        return time.perf_counter() - begun


def speed(path: Path, name: str, given: argparse.Namespace) -> None:
    ours = {
        runtime: open_model(path, runtime=runtime, lookup=False, threads=given.threads)
        for runtime in ("llama", "openvino")
    }
    text, short = passages(given.tokens), passages(40)
    tokens = ours["llama"]._vocabulary.encode(SYSTEM + text)
    few = tokens[:150]
    contenders: dict[str, Callable[[], float]] = {}
    writers: dict[str, Callable[[], float]] = {}
    for runtime, model in ours.items():
        contenders[f"ours: {runtime}"] = partial(read_speed, model, text)
        writers[f"ours: {runtime}"] = partial(write_speed, model, short, Sampling(max_tokens=given.written))
    llama = PlainLlama(path, given.threads)
    contenders["plain llama.cpp"] = lambda: llama.timings(tokens, 1)["prompt_per_second"]
    writers["plain llama.cpp"] = lambda: llama.timings(few, given.written)["predicted_per_second"]
    try:
        genai = PlainOpenVino(path, given.threads)
    except ImportError:
        print("openvino-genai is not installed: left out", file=sys.stderr)
    else:
        contenders["plain openvino-genai"] = lambda: len(tokens) / genai.seconds(tokens, 1)

        def write() -> float:
            return (given.written - 1) / (genai.seconds(few, given.written) - genai.seconds(few, 1))

        writers["plain openvino-genai"] = write
    show(f"{name}: prompt tokens a second ({len(tokens)} tokens)", rounded(best(given.rounds, contenders)))
    show(f"{name}: tokens written a second", rounded(best(given.rounds, writers)))


def reuse(path: Path, name: str, given: argparse.Namespace) -> None:
    """Time to the first token: without reuse, from memory, from disk, from disk in a new process."""
    text = passages(given.tokens)
    for runtime in ("llama", "openvino"):
        with tempfile.TemporaryDirectory() as folder:
            states = Path(folder)
            model = open_model(path, runtime=runtime, states=states, threads=given.threads)
            found: dict[str, float] = {"without": 1e9, "memory": 1e9, "disk": 1e9, "new process": 1e9}
            for turn in range(given.rounds):
                model.forget("reuse")
                sampling = Sampling(max_tokens=1)
                first = ask(model, question(text, f"Question {turn}?"), sampling, "reuse")
                found["without"] = min(found["without"], first.first_token_ms)
                again = ask(model, question(text, f"Other {turn}?"), sampling, "reuse")
                assert again.cached_tokens > 0.9 * again.prompt_tokens
                found["memory"] = min(found["memory"], again.first_token_ms)
                model._states._held.clear()
                cold = ask(model, question(text, f"Third {turn}?"), sampling, "reuse")
                assert cold.cached_tokens > 0.9 * cold.prompt_tokens
                found["disk"] = min(found["disk"], cold.first_token_ms)
                child = [sys.executable, __file__, "--child", str(path), runtime, folder, str(given.tokens)]
                done = subprocess.run(child, check=True, capture_output=True, text=True)
                found["new process"] = min(found["new process"], float(done.stdout.split()[-1]))
            bytes_kept = sum(each.stat().st_size for each in states.rglob("*.state"))
            about = {"prompt tokens": again.prompt_tokens, "kept MB": round(bytes_kept / 1e6)}
            show(f"{name}, {runtime}: ms to the first token", {**rounded(found), **about})
            del model


def in_new_process(path: str, runtime: str, folder: str, tokens: str) -> None:
    model = open_model(path, runtime=runtime, states=folder)
    usage = ask(model, question(passages(int(tokens)), "Child?"), Sampling(max_tokens=1), "reuse")
    assert usage.cached_tokens > 0.9 * usage.prompt_tokens
    print(usage.first_token_ms)


def grammar(path: Path, name: str, given: argparse.Namespace) -> None:
    short = passages(40)
    plain, ruled = Sampling(max_tokens=given.written), Sampling(max_tokens=given.written, grammar=GRAMMAR)
    for runtime in ("llama", "openvino"):
        model = open_model(path, runtime=runtime, lookup=False, threads=given.threads)
        found = best(
            given.rounds,
            {
                "without": partial(write_speed, model, short, plain),
                "with": partial(write_speed, model, short, ruled),
            },
        )
        cost = 1000 / found["with"] - 1000 / found["without"]
        show(f"{name}, {runtime}: tokens a second, grammar", {**rounded(found), "ms a token": round(cost, 3)})
        del model


def guesses(path: Path, copier: Path, name: str, given: argparse.Namespace) -> None:
    """Tokens a second with guesses and without, where the answer quotes and where it does not."""
    text = passages(400, seed=3)
    quoted = text.split("\n")[5][:12]
    for runtime in ("llama", "openvino"):
        for kind, file, asked in (("quotes", copier, f"\n{quoted}"), ("free", path, "What is said?")):
            prompt = question(text, asked)
            writers = {
                name: _Writer(file, runtime, guessing, prompt, given)
                for name, guessing in (("without", False), ("with", True))
            }
            found = best(given.rounds, {name: writer.speed for name, writer in writers.items()})
            told = writers["with"].usage
            about = {
                "speed-up": round(found["with"] / found["without"], 2),
                "guessed right": f"{told.guessed_tokens} of {told.generated_tokens}",
                "same text": writers["with"].text == writers["without"].text,
            }
            show(f"{name}, {runtime}, {kind}: tokens a second, guesses", {**rounded(found), **about})


class _Writer:
    """A model that writes the same text again and again, and what it last wrote."""

    def __init__(
        self, file: Path, runtime: str, guessing: bool, prompt: Prompt, given: argparse.Namespace
    ) -> None:
        self._model = open_model(file, runtime=runtime, lookup=guessing, threads=given.threads)
        self._prompt, self._sampling = prompt, Sampling(max_tokens=2 * given.written)
        self.text = ""
        self.usage: Usage

    def speed(self) -> float:
        told: list[Usage] = []
        self.text = "".join(self._model.generate(self._prompt, self._sampling, done=told.append))
        (self.usage,) = told
        return 1000 * (self.usage.generated_tokens - 1) / (self.usage.total_ms - self.usage.first_token_ms)


def costs(path: Path, name: str, given: argparse.Namespace) -> None:
    """What a further token adds to the time of reading one, in such times: `GUESS_COST`."""
    from rag.generation.runtime_batch import Part

    for runtime in ("llama", "openvino"):
        decoder: Any = open_model(path, runtime=runtime, threads=given.threads)._batch._decoder
        for start in range(0, 512, 256):
            decoder.decode([Part(0, start, list(range(300, 556)), 0)])
        taken = dict.fromkeys((1, 2, 3, 4, 7), 1e9)
        for _ in range(4 * given.rounds):
            for count in taken:
                begun = time.perf_counter()
                decoder.decode([Part(0, 512, [400] * count, count)])
                taken[count] = min(taken[count], time.perf_counter() - begun)
                decoder.cut(0, 512)
        added = {
            f"{count} tokens": (taken[count] / taken[1] - 1) / (count - 1) for count in taken if count > 1
        }
        show(f"{name}, {runtime}: cost of a further token", rounded(added, 2))


@contextmanager
def model_files(given: argparse.Namespace) -> Iterator[dict[str, tuple[Path, Path]]]:
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        made = {}
        for kind in given.quantisations:
            begun = time.perf_counter()
            path = write_gguf(Path(folder) / f"random-{kind}.gguf", quantisation=kind, shape=LARGE)
            copier = Path(folder) / f"copier-{kind}.gguf"
            if "guesses" in given.parts:
                write_gguf(copier, quantisation=kind, shape=LARGE, copying=True)
            megabytes = path.stat().st_size / 1e6
            print(f"{kind}: {megabytes:.0f} MB, made in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            made[kind] = (path, copier)
        yield made


def main() -> None:
    parts = ("speed", "reuse", "grammar", "guesses", "costs")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--quantisations", nargs="+", default=["Q8_0", "Q4_0"])
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=2000, help="about how long prompts are")
    parser.add_argument("--written", type=int, default=64)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="where the models are made")
    given = parser.parse_args()
    if given.child:
        in_new_process(*given.child)
        return
    with model_files(given) as made:
        for name, (path, copier) in made.items():
            if "guesses" in given.parts:
                guesses(path, copier, name, given)
            for part, run in (("speed", speed), ("reuse", reuse), ("grammar", grammar), ("costs", costs)):
                if part in given.parts:
                    run(path, name, given)


if __name__ == "__main__":
    main()
