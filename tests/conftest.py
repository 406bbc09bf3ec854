"""Settings of all tests: hypothesis profiles, no windows, and no traffic with the user's own cache."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

# Before anything imports Matplotlib, and inherited by the commands that tests start.
os.environ["MPLBACKEND"] = "Agg"

# Downloads of a test belong to the test. Compiled kernels stay in Numba's usual place, beside their source:
# compiling them again costs minutes.
_cache = tempfile.mkdtemp(prefix="minigan-tests-")
os.environ["XDG_CACHE_HOME"] = _cache
atexit.register(shutil.rmtree, _cache, ignore_errors=True)

# deadline=None: the first call of a kernel compiles it.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=10, **_common)
settings.register_profile("ci", max_examples=50, derandomize=True, **_common)
settings.register_profile("deep", max_examples=2000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
