"""What each command does; `psyrun.main` declares their options."""
