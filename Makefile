# pco: `make demo` shows it, `make test` proves it; both set themselves up on a fresh Debian 12.

PREFIX  ?= /usr/local
DESTDIR ?=
PYTHON  ?= python3
PY       = .venv/bin/python
# What makes pages and completions: what pco will run on if it is there, so that installing needs no network.
MAKER    = $(if $(wildcard /usr/lib/python3/dist-packages/click/core.py),/usr/bin/python3,$(PY))
INSTALL  = $(PYTHON) share/install/install.py --prefix $(PREFIX) $(if $(DESTDIR),--root $(DESTDIR))
WORKERS ?= 2

.PHONY: help demo test check fast oldest faults bench soak lighthouse release-check install needed uninstall clean man completion deb pictures board-pictures walk-through

help:  ## show this
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*##/  \1\t/p' $(MAKEFILE_LIST) | expand -t 18
	@echo "PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)   (make demo KEEP=1 leaves the demo running to play with;"
	@echo "AGENT=claude KEY_FILE=FILE asks the real API with the key in FILE, and costs money)"

demo: .venv/.ready $(if $(filter claude,$(AGENT)),.venv/.claude)  ## set up, run the main job to its end (AGENT=claude: with Claude Code)
	@share/need tmux git
	@$(PY) share/demo/demo.py $(if $(KEEP),--keep) $(if $(AGENT),--agent $(AGENT)) \
		$(if $(KEY_FILE),--key-file "$(KEY_FILE)") $(if $(BASE_URL),--base-url "$(BASE_URL)")

DISKS = mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs
# All programs are tested with Debian's packages; with the newest those that show what click and tabulate make of things,
# lock with filelock, or ask with requests.  `make release-check` has both for all.
NEWEST = $(addprefix tests/programs/test_,$(addsuffix .py,every_program completion queue_look queue_decide queue_review \
	queue_results config audit report setup status two_users plane_client plane_wire post poll))
test: check oldest .venv/.claude  ## set up, run all checks and tests (as root also those that boot a systemd)
	@[ "$$(id -u)" != 0 ] || share/need --install $$($(PY) tests/system/machine.py)
	@[ "$$(id -u)" != 0 ] || { share/need chromium npm && tests/browser/fetch build/browser; }
	$(PY) -m pytest -q -n $(WORKERS) --dist loadfile $(NEWEST) tests/faults/test_adversity.py tests/claude tests/system
	@share/need $(DISKS)
	$(PY) -m pytest -q -s tests/faults/test_kills.py
	$(PY) -m pytest -q -rP -n $(WORKERS) tests/faults --ignore tests/faults/test_kills.py --ignore tests/faults/test_adversity.py

SHIPPED = lib bin share etc systemd README.md SECURITY.md Makefile setup.cfg .ci
check: .venv/.test  ## ruff, mypy, bandit, detect-secrets, import directions, tests that need nothing
	@share/need tmux git strace setpriv:util-linux man:man-db mandoc
	$(PY) -m ruff check lib tests share bin/pco*
	$(PY) -m ruff format --check lib tests share bin/pco*
	$(PY) -m mypy
	$(PY) -m bandit -q -ll -r lib bin share
	$(PY) -m detect_secrets.pre_commit_hook --disable-plugin HexHighEntropyString --exclude-lines 'USER:TOKEN@' \
		$$(find $(SHIPPED) -type f ! -name '*.png' ! -name '*.pyc')
	$(PY) -m pytest -q -n $(WORKERS) tests/unit

oldest: .venv/.oldest  ## the programs' tests under Debian 12's own versions of all packages
	@share/need tmux git zsh strace openssl setpriv:util-linux
	.venv/oldest/bin/python -m pytest -q -n $(WORKERS) --dist loadfile tests/programs

faults: .venv/.test  ## kill programs at each call that touches files, refuse it, cut the power, lose writes; about 5 h (ARGS=)
	@share/need git strace $(DISKS)
	$(PY) tests/faults/kills.py --workers $(WORKERS) $(ARGS)
	$(if $(ARGS),,$(PY) tests/faults/network.py)
	$(if $(ARGS),,$(PY) tests/faults/crowd.py)
	$(if $(ARGS),,$(PY) tests/faults/life.py)
	$(if $(ARGS),,$(PY) tests/faults/large.py)

