"""What a pipeline leaves in its database: slot, publication, progress."""


def drop_slots(database, name):
    database.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                     " where starts_with(slot_name, %s) and not active", [name])


def saved(database, slot, column="end_lsn"):
    return database.value(f"select {column} from outbox.progress where pipeline = %s", [slot])


def change_saved(database, slot, change):
    database.execute(f"update outbox.progress set {change} where pipeline = %s", [slot])


def publications(database, slot):
    return database.value("select count(*) from pg_publication where pubname = %s", [slot])
