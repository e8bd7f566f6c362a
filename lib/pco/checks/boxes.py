"""The boxes of the production checklist: 93 questions that a team must answer before it says "go".

B   built in: it holds once pco is installed; its tests show it
V   verified: a check of pco-doctor proves it
R   a page of the manual, whose commands a test executes
P   a person's word: `pco-doctor attest`
"""

from typing import Literal

from pco.ground.frozen import dataclass

Class = Literal["B", "V", "R", "P"]


@dataclass(frozen=True)
class Box:
    """One of them: `answer` is how pco answers it."""

    id: str
    kind: Class
    asks: str
    answer: str

    @property
    def section(self) -> str:
        """The number of its section."""
        return self.id.partition(".")[0]


SECTIONS = {
    "1": "The machine",
    "2": "Plane and the agent",
    "3": "Certificates",
    "4": "Origins",
    "5": "Network",
    "6": "Secrets",
    "7": "Logs",
    "8": "Monitoring",
    "9": "Storage",
    "10": "Backups",
    "11": "State",
    "12": "Resources",
    "13": "Polling",
    "14": "Deployment",
    "15": "Operation",
    "16": "Reading logs",
    "17": "Trials",
    "18": "After the start",
    "19": "Incidents",
    "20": "People",
    "21": "Data",
    "22": "Audit",
    "23": "Before the start",
    "24": "The start",
    "25": "Afterwards",
    "26": "Signatures",
}

