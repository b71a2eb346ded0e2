"""catalog/db/exclusion.py: several processes that set one database up at once."""

from __future__ import annotations

import pytest

from tests.servers import manage, running


@pytest.mark.parametrize("command", [("quickstart", "--no-sync"), ("migrate",)])
def test_all_who_start_at_once_on_an_empty_database_succeed(own_database, project_dir, tmp_path, command):
    started = [manage(project_dir, *command, DATABASE_URL=own_database) for _ in range(3)]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert sum(output.count("First admin:") for output in outputs) == (command[0] == "quickstart")
    with running(tmp_path / "log", project_dir, DATABASE_URL=own_database) as server:
        assert server.request("GET", "/readyz").status == 200
