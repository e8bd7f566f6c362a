"""A booted host whose nginx shows pages over TLS, and a pco that looks lived in to be shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host import Host
from installed import TOP, Installed

ADDRESS = "https://localhost"
MODULES = TOP / "build" / "browser"
WWW = "/var/lib/pco/www"
LINK = "ln -sf /usr/local/share/pco/nginx/pco.conf /etc/nginx/sites-enabled/pco && nginx -t && systemctl reload nginx"
# With long lanes, and a record that cannot be read.
EXHIBIT = f"""\
export PCO_NO_VENV=1
/usr/bin/python3 /src/share/demo/exhibit.py /root/exhibit 700
echo '{{' > /root/exhibit/spool/pending/WEB-900.json
PCO_CONFIG=/root/exhibit/pco.yaml /usr/bin/python3 /src/bin/pco-dashboard
cp -r /root/exhibit/www/. {WWW}/ && chmod -R a+rX {WWW}
"""
KEYS = {
    "blocked": "WEB-1",
    "pending": "WEB-2",
    "completed": "WEB-3",
    "active": "INF-4",
    "posted": "WEB-5",
    "held": "WEB-7",
    "failed": "INF-8",
    "outbox": "WEB-9",
    "rejected": "INF-12",
    "twice": "WEB-11",
    "unreadable": "WEB-900",
}


def browser() -> Path:
    """The folder of what drives chromium."""
    assert (MODULES / ".ready").is_file() and Path("/usr/bin/chromium").exists(), (
        "a browser and what drives it are needed: apt install chromium npm; tests/browser/fetch build/browser"
    )
    return Path("/src") / MODULES.relative_to(TOP)


@contextmanager
def served(name: str) -> Iterator[Installed]:
    """A pco installed on a host of this name, whose nginx serves WWW at ADDRESS."""
    host = Host(name).up()
    try:
        host.exec("sh", "-c", "find /etc/nginx/sites-enabled /etc/nginx/conf.d -mindepth 1 ! -name default -delete")
        host.systemctl("enable", "--now", "nginx")
        pco = Installed(host)
        pco.install()
        host.exec("sh", "-c", LINK)
        yield pco
    finally:
        host.down()


@contextmanager
def exhibited(name: str) -> Iterator[tuple[Host, list[str]]]:
    """The host, and the paths of the pages of a pco that looks lived in."""
    with served(name) as pco:
        pco.host.exec("sh", "-e", "-c", EXHIBIT, timeout=300)
        months = pco.host.exec("sh", "-c", f"cd {WWW} && ls 2*.html | tail -2").stdout.split()
        lists = ["index.html", "lane-pending.html", *months]
        yield pco.host, [f"/{path}" for path in (*lists, *(f"ticket/{key}.html" for key in KEYS.values()))]
