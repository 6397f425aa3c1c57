"""Scans the project with bandit, detect-secrets and pip-audit: `make lint`.

Each finding must be judged. For bandit, a comment on its lines says why: `# nosec B608: reason`, or
`# noqa: S608 - reason`, since ruff's S608 is bandit's B608; or the file has a line in `per-file-ignores`. For
detect-secrets, `.secrets.baseline` has it; `python -m tests.scan --accept` writes it. A reason for a rule of
bandit on passwords counts, too. pip-audit is skipped where its data is out of reach.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ["project", "tenants", "apps", "manage.py"]
BASELINE, MEMORY = ROOT / ".secrets.baseline", ROOT / "var" / "scanned.json"
COMMENT = re.compile(r"# (?:noqa|nosec):? ((?:[A-Z]+\d+(?:, ?)?)+)(?:[\s:#-]+(?P<reason>\w.*))?")
# Hashes, and texts of other people; both are full of what looks like keys.
NOT_SCANNED = re.compile(r"^requirements/|^\.secrets\.baseline$|\.(?:jsonl|svg|png)$")
KINDS = [
    *("AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector"),
    *("GitLabTokenDetector", "JwtTokenDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector"),
    *("PypiTokenDetector", "SendGridDetector", "SlackDetector", "StripeDetector", "TwilioKeyDetector"),
]
ENTROPY = [{"name": "HexHighEntropyString", "limit": 3.0}, {"name": "Base64HighEntropyString", "limit": 4.5}]
PLUGINS = [*({"name": kind} for kind in KINDS), *ENTROPY]
PASSWORDS = {"name": "KeywordDetector"}  # not in tests, where every password is made up
VULNERABILITIES = {}  # those that do not concern this project, by id, each with the reason


def find_unjudged_code(paths=PRODUCT):
    """Return a line for each finding of bandit without a judgement, or with one that gives no reason."""
    command = [
        sys.executable,
        "-m",
        "bandit",
        "-q",
        "--ignore-nosec",
        "-c",
        "pyproject.toml",
        "-f",
        "json",
        "-r",
    ]
    ended = subprocess.run([*command, *map(str, paths)], cwd=ROOT, capture_output=True, text=True)
    if ended.returncode not in (0, 1):
        raise RuntimeError(ended.stderr)
    report = json.loads(ended.stdout)
    faults = [f"{error['filename']}: {error['reason']}" for error in report["errors"]]
    return faults + [fault for found in report["results"] if (fault := find_fault(found))]


def find_fault(found):
    """Return why a finding of bandit is not judged, or ""."""
    number, path, lines = found["test_id"][1:], found["filename"], found["line_range"]
    ignored = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    if f"S{number}" in ignored.get(path, []):
        return ""
    text = (ROOT / path).read_text().splitlines()[lines[0] - 1 : lines[-1]]
    comments = [match for line in text if (match := COMMENT.search(line))]
    judged = [match for match in comments if {f"S{number}", f"B{number}"} & set(re.findall(r"\w+", match[1]))]
    where = f"{path}:{found['line_number']}: {found['test_id']} {found['issue_text']}"
    if not judged:
        return where
    return "" if judged[0]["reason"] else f"{where} The comment gives no reason."


def find_secrets():
    """Return what looks like a secret in the files of the project: path -> list of (kind, hash, line)."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    paths = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    known = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
    found, seen = {}, {}
    for path in sorted(path for path in paths if path and not NOT_SCANNED.search(path)):
        if not (ROOT / path).is_file():
            continue
        key = hashlib.sha256(
            Path(__file__).read_bytes() + path.encode() + (ROOT / path).read_bytes()
        ).hexdigest()
        seen[key] = known[key] if key in known else scan_file(path)
        if seen[key]:
            found[path] = seen[key]
    MEMORY.parent.mkdir(exist_ok=True)
    MEMORY.write_text(json.dumps(seen))
    return found


def scan_file(path):
    """Return what looks like a secret in one file."""
    collection = SecretsCollection(root=str(ROOT))
    plugins = PLUGINS if path.startswith("tests/") else [*PLUGINS, PASSWORDS]
    with transient_settings({"plugins_used": plugins}):
        collection.scan_file(path)
    lines = (ROOT / path).read_text(errors="replace").splitlines() if list(collection) else []
    return [
        [secret.type, secret.secret_hash, secret.line_number]
        for _, secret in collection
        if not is_judged(secret.type, lines[secret.line_number - 1])
    ]


def is_judged(kind, line):
    """Whether a password of code has a comment for bandit's rule on passwords, with a reason."""
    comment = COMMENT.search(line)
    return kind == "Secret Keyword" and bool(
        comment and comment["reason"] and re.search(r"[SB]10[56]", comment[1])
    )


def find_unjudged_secrets(found):
    """Return a line for each secret that the baseline does not have. Lines may move."""
    judged = json.loads(BASELINE.read_text())["results"] if BASELINE.exists() else {}
    known = {(path, each["type"], each["hashed_secret"]) for path in judged for each in judged[path]}
    return [
        f"{path}:{line}: {kind}. If it is none: python -m tests.scan --accept"
        for path, secrets in found.items()
        for kind, digest, line in secrets
        if (path, kind, digest) not in known
    ]


def write_baseline(found):
    """Write what was found as judged, in the form of detect-secrets."""
    results = {
        path: [
            {"type": kind, "filename": path, "hashed_secret": digest, "is_secret": False, "line_number": line}
            for kind, digest, line in secrets
        ]
        for path, secrets in found.items()
    }
    settings = {"version": "1.5.0", "plugins_used": [*PLUGINS, PASSWORDS], "filters_used": []}
    BASELINE.write_text(json.dumps(settings | {"results": results}, indent=2) + "\n")


def find_vulnerabilities():
    """Return a line for each known vulnerability of the pinned packages, and why none can be known, or ""."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        "requirements/dev.txt",
        "--require-hashes",
        "--disable-pip",
    ]
    command += ["-f", "json", "--progress-spinner", "off", "--timeout", "5", "--vulnerability-service", "osv"]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        packages = json.loads(ended.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], "osv.dev does not answer"
    except ValueError:
        return [], ended.stderr.strip().rpartition("\n")[2][:200]
    return [
        f"{package['name']} {package['version']}: {each['id']}, mended in {each['fix_versions'] or 'none'}"
        for package in packages
        for each in package.get("vulns", [])
        if each["id"] not in VULNERABILITIES
    ], ""


def main():
    found = find_secrets()
    if "--accept" in sys.argv:
        write_baseline(found)
    vulnerable, out_of_reach = find_vulnerabilities()
    if out_of_reach:
        print(f"pip-audit: skipped, its data is out of reach: {out_of_reach}")
    faults = [*find_unjudged_code(), *find_unjudged_secrets(found), *vulnerable]
    print(*faults, f"{len(faults)} findings without a judgement.", sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
