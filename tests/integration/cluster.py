"""A Postgres of a test's own, where settings, certificates and the login rules may change."""

import os
import signal
from pathlib import Path

from support.database import connect
from support.services import Services


class Cluster:
    """`with Cluster(folder, settings={…}) as cluster:` runs until the block ends."""

    def __init__(self, folder, settings=None):
        self._services = Services.private(folder)
        self._settings = settings or {}

    def __enter__(self):
        self._services.start(only="postgres")
        if self._settings:
            self.set(**self._settings)
            self.restart()
        return self

    def __exit__(self, *failure):
        self._services.__exit__(*failure)

    @property
    def url(self):
        """A superuser's."""
        return self._services.env()["DATABASE_URL"]

    @property
    def data(self):
        return Path(os.path.realpath(self._services.folder / "postgres"))

    def set(self, **settings):
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def put(self, name, content, mode=0o600):
        """A file in the data folder, owned by the server's user; its path."""
        file = self.data / name
        file.write_text(content)
        file.chmod(mode)
        owner = self.data.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
        return file

    def restart(self):
        self._services.stop(only="postgres")
        self._services.start(only="postgres")

    def kill(self):
        self._services.kill("postgres")

    def start(self):
        self._services.start(only="postgres")

    def reload(self):
        os.kill(self._services.pid("postgres"), signal.SIGHUP)

    def execute(self, sql, arguments=None):
        connection = connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
