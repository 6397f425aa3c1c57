import subprocess
import sys
from pathlib import Path

import environ
import psycopg

ROOT = Path(__file__).resolve().parents[2]


def connect(url):
    config = environ.Env.db_url_config(url)
    return psycopg.connect(
        host=config["HOST"],
        port=config["PORT"],
        user=config["USER"],
        dbname=config["NAME"],
        autocommit=True,
    )


def query(url, sql):
    with connect(url) as connection:
        return connection.execute(sql).fetchone()[0]


def get_pid(top):
    return int((top / "data" / "postmaster.pid").read_text().split()[0])


def run_python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def run_command(*arguments):
    return run_python("-m", "project.embedded_postgres", *arguments)
