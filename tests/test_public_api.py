"""The face: which names there are, that each loads, and that importing it costs nothing."""

import subprocess
import sys

import rag

HEAVY = set("torch faiss openvino onnxruntime sentence_transformers transformers fastapi lxml numpy".split())


def test_every_name_of_the_face_loads():
    for name in rag.__all__:
        assert getattr(rag, name) is not None


def test_the_face_is_sorted_and_under_thirty_names():
    assert rag.__all__ == sorted(rag.__all__)
    assert 15 <= len(rag.__all__) <= 30


def test_unknown_name_is_an_attribute_error():
    try:
        rag.nonsense  # noqa: B018
    except AttributeError as error:
        assert "nonsense" in str(error)
    else:
        raise AssertionError("rag.nonsense exists")


def _in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_importing_loads_nothing_heavy():
    loaded = _in_a_new_process("import sys, rag; print(*{name.split('.')[0] for name in sys.modules})")
    assert "rag" in loaded.split()
    assert HEAVY.isdisjoint(loaded.split())


def test_importing_the_engine_loads_no_models_and_no_faiss():
    loaded = _in_a_new_process(
        "import sys, rag; rag.open; print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert (HEAVY - {"numpy"}).isdisjoint(loaded.split())


def test_importing_changes_neither_logging_nor_the_environment():
    printed = _in_a_new_process(
        "import logging, os\n"
        "before = (dict(os.environ), logging.root.level, len(logging.root.handlers))\n"
        "import rag; rag.open\n"
        "print(before == (dict(os.environ), logging.root.level, len(logging.root.handlers)))"
    )
    assert printed == "True"


def test_importing_takes_under_three_tenths_of_a_second():
    code = "import time; start = time.perf_counter(); import rag; print(time.perf_counter() - start)"
    assert min(float(_in_a_new_process(code)) for _ in range(5)) < 0.3
