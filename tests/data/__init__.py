PEAK_MEMORY = """
import re, resource, sys
from pathlib import Path

def peak_memory():  # in kB; where Linux says it, that of this program alone, not that of the one that began it
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
"""
