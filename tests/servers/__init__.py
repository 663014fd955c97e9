"""Real servers for the tests, each started on a free loopback port and gone at the end: PostgreSQL, Chromium, S3."""
