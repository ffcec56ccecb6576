"""The tools for assistants, asked by the protocol's own client over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the mcp extra is not installed")
from mcp import Client, StdioServerParameters

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
TOOLS = ["find_entity", "predict", "explain", "screen", "rules", "audit", "card"]
VICTORIA = "Victoria_of_Wales"


def test_seven_tools_that_read():
    drugs = json.loads((RUNS / "walks" / "data" / "meta.json").read_text()) and ["methadone"]
    calls = [
        ("find_entity", {"run": "rules", "query": "victoria"}),
        ("predict", {"run": "rules", "head": VICTORIA, "relation": "cousin", "top": 2}),
        ("predict", {"run": "walks", "head": drugs[0], "tail": "ticagrelor", "top": 2}),
        ("explain", {"run": "rules", "head": VICTORIA, "relation": "cousin",
                     "tail": "Alexandra_of_Greece_1870"}),
        ("screen", {"run": "walks", "drug": drugs[0], "top": 2}),
        ("rules", {"run": "rules", "top": 2}),
        ("audit", {"run": "rules"}),
        ("card", {"run": "walks"}),
    ]  # fmt: skip

    async def talk():
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "parsimony", "mcp", str(RUNS / "rules"), str(RUNS / "walks"), "--quiet"],
            env={**os.environ},
        )
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            answers = [await client.call_tool(name, given) for name, given in calls]
            wrong = [
                await client.call_tool("predict", {"run": "rules", "head": "x", "relation": "y"}),
                await client.call_tool("predict", {"head": VICTORIA, "relation": "cousin"}),
                await client.call_tool("screen", {"run": "rules", "drug": "x"}),
            ]
            return tools, answers, wrong

    tools, answers, wrong = asyncio.run(talk())
    assert [tool.name for tool in tools] == TOOLS
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    for (name, given), answer in zip(calls, answers, strict=True):
        assert not answer.is_error, (name, answer)
        found = answer.structured_content
        assert found["stance"] == "predicted, not stated"
        assert found["calibration"] and len(found["run"]["hash"]) == 64
        assert "not instructions" in found["names_are_data"]
        assert found["run"]["id"] == given["run"]
        research = found["caution"] == "For research, not for clinical use."
        assert research == (given["run"] == "walks")
    results = [answer.structured_content["result"] for answer in answers]
    assert results[0]["entities"][0]["name"] == VICTORIA
    assert results[1]["answers"] and results[2]["answers"] and results[3]["paths"]
    assert len(results[4]["partners"]) == 2 and len(results[5]["rules"]) == 2
    assert all(answer.is_error for answer in wrong)
    assert (
        "UnknownEntity" in wrong[0].content[0].text and "rules, walks" in wrong[1].content[0].text
    )
