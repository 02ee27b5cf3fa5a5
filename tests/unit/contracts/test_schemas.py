"""What is recorded stays readable: the JSON schema of every contract is frozen.

A new optional field is a new line in ``golden/contracts.json`` (write it with ``--record-contracts``); anything else
strands open runs and needs a decision record.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from temporalio.api.failure.v1 import Failure

from tests.support import paths
from watchkeeper import contracts
from watchkeeper.contracts import Contract
from watchkeeper.temporal.client import DATA_CONVERTER

GOLDEN = paths.GOLDEN / "contracts.json"

TYPES = sorted(
    (found for _, found in inspect.getmembers(contracts, inspect.isclass) if issubclass(found, Contract)),
    key=lambda found: found.__name__,
)


def schemas() -> dict[str, Any]:
    _, schema = models_json_schema([(found, "validation") for found in TYPES])
    definitions: dict[str, Any] = schema["$defs"]
    return definitions


def test_the_schema_of_every_contract_is_frozen(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--record-contracts"):
        GOLDEN.write_text(json.dumps(schemas(), indent=1, sort_keys=True) + "\n")
    assert schemas() == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("contract", TYPES, ids=lambda contract: contract.__name__)
def test_a_default_means_absent_and_nothing_else(contract: type[BaseModel]) -> None:
    neutral: tuple[object, ...] = (None, "", 0, False, [], {}, "ok")
    for name, field in contract.model_fields.items():
        if field.is_required():
            continue
        default = field.get_default(call_default_factory=True)
        assert default in neutral or isinstance(default, Contract), f"{contract.__name__}.{name} = {default!r}"


@pytest.mark.parametrize("contract", TYPES, ids=lambda contract: contract.__name__)
def test_contracts_are_frozen(contract: type[BaseModel]) -> None:
    assert contract.model_config.get("frozen") is True


async def test_what_was_never_set_is_not_recorded() -> None:
    (payload,) = await DATA_CONVERTER.encode([contracts.RunInput(text="why?")])
    assert payload.data == b'{"text":"why?"}'
    (back,) = await DATA_CONVERTER.decode([payload], [contracts.RunInput])
    assert back == contracts.RunInput(text="why?")


async def test_a_later_field_does_not_break_an_earlier_reader() -> None:
    read = TypeAdapter(contracts.RunInput).validate_json(b'{"text": "why?", "from_the_future": 1}')
    assert read.text == "why?"


async def test_failures_are_recorded_whatever_they_say() -> None:
    failure = Failure()
    await DATA_CONVERTER.encode_failure(ValueError("\ud83d" + "x" * 10_000_000), failure)
    assert failure.message.startswith("\ufffdxxx")
    assert len(failure.message) < 3_000
