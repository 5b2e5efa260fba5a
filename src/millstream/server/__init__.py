"""The tracking server: the operations of the table over HTTP, artifacts, and pages for people.

``application`` answers requests, ``run`` listens; ``routes`` lists every path that is not an operation.
"""
