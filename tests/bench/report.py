"""The figures: a table for people, the same as JSON for machines."""

from dataclasses import dataclass, field


@dataclass
class Figure:
    """One measured thing. A ratio above 1 means that we are better, whatever the unit."""

    name: str
    unit: str
    ours: float | None
    ceiling: float | None = None       # what the machine allows
    peer: float | None = None          # Debezium
    ratio_ceiling: float | None = None
    ratio_peer: float | None = None
    rss_mb: float | None = None
    cpu_s: float | None = None         # of the relay, for a million events
    goals: dict = field(default_factory=dict)    # {what: (figure, "<=" or ">=", goal)}
    details: dict = field(default_factory=dict)  # rounds, the peer's memory and CPU, …

    def missed(self):
        return [what for what, (value, sense, goal) in self.goals.items()
                if value is None or (value < goal if sense == ">=" else value > goal)]


def ratio(better, worse):
    return better / worse if better is not None and worse else None


def _number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def _table(rows):
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(widths[0]) if n == 0 else cell.rjust(widths[n])
                        for n, cell in enumerate(row)).rstrip())


def print_table(figures):
    rows = [("", "unit", "ours", "ceiling", "Debezium", "x ceiling", "x Debezium", "MB", "CPU s/M")]
    for f in figures:
        rows.append((f.name, f.unit, *map(_number, (f.ours, f.ceiling, f.peer, f.ratio_ceiling,
                                                    f.ratio_peer, f.rss_mb, f.cpu_s))))
    _table(rows)
    for f in figures:
        for what, value in f.details.items():
            shown = ", ".join(map(_number, value)) if isinstance(value, list) else _number(value)
            print(f"{f.name}: {what}: {shown}")
    for f in figures:
        for what, (value, sense, goal) in f.goals.items():
            verdict = "missed" if what in f.missed() else "reached"
            print(f"{f.name}: {what} {_number(value)}, goal {sense} {_number(goal)}: {verdict}")
