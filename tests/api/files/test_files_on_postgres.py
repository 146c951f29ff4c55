"""Files of redirects, forks and histories on Postgres: the same tests, on the other journal."""

from __future__ import annotations

import pytest

from tests.api.files.test_parts_of_forks import (  # noqa: F401  run here, with these fixtures
    test_a_fork_gets_what_is_known_of_its_files,
    test_a_redirect_has_parts_and_is_repeatable,
    test_a_repeated_submission_with_parts_is_known_when_temporal_has_forgotten_it,
    test_files_of_a_redirect_and_of_forks_live_until_the_last_of_these_runs_is_erased,
    test_what_a_user_said_before_has_parts,
)
from tests.api.test_lists_on_postgres import api, journal

__all__ = ["api", "journal"]
pytestmark = pytest.mark.slow
