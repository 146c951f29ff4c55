"""The page's pure modules, tested in Node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.web.page_files import copied_model, program

TESTS = Path(__file__).with_name("model.test.mjs")


def test_the_pure_modules_do_what_they_say(tmp_path: Path) -> None:
    done = subprocess.run(
        [program("node"), "--test", str(TESTS)],
        env=os.environ | {"MODEL": str(copied_model(tmp_path))},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
