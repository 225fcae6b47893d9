"""Own how durations, sizes and any texts are shown; pure functions."""


def duration(seconds: float) -> str:
    """Put a duration in words that are short enough.

    Examples
    --------
    >>> [duration(s) for s in (0.0000012, 0.00012, 0.25, 59, 600, 7300, 200000)]
    ['1.2 us', '0.12 ms', '250 ms', '59 s', '10 min', '2 h 1 min', '2 d 7 h']
    """
    if 0 < seconds < 0.00009995:
        return f"{seconds * 1e6:.3g} us"
    if seconds < 0.9995:  # what is nearer to a second is shown as one
        return f"{seconds * 1000:.3g} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{whole} s"
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")


def size_text(size: int) -> str:
    """Put a number of bytes in words.

    Examples
    --------
    >>> size_text(999), size_text(2_500_000)
    ('999 B', '2.5 MB')
    """
    value = float(size)
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def printable(text: str) -> str:
    r"""Show control characters as escapes, so that they do nothing to a terminal.

    Examples
    --------
    >>> printable("clear\x1b[2J, λ")
    'clear\\x1b[2J, λ'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
