"""Rasa's rule policy for rules that speak of intents only, without looking at every rule twice in every turn."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rasa.core.policies.rule_policy import RulePolicy
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.core.constants import PREVIOUS_ACTION, SHOULD_NOT_BE_SET, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ACTION_NAME, INTENT

End = tuple[str | None, str | None]  # last intent and last action; None where a rule leaves one open


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class IntentRulePolicy(RulePolicy):
    """Predicts what ``RulePolicy`` does; of over a hundred rules, only those that end as the conversation does are compared with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See ``RulePolicy``."""
        super().__init__(*args, **kwargs)
        self._ends: dict[int, tuple[dict[str, str], int, dict[End, list[str]]]] = {}

    def _find_action_from_rules(self, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool) -> tuple[str | None, str | None, bool]:
        """No rule names a visitor's very words: that search always comes back empty."""
        if use_text_for_last_user_input:
            return None, None, False
        found: tuple[str | None, str | None, bool] = super()._find_action_from_rules(tracker, domain, use_text_for_last_user_input)
        return found

    def _get_possible_keys(self, lookup: dict[str, str], states: list[State]) -> set[str]:
        intent, action = _end(states[-1]) if states else (None, None)
        if action is not None:  # it is when a conversation begins, which happens once
            ends = self._by_end(lookup)
            lookup = {key: lookup[key] for end in ((intent, action), (None, action)) for key in ends.get(end, ())}
        found: set[str] = super()._get_possible_keys(lookup, states)
        return found

    def _by_end(self, lookup: dict[str, str]) -> dict[End, list[str]]:
        """The keys of a lookup by their last state; made anew for one that has changed, as they do while rules are learned."""
        of, size, ends = self._ends.get(id(lookup), ({}, 0, {}))
        if of is not lookup or size != len(lookup):
            ends = defaultdict(list)
            for key in lookup:
                ends[_end(self._rule_key_to_state(key)[-1])].append(key)
            self._ends[id(lookup)] = (lookup, len(lookup), ends)
        return ends


def _end(state: dict[str, Any]) -> End:
    intent, action = state.get(USER, {}).get(INTENT), state.get(PREVIOUS_ACTION, {}).get(ACTION_NAME)
    return _told(intent), _told(action)


def _told(value: str | None) -> str | None:
    return None if value == SHOULD_NOT_BE_SET else value
