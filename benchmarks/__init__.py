"""What Psyrun costs: next to what one would take instead, and room by room."""
