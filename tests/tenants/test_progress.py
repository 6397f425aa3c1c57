import io

from tenants.management.progress import Bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(file, **options):
    with Bar(total=3, desc="acme", unit=" texts", file=file, **options) as bar:
        for _ in range(3):
            bar.update()
    return file.getvalue()


def test_a_log_gets_whole_lines():
    written = run(io.StringIO())

    assert "\r" not in written
    assert written.endswith("\n")
    assert written.splitlines()[-1].startswith("acme: 100%")


def test_a_terminal_gets_one_line_that_is_written_over():
    written = run(Terminal(), mininterval=0)

    assert written.count("\racme") > 1
    assert written.count("\n") == 1
