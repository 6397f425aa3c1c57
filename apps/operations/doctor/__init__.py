"""What is wrong with the installation, and what mends it: `manage.py doctor`."""
