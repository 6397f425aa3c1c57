"""What is wrong with the installation, and what mends it: `manage.py doctor`.

settings.DOCTOR_CHECKS names the checks, which are functions of a Scope that yield Findings.
"""
