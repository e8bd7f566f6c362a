"""Check, show and compare the configuration.

It is /etc/pco/pco.yaml and the drop-ins /etc/pco/pco.yaml.d/*.yaml, which are read in the order of their names, each
over what came before.  Programs read it when they start; pco-watch is restarted to take up a change: "systemctl
restart pco-watch", which leaves the sessions alone.  A configuration that is wrong ends a program with exit code 78
before it has done anything: "pco-config check" says so first.

A change is noticed by the next poll, and audited with its diff; what looks like a secret is masked there.
"""

from pathlib import Path
from typing import Any

import click

from pco.command import CONTEXT, Verbs, configure, options, verb
from pco.ground.errors import BadConfig
from pco.run import Pco


@click.group("pco-config", cls=Verbs, context_settings=CONTEXT)
@options
@click.pass_context
def main(ctx: click.Context, /, config: str | None, verbose: int, quiet: bool, color: str) -> None:
    """Check, show and compare the configuration.

    \b
    Examples:
      pco-config check                   is it right, with its drop-ins?
      pco-config check new.yaml && sudo cp new.yaml /etc/pco/pco.yaml
      pco-config show sessions           what is in force, defaults among it
      pco-config diff                    what was changed and not taken up yet
    """
    ctx.obj = Pco("pco-config")
    configure(ctx.obj, config, verbose, quiet, color)


@verb
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(pco: Pco, file: Path | None) -> None:
    """Say whether the configuration, or FILE in its place, is right.

    Beyond what the file says by itself, the files that it names are looked at: prompt, form of the comment, template.

    \b
    Examples:
      pco-config check
      pco-config check new.yaml
    """
    from pco.ground import yamlfile

    if file:
        pco.config_file = str(file)
    named(pco)
    path = pco.config_path
    drop_ins = len(yamlfile.drop_ins(path))
    pco.say(f"{path}{f' and {drop_ins} drop-ins' if drop_ins else ''}: right")


def named(pco: Pco) -> None:
    """Look at the files that the configuration names.  Raises BadConfig."""
    from string import Template

    from pco.commands import commenting, plan
    from pco.outside.agents.claude import folder, settings
    from pco.rules import comment

    config = pco.config
    comment.check(commenting.form(pco))
    if not Template(plan.template(pco)).is_valid():
        raise BadConfig(f"sessions.prompt: {config.sessions.prompt}: a $ that begins no variable", "$$ is a dollar")
    if config.claude.template:
        folder.seed(config.claude.template)
    for servers in {config.claude.mcp_config, *(project.claude.mcp_config for project in config.plane.projects)}:
        if servers:
            settings.servers(servers)


@verb
@click.argument("key", required=False)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="Default: yaml.")
@click.option("--origin", is_flag=True, help="Say of each key in which file and line it stands.")
def show(pco: Pco, key: str | None, form: str, origin: bool) -> None:
    """Show what is in force, defaults among it; KEY, such as sessions or plane.url, only that.

    \b
    Examples:
      pco-config show
      pco-config show sessions.limit
      pco-config show --origin plane
      pco-config show --format json | jq .budget
    """
    from pco.ground import shape, text, yamlfile

    value: Any = shape.dump(pco.config)
    for name in key.split(".") if key else ():
        if not isinstance(value, dict) or name not in value:
            known = list(value) if isinstance(value, dict) else []
            raise click.UsageError(f"there is no {text.line(key or '', 60)}{text.meant(name, known)}")
        value = value[name]
    if form == "json":
        from pco.commands.queue.rowing import dump

        click.echo(dump(value, 1))
        return
    if origin:
        for where, (file, line) in sorted(yamlfile.places(pco.config_path).items()):
            if where and (not key or where == key or where.startswith((f"{key}.", f"{key}["))):
                pco.say(f"{where}: {file}:{line}")
        return
    import yaml

    shown = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    if text.lines(shown) != shown:  # what a terminal must not get, YAML can say in ASCII
        shown = yaml.safe_dump(value, sort_keys=False)
    pco.say(shown.rstrip("\n").removesuffix("\n..."))


@verb
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--defaults", is_flag=True, help="Against the defaults of pco.")
def diff(pco: Pco, file: Path | None, defaults: bool) -> None:
    """Show what was changed since the configuration was taken up last; of FILE, what it would change.

    Exit code 0 if nothing differs, 1 if something does, as diff(1).

    \b
    Examples:
      pco-config diff                what the next poll will notice, and audit
      pco-config diff new.yaml       what that file would change of what is in force
      pco-config diff --defaults     what is otherwise than as shipped
    """
    import yaml

    from pco.commands import configuring
    from pco.ground import shape, yamlfile
    from pco.ground.config import Config

    if file or defaults:
        inner = yamlfile.load(file.absolute()) if file else Config()
        pair = [yaml.safe_dump(shape.dump(one), sort_keys=False) for one in (pco.config, inner)]
        before, after = (pair[1], pair[0]) if defaults else (pair[0], pair[1])
        lines = configuring.diff({"configuration": before}, {"configuration": after})
    else:
        known = configuring.taken(pco)
        lines = configuring.diff(known.files, configuring.texts(pco)) if known else []
    for line in lines:
        pco.say(line)
    if lines:
        pco.trouble = 1
    else:
        pco.say("nothing differs" if file or defaults else configuring.since(pco))


main.add_command(check)
main.add_command(show)
main.add_command(diff)
