"""The shorter way to a rule ends at the same one."""

from __future__ import annotations

import json
import tarfile
from itertools import product
from typing import Any

import pytest

pytest.importorskip("rasa", reason="runs in the environment bot")

from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.engine.graph import ExecutionContext, GraphSchema

from bot import train
from bot.rule_policy import IntentRulePolicy

OPENING: list[dict[str, Any]] = [{"user": {"intent": "book"}, "prev_action": {"action_name": "action_listen"}, "active_loop": {"name": "booking_form"}}]


@pytest.fixture(scope="module")
def policy() -> IntentRulePolicy:
    """With the rules of the trained model."""
    with tarfile.open(train.model_path()) as archive:
        file = next(member for member in archive.getmembers() if member.name.endswith("/rule_policy.json"))
        lookup = json.load(archive.extractfile(file))["lookup"]  # type: ignore[arg-type]
    context = ExecutionContext(GraphSchema({}))
    return IntentRulePolicy(IntentRulePolicy.get_default_config(), None, None, context, lookup=lookup)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [RULES, RULES_FOR_LOOP_UNHAPPY_PATH])
def test_the_rules_that_fit_a_conversation_are_those_that_rasa_finds(policy: IntentRulePolicy, kind: str) -> None:
    told = [policy._rule_key_to_state(key) for name in (RULES, RULES_FOR_LOOP_UNHAPPY_PATH) for key in policy.lookup[name]]
    told += [[*states[:-1], {**states[-1], "user": {"intent": "inform", "entities": ["scope"]}}] for states in told]  # an intent stays until the next message
    some = told[::13]
    conversations = [[], OPENING, *told, *([*one, *other] for one, other in product(some, some)), *([*OPENING, *one] for one in told)]
    fitting = [policy._get_possible_keys(policy.lookup[kind], states) for states in conversations]
    assert fitting == [RulePolicy._get_possible_keys(policy, policy.lookup[kind], states) for states in conversations]
    assert sum(map(len, fitting)) > len(policy.lookup[kind])


def test_no_rule_names_the_very_words_of_a_visitor(policy: IntentRulePolicy) -> None:
    assert not [key for key in policy.lookup[RULES] if '"text"' in key]


def test_rules_that_were_learned_anew_are_looked_up_anew(policy: IntentRulePolicy) -> None:
    (key, action), *_ = policy.lookup[RULES].items()
    rules: dict[str, str] = {}
    states = policy._rule_key_to_state(key)
    assert policy._get_possible_keys(rules, states) == set()
    rules[key] = action
    assert policy._get_possible_keys(rules, states) == {key}
