"""A private Postgres and a private Kafka, each folder its own pair on free ports.

`__main__` reads the command line, `folder` knows where things lie, `postgres` and `kafka` start and
stop their server, `process` and `port` are what both need.
"""
