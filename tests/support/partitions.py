"""outbox.event with narrow partitions, event_n000001 and so on, so that a few rows fill one."""

_NARROW = """
do $$
declare
  part regclass;
  first bigint;
  name text;
begin
  for part in select partition from outbox.partition loop
    execute format('drop table %%s', part);
  end loop;
  for number in 1..%(count)s loop
    name := 'event_n' || lpad(number::text, 6, '0');
    first := (number - 1) * %(width)s + 1;
    execute format('create table outbox.%%I (like outbox.event including constraints '
                   'including indexes including storage)', name);
    execute format('create trigger refuse_change before update or delete or truncate '
                   'on outbox.%%I for each statement execute function outbox.refuse_change()',
                   name);
    execute format('alter table outbox.event attach partition outbox.%%I '
                   'for values from (%%s) to (%%s)', name, first, first + %(width)s);
  end loop;
end
$$"""


def narrow(database, width, count):
    """Partitions for numbers 1 to width * count, in place of those that were there."""
    connection = database.connect(autocommit=False)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set local role outbox_owner")
            cursor.execute(_NARROW, {"width": width, "count": count})
    finally:
        connection.close()


def rows(database):
    """{partition: rows}, of those that have any."""
    return dict(database.execute("select tableoid::regclass::text, count(*) from outbox.event"
                                 " group by 1"))


def age_marks(database, by="1 year"):
    """As if all that was given out had been so for long."""
    database.execute("update outbox.retention_mark set at = at - %s::interval", [by])
