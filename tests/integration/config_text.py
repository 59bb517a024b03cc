"""Config files for the tests: what differs is said, the rest stands here."""


def route(topic, on_failure="dead-letter", more="", **match):
    """One [[pipeline.route]]; `match`: aggregate_type=…, event_type=…; none: every event."""
    fields = ", ".join(f'{field} = "{value}"' for field, value in match.items())
    return (f"\n[[pipeline.route]]\n" + (f"match = {{ {fields} }}\n" if fields else "")
            + f'topic = "{topic}"\non_failure = "{on_failure}"\n{more}\n')


def source(name, slot, url="${DATABASE_URL}", publication=None, more="", mode="wal"):
    return (f'\n[source.{name}]\ntype = "postgres"\nurl = "{url}"\nmode = "{mode}"\n'
            f'slot = "{slot}"\npublication = "{publication or slot}"\n{more}\n')


def sink(bootstrap="${KAFKA_BOOTSTRAP}", properties="", name="kafka"):
    return (f'\n[sink.{name}]\ntype = "kafka"\nbootstrap_servers = "{bootstrap}"\n'
            f"properties = {{ {properties} }}\n")


def pipeline(name, source_name, routes=(), more="", sink_name="kafka"):
    return (f'\n[[pipeline]]\nname = "{name}"\nsource = "{source_name}"\nsink = "{sink_name}"\n'
            f"{more}\n" + "".join(routes))


def admin(port, more=""):
    return f'[admin]\nlisten = "127.0.0.1:{port}"\n{more}\n'


def whole(admin_port, slot, routes=(), name="orders", admin_more="", source_more="",
          pipeline_more="", properties="", publication=None, mode="wal"):
    """A config of one pipeline."""
    return (admin(admin_port, admin_more)
            + source("shop", slot, publication=publication, more=source_more, mode=mode)
            + sink(properties=properties) + pipeline(name, "shop", routes, pipeline_more))
