"""catalog/dialects/codex.py: /v1/models?client_version=, of which one odd field would empty Codex's list."""

import pytest


@pytest.fixture
def listed(api, alice, make_key):
    def ask():
        answer = api.with_key(make_key(alice).token).get("/v1/models?client_version=0.171.0")
        assert answer.status_code == 200, answer.content
        return answer.json()["models"]

    return ask


REQUIRED = {
    "slug": "acme/bare",
    "display_name": "bare",
    "supported_reasoning_levels": [],
    "shell_type": "shell_command",
    "visibility": "list",
    "supported_in_api": True,
    "priority": 0,
    "support_verbosity": False,
    "truncation_policy": {"mode": "tokens", "limit": 10_000},
    "experimental_supported_tools": [],
    "base_instructions": "",
}


def test_what_is_not_known_is_absent_unless_it_is_required(listed, make_model):
    make_model("acme/bare")
    make_model("acme/vectors", supports_embeddings=True)
    assert listed() == [REQUIRED]


def test_words_that_codex_does_not_know_are_left_out(listed, make_model):
    make_model(
        "acme/large", input_modalities=["text", "file", "image", "video"], default_verbosity="shrill", context_length=9,
        reasoning_levels=[{"effort": "low"}], default_reasoning_level="none", supports_verbosity=True,
    )  # fmt: skip
    make_model("acme/files", input_modalities=["file"])
    files, large = listed()
    assert "input_modalities" not in files
    assert (large["input_modalities"], large["context_window"]) == (["text", "image"], 9)
    assert large["supported_reasoning_levels"] == [{"effort": "low", "description": ""}]
    assert not {"default_verbosity", "default_reasoning_level"} & large.keys()


@pytest.mark.parametrize("priority", [2_147_483_647, -2_147_483_647])
def test_the_highest_priority_comes_first_by_codexs_own_order(listed, make_model, priority):
    make_model("acme/a", priority=priority)
    make_model("acme/b", priority=1)
    rows = listed()
    assert [row["slug"] for row in rows] == [row["slug"] for row in sorted(rows, key=lambda row: row["priority"])]
    assert all(-(2**31) <= row["priority"] < 2**31 for row in rows)
