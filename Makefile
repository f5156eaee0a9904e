# Two commands do everything: `make run` and `make test`. README.md says the rest.
PYTHON ?= python3
BOT := .venvs/bot/bin/python
DESK := .venvs/desk/bin/python

.PHONY: run test train lint staff content lock bench guide card environments

run: environments train
	@exec $(DESK) -m desk run --model "$$($(BOT) -m bot.train --path)" --bot-python $(BOT)

test:
	@$(PYTHON) tools/environments.py bot desk --test
	@$(PYTHON) tools/browser.py
	@$(PYTHON) tools/postgresql.py
	@$(BOT) -m bot.train
	@$(DESK) tools/run_tests.py

train: environments
	@$(BOT) -m bot.train

lint:
	@$(PYTHON) tools/environments.py bot desk --test
	@$(DESK) -m ruff check .
	@$(DESK) -m ruff format --check .
	@$(DESK) -m mypy

staff: environments
	@test -n "$(NAME)" || { echo "usage: make staff NAME=your-name [ROLE=agent|lead|privacy_officer|admin]"; exit 2; }
	@$(DESK) -m desk staff add "$(NAME)" $(if $(ROLE),--role $(ROLE))

content: environments
	@$(DESK) -m desk content

# WHY and DOES come to the recipe by the environment, so that any sign may stand in them.
lock: environments
	@test -n "$$WHY" || { echo 'usage: make lock WHY="what changed and why" [DOES="demander à un médecin|appeler|demander un rendez-vous|rien"]'; exit 2; }
	@$(DESK) -m tools.review_lock --update "$$WHY" $${DOES:+--does "$$DOES"}

# PEERS: options of tools.bench, such as --examples all. It takes long, as Rasa's default pipeline learns slowly; npm is needed for node-nlp.
# tools.bench_speed trains Rasa's default pipeline too, on a few examples and once, and starts four stacks: a quiet machine, please.
bench: train
	@$(PYTHON) tools/postgresql.py
	@$(DESK) -m tools.bench_guard
	@$(DESK) -m tools.bench_speed
	@$(DESK) -m tools.bench_desk
	@$(BOT) -W ignore -m tools.threshold_curves
	@nice $(DESK) -m tools.bench $(PEERS)

# The pictures of docs/guide-equipe.md, taken anew from today's pages.
guide:
	@$(PYTHON) tools/environments.py desk --test
	@$(PYTHON) tools/browser.py
	@PASSERELLE_SHOTS=docs/guide $(DESK) -m pytest tests/desk_browser/test_guide.py

card: environments train
	@$(BOT) -W ignore -m tools.guard_report

environments:
	@$(PYTHON) tools/environments.py bot desk