BOXES = (
    Box(
        "1.1",
        "V",
        "What it runs on: systemd, Python, tmux, git and the agent's program",
        "versions within the tested range",
    ),
    Box("1.2", "V", "The units", "loaded, enabled, of this version, without settings that systemd does not know"),
    Box("1.3", "V", "Memory", "enough for the tools and for as many sessions as may run"),
    Box("1.4", "V", "Disk", "free space and inodes where pco writes"),
    Box("1.5", "V", "The way to Plane", "name, connection, TLS and an answer, with times"),
    Box("1.6", "V", "Certificates", "Plane's and the dashboard's: names, issuer, days left"),
    Box("2.1", "V", "The token may do what pco does", "it is somebody's, who is a member of each project"),
    Box("2.2", "V", "The workspace", "is reached with this token"),
    Box(
        "2.3",
        "V",
        "The projects",
        "exist, have repositories that answer, keys that can be used, comments that can be made",
    ),
    Box("2.4", "V", "The agent's configuration", "is complete, its program runs, its tools' servers are well-formed"),
    Box("2.5", "V", "The tools' servers", "start, and list their tools"),
    Box("3.1", "V", "No self-signed certificate", "of the dashboard"),
    Box("3.2", "B", "nginx knows its certificates", "one file that all includes share; nginx -t runs in the tests"),
    Box("3.3", "V", "Renewal of the certificate", "is scheduled, and nginx reloads it"),
    Box("3.4", "V", "TLS", "versions, and that browsers are told to insist on it"),
    Box("4.1", "B", "No origins to configure", "the pages are files; nothing of them asks another server"),
    Box("4.2", "V", "One origin", "no page may be read by another site's scripts"),
    Box("4.3", "B", "No service holds old settings", "nothing but nginx serves, and it is reloaded"),
    Box("5.1", "V", "Who may read the dashboard", "closed as shipped; what was opened is shown"),
    Box("5.2", "V", "Firewall", "only what is needed is open"),
    Box("5.3", "V", "Ports", "pco opens none; what else listens is shown"),
    Box("5.4", "V", "What units may do", "exposure of each, beside the bar that it was tested with"),
    Box("6.1", "V", "Secrets are private", "owner and mode of each credential"),
    Box("6.2", "V", "No secret in version control", "/etc/pco, and what a repository there tracks"),
    Box("6.3", "B", "Secrets reach programs as credentials of systemd", "never by environment or arguments"),
    Box("6.4", "V", "No secret in the configuration", "pco.yaml, drop-ins, hooks, units"),
    Box("7.1", "V", "Logs are bounded", "the journal has limits; no file beside it grows"),
    Box("7.2", "V", "Level of logs", "info, in the configuration and in every drop-in"),
    Box("7.3", "V", "Logs of nginx rotate", "logrotate knows them"),
    Box("8.1", "V", "Somebody watches from outside", "a foreign client asked /health within the hour"),
    Box("8.2", "B", "/health", "200 or 503 with the reasons"),
    Box("8.3", "V", "Failures reach a person", "every unit has OnFailure=, and a notification was delivered"),
    Box("8.4", "B", "Nothing hangs for ever", "watchdogs and time-outs of every unit"),
    Box("9.1", "B", "A disk that fills is told", "health degrades, pco-launch starts nothing new"),
    Box("9.2", "V", "Sizes", "of each folder"),
    Box("9.3", "B", "Old files go", "by a daily timer"),
    Box("10.1", "B", "Backups are made by themselves", "every night, by pco-backup"),
    Box("10.2", "V", "A restore was tried", "within the last month"),
    Box("10.3", "R", "When, and for how long, backups are kept", "pco-backup(1)"),
    Box("10.4", "V", "Backups elsewhere", "the hook for it ran within the last day"),
    Box("11.1", "V", "The spool persists", "on a local disk that keeps what was flushed"),
    Box("11.2", "B", "An empty spool is a clean start", "a missing one is refused"),
    Box("11.3", "R", "The format of the spool", "pco-spool(5)"),
    Box("12.1", "V", "Limits of memory and CPU", "of the tools and of sessions, as systemd enforces them"),
    Box("12.2", "V", "What is used", "memory now and at most, of each unit"),
    Box(
        "13.1",
        "V",
        "Polls are regular",
        "the timer as it is in force, its last and next run, and what requests are left",
    ),
    Box("13.2", "B", "Completions are told, not polled for", "the session rings"),
    Box("14.1", "R", "Deployment", "pco-runbook(7)"),
    Box("14.2", "R", "Going back to the version before", "pco-runbook(7)"),
    Box("15.1", "R", "Restart and emergency stop", "pco-runbook(7)"),
    Box("16.1", "R", "Reading the logs", "pco-runbook(7)"),
    Box("17.1", "P", "It was tried in a project that is not production", "name it"),
    Box("17.2", "V", "A test ticket went the whole way", "pco-doctor --end-to-end"),
    Box(
        "17.3",
        "B",
        "What goes wrong was tried",
        "interrupted networks, keys that do not exist, empty summaries: the tests do",
    ),
    Box("17.4", "V", "It bears load", "pco-doctor --end-to-end PROJECT --tickets 20"),
    Box("18.1", "V", "The services are well", "active, not failed, not restarted lately"),
    Box("18.2", "V", "The logs have no errors", "since the deployment"),
    Box("18.3", "V", "The dashboard is seen from outside", "a foreign client has read it"),
    Box("18.4", "V", "Polling works", "the last one succeeded lately"),
    Box("18.5", "V", "Completions are noticed", "how long the last ones took"),
    Box("19.1", "R", "What goes wrong, and what to do", "pco-runbook(7)"),
    Box("19.2", "R", "When it is serious", "pco-runbook(7)"),
    Box("19.3", "V", "Whom to call", "contacts in the configuration, shown on the board"),
    Box("19.4", "B", "Changes of the configuration are kept", "pco-config audits them, secrets masked"),
    Box("20.1", "R", "People know the dashboard", "pco-tutorial(7)"),
    Box("20.2", "R", "People know /complete", "pco-tutorial(7), pco-claude(7)"),
    Box("20.3", "B", "There is something to watch", "a terminal session that the real programs made"),
    Box("20.4", "V", "Where to say what is wrong", "contacts.feedback, linked on the board"),
    Box("21.1", "V", "How long things are kept", "periods in force, and the oldest of each kind"),
    Box("21.2", "V", "No secret in the logs", "the journal of the last day"),
    Box("21.3", "R", "What is stored where", "pco-data(7)"),
    Box("21.4", "B", "What must go, goes", "pco-purge names all that it removed"),
    Box("22.1", "V", "Who did what", "the audit record is whole"),
    Box("22.2", "B", "Who looks is looked at", "the weekly pco-report lists readers, approvers and refused attempts"),
    Box("22.3", "V", "Who may", "members of group pco, and who may become root for it"),
    Box("23.1", "V", "Nothing grave is open", "of all the others"),
    Box("23.2", "P", "Those concerned were told", "who, and when"),
    Box("23.3", "V", "There is a way back", "a backup, a tried restore, the package before"),
    Box("23.4", "P", "Support was briefed", "who"),
    Box("23.5", "V", "Metrics are read", "within the last minutes"),
    Box("24.1", "R", "A quiet hour", "pco-report shows when that is; pco-runbook(7)"),
    Box("24.2", "P", "The team is there for an hour", "who"),
    Box("24.3", "V", "The logs were watched", "pco-doctor --watch 30m"),
    Box("24.4", "V", "A real ticket went the whole way", "after the deployment"),
    Box("24.5", "P", "It was announced", "where"),
    Box("25.1", "B", "Somebody reads the logs daily", "the digest of pco-report goes to the hooks of pco-notify"),
    Box("25.2", "B", "Rates of errors", "pco-report and metrics"),
    Box("25.3", "P", "What users say is collected", "where"),
    Box("25.4", "R", "What is found is dealt with", "pco-runbook(7)"),
    Box("25.5", "P", "What was learned is written down", "where"),
    Box("26.1", "P", "The technical lead signs", "name"),
    Box("26.2", "P", "The operations lead signs", "name"),
    Box("26.3", "P", "The security review signs", "name"),
)
BY_ID = {box.id: box for box in BOXES}
