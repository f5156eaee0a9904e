"""Answers of the action server are checked against a schema that is compiled once. Rasa compiles it for each of them: most of what a form's turn took."""

from __future__ import annotations

from typing import Any

from jsonschema.validators import validator_for
from rasa.core.actions.action import RemoteAction


def compile_schema_once() -> None:
    """Has Rasa check answers of actions with one validator, as strictly as before.

    Rasa 3.6.21 offers no setting for it: ``RemoteAction._validate_action_result`` is replaced (tests/rasa/test_model.py holds that it is still called so).
    """
    schema = RemoteAction.action_response_format_spec()
    validator = validator_for(schema)(schema)

    def validate(_action: RemoteAction, result: dict[str, Any]) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate
