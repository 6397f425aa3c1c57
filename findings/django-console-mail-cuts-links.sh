#!/usr/bin/env bash
# Django 6.1.3: the console mail backend prints links of more than 78 characters in two pieces.
#
# Usual guess: in development, a link to reset a password is copied from what the console backend prints, as
#   with Django 5.2.
# Behaviour: since Django 6.0 mail is made with Python's modern email API, whose policy ends a line after 78
#   characters. A text with a longer line is sent as quoted-printable: "=" and a line break within the link.
#   Mail programs undo it. The console backend prints the message as it is sent, so the link in the terminal
#   is not valid. Django's own tokens make links of some 90 characters.
# Seen: 5.2.8 prints the link in one line; 6.1.3 prints "...0000=" and the rest in the next line.
#
# Needs Python 3.12 or newer as python3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > send.py <<'PYTHON'
import django
from django.conf import settings
from django.core.mail import send_mail

console = "django.core.mail.backends.console.EmailBackend"
if django.VERSION >= (6, 1):
    settings.configure(MAILERS={"default": {"BACKEND": console}})
else:
    settings.configure(EMAIL_BACKEND=console)
link = f"http://search.example.com:8000/accounts/reset/MQ/abcdef-{'0' * 32}/"
send_mail("Reset", f"Open this address:\n\n{link}\n", "a@example.com", ["b@example.com"])
print("LINK", link)
PYTHON
for version in 5.2.8 6.1.3; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet --disable-pip-version-check "django==$version"
    "venv-$version/bin/python" send.py > "$version.log"
done
link=$(sed -n 's/^LINK //p' 6.1.3.log)
grep -h "accounts/reset\|^0*=*0*/$" 5.2.8.log 6.1.3.log | grep -v ^LINK
echo "whole lines with the link: $(grep -cxF "$link" 5.2.8.log || true) with 5.2.8, $(grep -cxF "$link" 6.1.3.log || true) with 6.1.3"
test "${#link}" -gt 78
grep -qxF "$link" 5.2.8.log && ! grep -qxF "$link" 6.1.3.log && grep -q "quoted-printable" 6.1.3.log
