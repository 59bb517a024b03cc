"""What the Python suites share: one concept a module, nothing imported that a test did not ask for.

environment  where the services and binaries are       waiting       until it is so, or fail
database     a database of one test's own              publisher     writes events, remembers them
topic        topics and what they hold                 verdict       lost, ghosts, duplicates, order
relay        the relay as a process                    services      start, kill, pause servers
writers      a load on shared keys, and rollbacks     numbered      events that carry their place
ledger       what the writers committed                marks         what the relay had saved, when
arrivals     what came, judged against the ledger      watcher       reads a topic all the time
stage        all of these together                     tcp_proxy     resets, cuts, delays
partitions   narrow ones, that a few rows fill
"""