bench: .venv/.test  ## measure, print a table (JSON=FILE writes it)
	@share/need tmux git
	$(PY) tests/bench/run.py $(if $(JSON),--json $(JSON))

soak: .venv/.test  ## as root: wake-ups as the figures ask, 20 test tickets at once, a machine in production; about 1 h
	share/need --install $$($(PY) tests/system/machine.py)
	PCO_SOAK=1 $(PY) -m pytest -q --timeout 1800 tests/system/test_waking.py \
		tests/system/test_trials.py tests/system/test_production.py

lighthouse: .venv/.test  ## as root: have Lighthouse score the dashboard's pages
	@share/need --install $$($(PY) tests/system/machine.py)
	@share/need chromium npm && tests/browser/fetch build/lighthouse lighthouse
	@$(PY) tests/browser/lighthouse.py

release-check: test faults bench soak lighthouse  ## what is too long for CI: everything, with coverage
	COVERAGE_FILE=build/coverage $(PY) -m coverage run -m pytest -q tests
	COVERAGE_FILE=build/coverage $(PY) -m coverage report --skip-covered

walk-through: .venv/.ready  ## record the demo as a terminal session, to be played by asciinema(1)
	@share/need tmux git
	@$(PY) share/demo/record.py share/doc/walk-through.cast

pictures: .venv/.claude board-pictures  ## play scenes with Claude Code, keep its screens for pco-claude(7) and README; about 3 min
	@share/need tmux git chromium
	@share/need --install fonts-symbola fonts-dejavu-core
	$(PY) share/demo/scenes.py share/doc/screens
	$(PY) share/demo/pictures.py share/doc/screens share/doc inbox blocked complete

board-pictures: .venv/.ready  ## picture the dashboard of a pco that looks lived in, for README and pco-tutorial(7)
	@share/need chromium
	@share/need --install fonts-dejavu-core fonts-noto-cjk fonts-noto-color-emoji
	$(PY) share/demo/pictures.py share/doc

man: $(if $(filter $(PY),$(MAKER)),.venv/.ready)  ## make the manual pages into build/man
	@mkdir -p build/man
	@$(MAKER) share/man/make.py build/man

completion:  ## make what bash and zsh complete with into build/completion
	@mkdir -p build/completion
	@$(PYTHON) share/completion/make.py build/completion

needed:
	@$(INSTALL) check

install: needed man completion  ## install under DESTDIR PREFIX
	@$(INSTALL) install

uninstall:  ## remove what install put there; configuration and spool stay (PURGE=1 removes them, too)
	@$(INSTALL) uninstall $(if $(PURGE),--purge)

deb:  ## make build/pco_VERSION_all.deb (VERSION= another one than that of the source)
	@share/need dpkg-deb:dpkg git
	@$(MAKE) -s man completion
	@$(PYTHON) share/deb/make.py build $(VERSION)

clean:  ## remove what make made
	rm -rf build .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage lib/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@share/need $(PYTHON):python3-venv
	@$(PYTHON) -m venv .venv 2>/dev/null || { share/need --install python3-venv; $(PYTHON) -m venv --clear .venv; }

.venv/.ready: .venv/bin/python setup.cfg
	@echo "setting up .venv"
	@$(PY) -m pip install -q --disable-pip-version-check $$(sed -n '/^install_requires/,/^$$/s/^    //p' setup.cfg | tr -d ' ')
	@touch $@

.venv/.test: .venv/.ready
	@echo "setting up .venv for tests"
	@$(PY) -m pip install -q --disable-pip-version-check $$(sed -n '/^test =/,/^$$/s/^    //p' setup.cfg | tr -d ' ')
	@touch $@

.venv/.oldest: .venv/.test tests/oldest.txt
	@echo "setting up .venv/oldest"
	@$(PYTHON) -m venv .venv/oldest
	@.venv/oldest/bin/python -m pip install -q --disable-pip-version-check -r tests/oldest.txt
	@touch $@

.venv/.claude: .venv/.ready share/claude/fetch
	@share/need npm
	@share/claude/fetch .venv/claude
	@touch $@
