# pco: `make demo` shows it, `make test` proves it; both set themselves up on a fresh Debian 12.

PREFIX  ?= /usr/local
DESTDIR ?=
PYTHON  ?= python3
PY       = .venv/bin/python
LIBDIR   = $(PREFIX)/lib/pco
SHAREDIR = $(PREFIX)/share/pco
UNITDIR  = $(PREFIX)/lib/systemd/system
# polkit 122 reads no folder of /usr/local.
RULESDIR = $(if $(filter /usr,$(PREFIX)),/usr/share,/etc)/polkit-1/rules.d
DBUSDIR  = $(if $(filter /usr,$(PREFIX)),/usr/share,/etc)/dbus-1/system.d
PROGRAMS = pco $(patsubst bin/%,%,$(wildcard bin/pco-*))
UNITS    = $(notdir $(foreach kind,target slice timer path socket service,$(wildcard systemd/pco*.$(kind))))
WORKERS ?= 2

.PHONY: help demo test check fast oldest bench release-check install uninstall clean man

help:  ## show this
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*##/  \1\t/p' $(MAKEFILE_LIST) | expand -t 18
	@echo "PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)   (make demo KEEP=1 leaves the demo running to play with)"

demo: .venv/.ready  ## set up, run the main job on embedded defaults to its end
	@share/need tmux git
	@$(PY) share/demo/demo.py $(if $(KEEP),--keep)

test: check oldest  ## set up, run all checks and tests (as root also those that boot a systemd)
	@[ "$$(id -u)" != 0 ] || share/need --install $$($(PY) tests/system/machine.py)
	$(PY) -m pytest -q -n $(WORKERS) --dist loadfile tests/programs tests/system

check: .venv/.test  ## ruff, mypy, import directions, tests that need nothing
	@share/need tmux git strace setpriv:util-linux
	$(PY) -m ruff check lib tests share bin/pco*
	$(PY) -m ruff format --check lib tests share bin/pco*
	$(PY) -m mypy
	$(PY) -m pytest -q -n $(WORKERS) tests/unit

oldest: .venv/.oldest  ## the programs' tests under Debian 12's own versions of all packages
	.venv/oldest/bin/python -m pytest -q -n $(WORKERS) --dist loadfile tests/programs

bench: .venv/.test  ## measure, print a table (JSON=FILE writes it)
	@share/need tmux git
	$(PY) tests/bench/run.py $(if $(JSON),--json $(JSON))

release-check: test bench  ## what is too long for CI: everything, with coverage
	COVERAGE_FILE=build/coverage $(PY) -m coverage run -m pytest -q tests
	COVERAGE_FILE=build/coverage $(PY) -m coverage report --skip-covered

man: .venv/.ready  ## make the manual pages into build/man
	@mkdir -p build/man
	@$(PY) share/man/make.py build/man

install: man  ## install under DESTDIR PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR) $(DESTDIR)$(SHAREDIR) $(DESTDIR)/etc/pco
	rm -rf $(DESTDIR)$(LIBDIR)/pco
	cd lib && find pco '(' -name '*.py' -o -name '*.conf' ')' -not -path 'pco/sim/*' -exec install -D -m 644 {} $(DESTDIR)$(LIBDIR)/{} \;
	for p in $(PROGRAMS); do \
	  sed -e '1s|.*|#!/usr/bin/python3|' -e 's|^sys.path.insert.*|sys.path.insert(0, "$(LIBDIR)")|' bin/$$p > build/$$p && \
	  install -m 755 build/$$p $(DESTDIR)$(PREFIX)/bin/$$p; done
	cp -r share/prompt.md share/www $(DESTDIR)$(SHAREDIR)/
	for s in 1 5 7; do for m in build/man/*.$$s; do [ ! -e $$m ] || install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$$s/$$(basename $$m); done; done
	[ -e $(DESTDIR)/etc/pco/pco.yaml ] || install -m 644 etc/pco.yaml $(DESTDIR)/etc/pco/pco.yaml
	install -m 644 etc/pco.yaml $(DESTDIR)/etc/pco/pco.yaml.example
	/usr/bin/python3 -m compileall -q -s $(DESTDIR)/ -p / $(DESTDIR)$(LIBDIR)
	for u in $(UNITS); do \
	  sed -e 's|@PREFIX@|$(PREFIX)|g' -e '/^@SANDBOX@$$/{r systemd/sandbox.in' -e 'd;}' systemd/$$u > build/$$u && \
	  install -D -m 644 build/$$u $(DESTDIR)$(UNITDIR)/$$u; done
	install -D -m 644 systemd/pco.preset $(DESTDIR)$(UNITDIR)-preset/80-pco.preset
	install -D -m 644 systemd/pco.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/pco.catalog
	install -D -m 644 systemd/pco.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/pco.conf
	install -D -m 644 systemd/pco.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pco.conf
	install -D -m 644 systemd/pco-dbus.conf $(DESTDIR)$(DBUSDIR)/pco.conf
	install -D -m 644 systemd/pco.rules $(DESTDIR)$(RULESDIR)/50-pco.rules
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || { systemd-sysusers pco.conf && systemd-tmpfiles --create pco.conf && \
	  journalctl --update-catalog && systemctl daemon-reload; }
	@echo "installed under $(DESTDIR)$(PREFIX); configuration: $(DESTDIR)/etc/pco/pco.yaml; next: pco help"

uninstall:  ## remove what install put there; configuration and spool stay
	for p in $(PROGRAMS); do rm -f $(DESTDIR)$(PREFIX)/bin/$$p; done
	rm -rf $(DESTDIR)$(LIBDIR) $(DESTDIR)$(SHAREDIR)
	rm -f $(DESTDIR)$(PREFIX)/share/man/man[157]/pco*.[157]
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now pco.target $(filter pco-%.service pco-%.timer pco-%.path,$(UNITS)) 2>/dev/null || true
	for u in $(UNITS); do rm -f $(DESTDIR)$(UNITDIR)/$$u; done
	rm -f $(DESTDIR)$(UNITDIR)-preset/80-pco.preset $(DESTDIR)$(PREFIX)/lib/systemd/catalog/pco.catalog
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/pco.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pco.conf $(DESTDIR)$(RULESDIR)/50-pco.rules $(DESTDIR)$(DBUSDIR)/pco.conf
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload

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
