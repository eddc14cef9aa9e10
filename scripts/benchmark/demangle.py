"""Swift's symbols as one reads them."""
import subprocess


def demangled(names: list[str]) -> list[str]:
    """One for each; as they are where `swift demangle` is not to be had."""
    try:
        done = subprocess.run(["swift", "demangle", "-compact", "-simplified"], input="\n".join(names), text=True, capture_output=True)
    except OSError:
        return names
    lines = done.stdout.splitlines()
    return lines if done.returncode == 0 and len(lines) == len(names) else names
