from pathlib import Path

import pytest

from pco.ground import apitoken, shape, yamlfile
from pco.ground.config import Paths
from pco.ground.errors import BadConfig
from support import TOP, WEB


@pytest.fixture
def written(tmp_path):
    def write(content: str, name: str = "pco.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return tmp_path / "pco.yaml"

    return write


def test_the_example_loads_and_shows_the_defaults():
    config = yamlfile.load(TOP / "etc" / "pco.yaml")
    assert config.plane.workspace == "acme"
    assert config.plane.projects[0].id == WEB
    assert config.sessions.limit == 4


def test_every_default_in_the_example_is_the_default_of_the_code(written):
    import re

    text = (TOP / "etc" / "pco.yaml").read_text()
    shown = re.sub(r"^( *)#(?=[a-z]\w*:| {2,4}\w)", r"\1", text, flags=re.M)
    examples = (
        "root: /srv|prompt: /etc|filters: \\{labels|key: WEB|command: |claude: \\{|mcp_config|base_url|environment"
        "|ticket_usd: 5|push_url|compare_url"
    )
    shown = re.sub(
        rf"^ *({examples}|key_file|template|url_file|token_file: /etc/pco/credentials/notify).*\n",
        "",
        shown,
        flags=re.M,
    )
    plain, full = yamlfile.load(TOP / "etc" / "pco.yaml"), yamlfile.load(written(shown))
    assert full == plain
    assert shown.count("\n  stale_after: 5m") == 1


def test_a_section_of_comments_alone_is_an_empty_one(written):
    assert yamlfile.load(written("sessions:\n  #limit: 4\nclaude:\n")).sessions.limit == 4


def test_nothing_at_all_is_a_valid_configuration(written):
    assert yamlfile.load(written("")).sessions.attempts == 2


def test_drop_ins_count_by_name_and_leave_the_rest(written):
    written("sessions: {limit: 9}\n", "pco.yaml.d/20-late.yaml")
    written("sessions: {limit: 7, attempts: 3}\n", "pco.yaml.d/10-early.yaml")
    config = yamlfile.load(written("sessions: {limit: 1, per_project: 1}\n"))
    assert (config.sessions.limit, config.sessions.attempts, config.sessions.per_project) == (9, 3, 1)


def test_one_root_moves_every_folder_that_is_not_given(written):
    config = yamlfile.load(written("paths: {root: /srv/pco, www: /srv/www}\n"))
    assert config.paths.spool == Path("/srv/pco/spool")
    assert config.paths.www == Path("/srv/www")
    assert Paths().spool == Path("/var/spool/pco")


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("plane:\n  ulr: x\n", 2, r"plane\.ulr: unknown key \(did you mean url\?\)"),
        ("sesions: {}\n", 1, r"sesions: unknown key \(did you mean sessions\?\)"),
        ("sessions:\n  limit: four\n", 2, r"sessions\.limit: expected a whole number"),
        ("sessions:\n  limit: 0\n", 2, r"sessions\.limit: expected a whole number from 1"),
        ("sessions:\n  runner: auot\n", 2, r"did you mean auto\?"),
        ("sessions:\n  stall_after: 20\n", 2, r"expected a duration such as 50ms"),
        ("plane:\n  url: plane.example.org\n", 2, r"plane\.url: expected an address"),
        ("plane:\n  url: https://me:secret@plane.example.org\n", 2, r"without name or password"),
        (
            "plane:\n  projects:\n    - id: x\n      repository: /r\n",
            3,
            r"projects\[0\]\.id: expected the project's UUID",
        ),
        (f"plane:\n  projects:\n    - id: {WEB}\n", 3, r"repository is missing"),
        (
            f"plane:\n  projects:\n    - {{id: {WEB}, repository: '--upload-pack=x'}}\n",
            3,
            r"absolute path, or an address",
        ),
        (f"plane:\n  projects:\n    - {{id: {WEB}, repository: 'ext::sh -c x'}}\n", 3, r"absolute path, or an address"),
        (f"plane:\n  projects:\n    - {{id: {WEB}, repository: /r, branch: '-x'}}\n", 3, r"name of a branch"),
        (f"plane:\n  projects:\n    - {{id: {WEB}, repository: /r, key: web}}\n", 3, r"1 to 12 of A-Z"),
        (f"plane:\n  projects:\n    - {{id: {WEB}, repository: /r, key: LOCAL}}\n", 3, r"Plane does not know"),
        (
            f"plane:\n  projects:\n    - {{id: {WEB}, repository: /r}}\n    - {{id: {WEB}, repository: /r}}\n",
            4,
            r"already",
        ),
        ("paths: {spool: spool}\n", 1, r"absolute path"),
        ("health: {disk_free: 20}\n", 1, r"share such as 20%"),
        ("display: {timezone: Mars/Olympus}\n", 1, r"zone such as"),
        ("retention: {posted: 90}\n", 1, r"duration"),
        ("plane: 5\n", 1, r"expected a mapping"),
        ("plane:\n  url: a\n  url: b\n", 3, r"given twice"),
        ("plane: {url: [\n", 2, r"expected node content"),
        ("\tplane: 1\n", 1, r"cannot start any token"),
        ("a: &a [x]\nb: *a\n", 2, r"aliases are not allowed"),
        ("a: !!python/object:os.system x\n", 1, r"tag .* is not allowed"),
        ("- 1\n", 1, r"expected sections"),
        ("a: " + "[" * 30 + "]" * 30, 1, r"nested deeper"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(written, content, line, says):
    path = written(content)
    with pytest.raises(BadConfig, match=says) as caught:
        yamlfile.load(path)
    assert str(caught.value).startswith(f"{path}:{line}:")
    assert "\n" not in str(caught.value)
    assert caught.value.exit == 78


def project(**values: str) -> str:
    """A configuration with one project that has its branches pushed."""
    given = {"id": WEB, "repository": "/srv/web.git", "push": "true", **values}
    return "plane:\n  projects:\n    - " + "\n      ".join(f"{name}: {value}" for name, value in given.items()) + "\n"


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c x",
        "--upload-pack=x",
        "https://bot:hunter2@git.example.org/web.git",
        "ssh://git:hunter2@git.example.org/web.git",
        "web.git",
    ],
)
def test_a_push_url_is_an_address_without_a_secret(written, url):
    with pytest.raises(BadConfig, match=r"pco.yaml:6: plane.projects\[0\].push_url: ") as caught:
        yamlfile.load(written(project(push_url=f"'{url}'")))
    assert "hunter2" not in str(caught.value)


