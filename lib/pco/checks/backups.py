"""Whether there is a way back: backups, whether one was restored to try it, whether they are elsewhere, too."""

import os
import re
from datetime import timedelta

from pco import __version__
from pco.checks import Finding, Site, checks, fail, ok, warn, worst
from pco.ground import backups, times
from pco.ground.backups import Mark, What
from pco.outside import hooks

DAILY = timedelta(hours=26)  # a day, and what a backup may take
MONTHLY = timedelta(days=32)
EVENT = "backup"  # of hooks.d
_PACKAGE = re.compile(r"pco_([0-9][A-Za-z0-9.+~]*)_all\.deb")


@checks("10.2")
def tried(site: Site) -> Finding:
    """Whether the newest backup was restored into a scratch folder within the last month, and read there."""
    return _stands(site, "tested", MONTHLY, "sudo pco-restore --test", "no backup was restored to try it")


@checks("10.4")
def elsewhere(site: Site) -> Finding:
    """Whether a program carries backups away, and did so within the last day."""
    owners = {0} if site.config.paths.root is None else {0, os.geteuid()}
    folder = site.config_path.parent / "hooks.d"
    found, refused = hooks.find(folder, EVENT, owners)
    if refused:
        return fail(f"{refused[0].name} is not run: {refused[0].why}", f"sudo chmod go-w {folder / refused[0].name}")
    if not found:
        mend = f"put a program that copies them into {folder / EVENT}; pco-backup(1) shows one"
        return fail("backups stay on this machine: nothing carries them away", mend)
    return _stands(site, "offsite", DAILY, "sudo pco-backup --off-site", "no backup was carried away")


@checks("23.3")
def way_back(site: Site) -> Finding:
    """Whether there are a backup of today, a restore that was tried, and the version before this one."""
    return worst([_backup(site), tried(site), _version_before(site)])


def _backup(site: Site) -> Finding:
    found = _stands(site, "made", DAILY, "sudo pco-backup", "there is no backup")
    good = backups.standing(site.config.paths.metrics, "made").good
    if good is None or good.name in backups.names(site.config.paths.backups):
        return found
    return fail(f"{good.name} is no longer in {site.config.paths.backups}", "sudo pco-backup")


def _version_before(site: Site) -> Finding:
    """An upgrade is undone with the package of before; where there was none there is nothing to go back to."""
    archive = site.at("/var/cache/apt/archives")
    versions = sorted(m[1] for path in archive.glob("pco_*_all.deb") if (m := _PACKAGE.fullmatch(path.name)))
    others = [version for version in versions if version != __version__]
    if others:
        return ok(f"{archive} has pco {others[-1]}")
    libraries = [path for prefix in ("usr", "usr/local") for path in (site.top / prefix / "lib/pco").glob("*-*")]
    earlier = sorted(path.name for path in libraries if not path.name.startswith(f"{__version__}-"))
    if earlier:
        mend = f"sudo cp pco_OLD_all.deb {archive}/; or keep the source that it was installed from, and attest it"
        return warn(f"the package of the version before ({earlier[-1].partition('-')[0]}) is not at hand", mend)
    return ok("no version of pco was here before this one")


def _stands(site: Site, what: What, within: timedelta, mend: str, never: str) -> Finding:
    """What the last run of its kind came to."""
    standing = backups.standing(site.config.paths.metrics, what)
    if standing.failing and standing.bad:
        return fail(f"the last try failed: {_said(standing.bad, site)}", mend)
    if standing.good is None:
        return fail(never, mend)
    if site.now - standing.good.at > within:
        return fail(f"the last one was too long ago: {_said(standing.good, site)}", mend)
    return ok(_said(standing.good, site))


def _said(mark: Mark, site: Site) -> str:
    parts = (mark.name, times.ago(mark.at, site.now), mark.note)
    return ", ".join(part for part in parts if part)
