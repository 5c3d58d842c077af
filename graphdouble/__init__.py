"""Meta's Graph API on this machine, as far as WhatsApp webhooks need it.

Built from Meta's documentation; each behaviour names its page, and what is not reproduced is refused.
`python -m graphdouble --help` lists the commands, docs/graph-double.md what it does.
"""
