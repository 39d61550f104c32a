"""The lessons, one Markdown file each, and the small language in which they state their claims.

It may import `probes`, `theory` and everything beneath them, but neither `frames` nor `charts`.
To add a lesson, add a file to `lessons/` and its twin to `lessons/zh/`; to let claims name one more
quantity, add its row to `claim_quantities`.
"""