def test_what_is_pushed_to_the_repository_itself_must_not_carry_a_password(written):
    secret = "https://bot:hunter2@git.example.org/web.git"
    with pytest.raises(BadConfig, match=r"pco.yaml:5: plane.projects\[0\].push: repository carries") as caught:
        yamlfile.load(written(project(repository=secret)))
    assert "hunter2" not in str(caught.value)
    other = yamlfile.load(written(project(repository=secret, push_url="https://bot@git.example.org/web.git")))
    assert other.plane.projects[0].pushed_to == "https://bot@git.example.org/web.git"
    assert yamlfile.load(written(project(repository=secret, push="false"))).plane.projects[0].pushed_to == ""


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)//{branch}",
        "ftp://git.example.org/{branch}",
        "https:///{branch}",
        "https://me:secret@git.example.org/{branch}",
        "https://git.example.org/{branch}/{nobody}",
        "https://git.example.org/{branch!r}",
        "https://git.example.org/a b",
        'https://git.example.org/">',
        "https://git.example.org/\x7f{branch}",
        "https://git.example.org/\u202e{branch}",
    ],
)
def test_a_compare_url_is_an_address_of_the_web_and_nothing_else(written, url):
    quoted = "".join(c if " " <= c < "\x7f" and c != '"' else f"\\u{ord(c):04x}" for c in url)
    with pytest.raises(BadConfig, match=r"pco.yaml:6: plane.projects\[0\].compare_url: expected an address"):
        yamlfile.load(written(project(compare_url=f'"{quoted}"')))


def test_a_compare_url_may_be_as_forges_have_them(written):
    for url in (
        "https://github.com/acme/web/compare/{base}...{branch}",
        "https://gitlab.example.org/acme/web/-/compare/{base}...{branch}?from_project_id=7",
        "http://cgit.example.org:8080/web.git/log/?h={branch}",
    ):
        assert yamlfile.load(written(project(compare_url=f'"{url}"'))).plane.projects[0].compare_url == url


def test_a_mistake_in_a_drop_in_names_the_drop_in(written):
    path = written("sessions: {limit: 1}\n")
    written("# why\nsessions:\n  limit: x\n", "pco.yaml.d/10.yaml")
    with pytest.raises(BadConfig, match=r"pco\.yaml\.d/10\.yaml:3: sessions\.limit"):
        yamlfile.load(path)


def test_an_alias_bomb_is_refused_at_once(written):
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(BadConfig, match="aliases"):
        yamlfile.load(written("\n".join(levels)))


def test_a_missing_huge_or_binary_file_is_one_line(tmp_path, written):
    for make in (lambda: tmp_path / "none.yaml", lambda: written("#" * (1 << 21)), lambda: tmp_path):
        with pytest.raises(BadConfig) as caught:
            yamlfile.load(make())
        assert "\n" not in str(caught.value)


def test_a_number_too_long_is_refused(written):
    with pytest.raises(BadConfig):
        yamlfile.load(written("sessions: {limit: " + "9" * 5000 + "}\n"))


class TestToken:
    def plane(self, written, token_file):
        return yamlfile.load(written(f"plane: {{token_file: {token_file}}}\n")).plane

    def test_comes_from_the_units_credential_first(self, tmp_path, written):
        (tmp_path / "plane-token").write_text("from-credential\n")
        (tmp_path / "file").write_text("from-the-file\n")
        (tmp_path / "file").chmod(0o600)
        plane = self.plane(written, tmp_path / "file")
        assert apitoken.read(plane, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from-credential"
        assert apitoken.read(plane, {}) == "from-the-file"

    @pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666])
    def test_is_refused_when_others_can_read_it(self, tmp_path, written, mode):
        (tmp_path / "file").write_text("secret-token")
        (tmp_path / "file").chmod(mode)
        with pytest.raises(BadConfig, match="others can read") as caught:
            apitoken.read(self.plane(written, tmp_path / "file"), {})
        assert "secret-token" not in str(caught.value)

    @pytest.mark.parametrize("content", ["", "two words", "short", "a" * 600, "ünïcode-token"])
    def test_is_one_word_of_ascii(self, tmp_path, written, content):
        (tmp_path / "file").write_text(content)
        (tmp_path / "file").chmod(0o600)
        with pytest.raises(BadConfig) as caught:
            apitoken.read(self.plane(written, tmp_path / "file"), {})
        assert not content or content not in str(caught.value)

    def test_is_never_in_the_configuration(self, written):
        with pytest.raises(BadConfig, match=r"plane\.token: unknown key"):
            yamlfile.load(written("plane: {token: plane_api_x}\n"))


@pytest.mark.parametrize("size", ["0M", "100K", "512M", "2G", "3T", "1500M"])
def test_a_size_is_written_as_it_was_read(tmp_path, size):
    file = tmp_path / "pco.yaml"
    file.write_text(f"health: {{memory_free: {size}}}\n")

    assert shape.dump(yamlfile.load(file))["health"]["memory_free"] == size
