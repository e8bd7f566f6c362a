"""The alerts that are shipped, as Prometheus itself judges them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pco.pages.metrics import GAUGES
from pco.rules import counting, retry
from support import TOP

RULES = TOP / "share" / "prometheus" / "pco.rules.yml"
ALERTS = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
HERE = 'instance="a"'
# What a pco shows that is well and works: a value for each minute, as promtool writes them.
WELL = {
    f'up{{job="pco",{HERE}}}': "1x800",
    f"pco_health{{{HERE}}}": "1x800",
    f"pco_watcher_up{{{HERE}}}": "1x800",
    f'pco_last_poll_timestamp_seconds{{{HERE},project="WEB"}}': "0+60x800",
    f'plane_api_calls_total{{{HERE},operation="list_work_items",status="success"}}': "0+2x800",
    f'plane_api_request_duration_seconds_bucket{{{HERE},le="0.5"}}': "0+2x800",
    f'plane_api_request_duration_seconds_bucket{{{HERE},le="+Inf"}}': "0+2x800",
    f"pco_api_turn_wait_seconds_total{{{HERE}}}": "0x800",
    f'plane_updates_total{{{HERE},status="success"}}': "0+1x800",
    f'plane_updates_total{{{HERE},status="failure"}}': "0x800",
    f'pco_session_outcomes_total{{{HERE},outcome="completed"}}': "0+1x800",
    f'pco_session_outcomes_total{{{HERE},outcome="failed"}}': "0x800",
    f"pco_spent_usd{{{HERE}}}": "0+0.1x800",
    f"pco_daily_budget_usd{{{HERE}}}": "100x800",
    f'pco_tickets{{{HERE},state="corrupt"}}': "0x800",
}
# For each alert: what is otherwise then, the labels it has besides instance, and what people read.
ILL: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "PcoDown": (
        {f'up{{job="pco",{HERE}}}': "0x800"},
        {"job": "pco"},
        "pco on a has not said for minutes how it is.",
    ),
    "PcoIll": ({f"pco_health{{{HERE}}}": "0x800"}, {}, "pco on a is not well."),
    "PcoWatcherDown": ({f"pco_watcher_up{{{HERE}}}": "0x800"}, {}, "Nobody watches over the sessions on a."),
    "PcoPlaneSilent": (
        {f'pco_last_poll_timestamp_seconds{{{HERE},project="WEB"}}': "41400x800"},
        {"project": "WEB"},
        "WEB was last polled 30m 0s ago.",
    ),
    "PcoPlaneErrors": (
        {f'plane_api_calls_total{{{HERE},operation="list_states",status="error"}}': "0+2x800"},
        {},
        "50% of the requests to Plane fail.",
    ),
    "PcoPlaneSlow": (
        {f'plane_api_request_duration_seconds_bucket{{{HERE},le="0.5"}}': "0x800"}
        | {f'plane_api_request_duration_seconds_bucket{{{HERE},le="10"}}': "0+2x800"},
        {},
        "One in ten requests to Plane takes longer than 9.05s.",
    ),
    "PcoRequestsUsedUp": (
        {f"pco_api_turn_wait_seconds_total{{{HERE}}}": "0+40x800"},
        {},
        "Half of the time requests to Plane wait for their turn.",
    ),
    "PcoPostsStay": (
        {f'pco_oldest_ticket_timestamp_seconds{{{HERE},state="outbox"}}': "39600x800"},
        {"state": "outbox"},
        "An accepted summary has not reached Plane for 1h 0m 0s.",
    ),
    "PcoPostsRefused": (
        {f'plane_updates_total{{{HERE},status="failure"}}': "0x700 1x99"},
        {"status": "failure"},
        "Plane refused a comment for good.",
    ),
    "PcoSessionsFail": (
        {f'pco_session_outcomes_total{{{HERE},outcome="failed"}}': "0+2x800"},
        {},
        "More than half of the sessions of the last hours did not succeed.",
    ),
    "PcoAgentWaits": (
        {f"pco_oldest_blocked_timestamp_seconds{{{HERE}}}": "36000x800"},
        {},
        "A session has waited for a person for 2h 0m 0s.",
    ),
    "PcoApprovalsWait": (
        {f'pco_oldest_ticket_timestamp_seconds{{{HERE},state="pending"}}': "-259200x800"},
        {"state": "pending"},
        "A ticket has waited in pending for 3d 12h 0m 0s.",
    ),
    "PcoMoney": (
        {f"pco_spent_usd{{{HERE}}}": "81x800"},
        {},
        "Today's sessions have cost 81.00 USD, four fifths of what they may.",
    ),
    "PcoCorrupt": (
        {f'pco_tickets{{{HERE},state="corrupt"}}': "2x800"},
        {"state": "corrupt"},
        "2 tickets cannot be read, and were set aside.",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    """Prometheus' own judge."""
    subprocess.run([TOP / "share" / "need", "promtool:prometheus"], check=True)


def judged(folder: Path, series: dict[str, str], firing: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """What promtool says of it, if after twelve hours just the alerts in `firing` fire."""
    tests = [{"eval_time": "12h", "alertname": name, "exp_alerts": firing.get(name, [])} for name in ALERTS]
    told = [{"series": name, "values": values} for name, values in series.items()]
    value = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "5m",
        "tests": [{"interval": "1m", "input_series": told, "alert_rule_test": tests}],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(value))
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_rules_are_sound():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_no_alert_fires_while_pco_is_well(tmp_path):
    done = judged(tmp_path, WELL, {})

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_alone(tmp_path, alert):
    series, labels, summary = ILL[alert]
    rule = ALERTS[alert]
    fires = {
        "exp_labels": {**rule["labels"], "instance": "a", **labels},
        "exp_annotations": {**rule["annotations"], "summary": summary},
    }
    if "{{" in rule["annotations"]["action"]:
        fires["exp_annotations"]["action"] = rule["annotations"]["action"].replace("{{ $labels.instance }}", "a")

    done = judged(tmp_path, {**WELL, **series}, {alert: [fires]})

    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_speak_of_metrics_and_labels_that_there_are():
    text = " ".join(rule["expr"] for rule in ALERTS.values())
    known = {*GAUGES, *counting.WHAT, *(f"{name}_bucket" for name in counting.BOUNDS)}

    assert set(re.findall(r"\b(?:plane|pco)_\w+", text)) <= known
    (outcomes,) = re.findall(r'outcome!~"([^"]+)"', text)
    assert set(outcomes.split("|")) <= set(retry.OUTCOMES)
