"""The public service: visitor API, demo page, staff desk, tickets. Never imports Rasa."""
