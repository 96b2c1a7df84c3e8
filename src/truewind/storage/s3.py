"""The lake in an object store that speaks S3: the port `Blobs` over obstore.

Put and replace are atomic there. The rest is made of conditional puts (If-None-Match, If-Match), which the store must
honour; those of AWS do since November 2024.

A lock is an object that its holder renews. Whoever waits takes it over once it stood still for LEASE_S of his own
clock, so that no clocks are compared and a killed holder is waited out. A holder who was only slow is kept out by the
fence: what he has read under the lock he may replace only while it is still what he read. Ages too are by the store's
own times: those of the newest object, which under a lock is the lock itself.

Keys come from the usual variables (AWS_ACCESS_KEY_ID …, AWS_ENDPOINT_URL for other stores) or the machine's role; no
error and no repr shows them.
"""

import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from truewind.errors import ConfigError, LockedError, StorageError, TruewindError
from truewind.storage.blobs import LOCK, Entry

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import RetryConfig, S3Store

LEASE_S = 10.0
RENEW_S = 3.0
WAIT_S = LEASE_S + 5.0  # long enough to wait out one that was killed
RETRIES: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=45)}
SCAN_RETRIES = {"max_retries": 3}  # in a scan, which tries each request twice; what it cannot have is read by RETRIES
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 0.5
_RETIRED = ".retired"  # a marker beside an object: its own time says since when nobody needs the object
_REQUESTS = 32  # at a time


class _Lease:
    """A lock that is held. tags: of the names read under it, None for those that were not there."""

    def __init__(self, name: str, tag: str | None) -> None:
        self.name, self.tag = name, tag
        self.thread = threading.get_ident()
        self.tags: dict[str, str | None] = {}
        self.lost = False
        self.guard = threading.Lock()


class S3Blobs:
    """Objects below `s3://bucket/prefix`."""

    whole = True

    def __init__(self, url: str) -> None:
        self._bucket, self._prefix = _parts(url)
        self._leases: dict[str, _Lease] = {}
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        self._store = self._connected()

    def __repr__(self) -> str:
        return f"S3Blobs({self.location('')!r})"

    def exists(self) -> bool:
        import obstore

        try:
            return any(map(len, obstore.list(self._store, chunk_size=1)))
        except Exception as error:
            if _code(error) == "NoSuchBucket":
                return False
            raise self._refused("list", "", error) from None

    def read(self, name: str) -> bytes | None:
        found = self._get(name)
        lease = self._lease(name)
        if lease is not None:
            lease.tags[name] = found[1] if found else None
        return found[0] if found else None

    def read_many(self, names: Iterable[str]) -> list[bytes | None]:
        with ThreadPoolExecutor(_REQUESTS) as pool:
            return [found[0] if found else None for found in pool.map(self._get, names)]

    def write(self, name: str, data: bytes) -> None:
        lease = self._lease(name)
        if lease is not None and lease.lost:
            raise self._overtaken(name)
        if lease is None or name not in lease.tags:
            self._put(name, data, "overwrite")
            return
        before = lease.tags[name]
        tag = self._put(name, data, {"e_tag": before} if before else "create")
        if tag is None:
            found = self._get(name)
            if found is None or found[0] != data:  # else it was our own put, whose answer was lost on the way
                raise self._overtaken(name)
            tag = found[1]
        lease.tags[name] = tag

    def remove(self, name: str) -> None:
        import obstore

        try:
            obstore.delete(self._store, [name, name + _RETIRED])
        except Exception as error:
            raise self._refused("remove", name, error) from None

    def retire(self, name: str) -> None:
        self._put(name + _RETIRED, b"", "overwrite")

    def size(self, name: str) -> int | None:
        import obstore

        try:
            return obstore.head(self._store, name)["size"]
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._refused("read", name, error) from None

    def entries(self, folder: str) -> list[Entry]:
        import obstore

        try:
            found = obstore.list_with_delimiter(self._store, folder or None)
        except Exception as error:
            if _code(error) == "NoSuchBucket":
                return []
            raise self._refused("list", folder, error) from None
        skip = len(folder) + 1 if folder else 0
        folders = [Entry(path[skip:], True) for path in found["common_prefixes"]]
        return sorted(folders + [Entry(item["path"][skip:], False) for item in found["objects"]])

    def below(self, folder: str) -> dict[str, float]:
        items = {item["path"]: item["last_modified"] for item in self._list(folder)}
        now = max(items.values(), default=None)
        ages = {}
        for path, changed in items.items():
            base = path.removesuffix(_RETIRED)
            if now is not None and not (base != path and base in items):
                ages[path[len(folder) + 1 :]] = (now - items.get(path + _RETIRED, changed)).total_seconds()
        return ages

    def folders_with(self, start: str, top: str) -> list[str]:
        found = (item["path"].partition(f"/{start}") for item in self._list(top))
        return list({folder for folder, there, _ in found if there})

    def sweep(self, folder: str) -> None:
        """Nothing: a put that was broken off leaves nothing that could be seen."""

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        lease = self._acquire(f"{folder}/{LOCK}" if folder else LOCK)
        self._leases[folder] = lease
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(lease, over), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            with lease.guard:
                self._leases.pop(folder, None)
                if not lease.lost:
                    self._release(lease)

    def location(self, name: str) -> str:
        return "/".join(part for part in (f"s3://{self._bucket}", self._prefix, name) if part)

    @property
    def scan_options(self) -> dict[str, Any]:
        plain = {"aws_allow_http": "true"} if self._endpoint.startswith("http://") else {}
        named = {"aws_endpoint_url": self._endpoint} if self._endpoint else {}
        return {"storage_options": plain | named | SCAN_RETRIES, "credential_provider": None}

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _connected(self) -> "S3Store":
        try:
            from obstore.store import S3Store
        except ImportError:
            raise ConfigError(
                f"The lake {self.location('')} needs the package obstore", remedy="pip install 'truewind[s3]'"
            ) from None
        if os.environ.get("AWS_PROFILE") and not os.environ.get("AWS_ACCESS_KEY_ID"):
            raise ConfigError(
                "AWS_PROFILE is set, but profiles are not read",
                remedy='Put its keys into the environment: eval "$(aws configure export-credentials --format env)"',
            )
        options: dict[str, Any] = {"endpoint": self._endpoint} if self._endpoint else {}
        if self._endpoint.startswith("http://"):
            options["client_options"] = {"allow_http": True}
        return S3Store(self._bucket, prefix=self._prefix or None, retry_config=RETRIES, **options)

    def _get(self, name: str) -> tuple[bytes, str | None] | None:
        import obstore

        try:
            found = obstore.get(self._store, name)
            return bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._refused("read", name, error) from None

    def _put(self, name: str, data: bytes, mode: Any) -> str | None:
        """The new tag; None if the condition does not hold."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            return obstore.put(self._store, name, data, mode=mode)["e_tag"]
        except (AlreadyExistsError, PreconditionError):
            return None
        except Exception as error:
            if mode != "overwrite" and _code(error) == "ConditionalRequestConflict":  # two at the same moment
                return None
            raise self._refused("write", name, error) from None

    def _list(self, folder: str) -> "list[ObjectMeta]":
        import obstore

        try:
            return [item for chunk in obstore.list(self._store, folder or None) for item in chunk]
        except Exception as error:
            if _code(error) == "NoSuchBucket":
                return []
            raise self._refused("list", folder, error) from None

    # ── locks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lease(self, name: str) -> _Lease | None:
        """The lease that this thread holds on the folder of `name`."""
        lease = self._leases.get(name.rpartition("/")[0])
        return lease if lease is not None and lease.thread == threading.get_ident() else None

    def _acquire(self, name: str) -> _Lease:
        """Wait for the lock `name` to be free, or to have stood still for so long that its holder must be dead."""
        deadline = time.monotonic() + WAIT_S
        seen, since, poll = None, 0.0, _FIRST_POLL_S
        while True:
            mine = uuid.uuid4().bytes
            tag = self._put(name, mine, "create")
            if tag is not None:
                return _Lease(name, tag)
            found, now = self._get(name), time.monotonic()
            if found is not None and found[0] == mine:
                return _Lease(name, found[1])
            if found is not None and found[1] != seen:
                seen, since = found[1], now
            elif found is not None and now - since >= LEASE_S:
                tag = self._put(name, mine, {"e_tag": seen})
                if tag is not None:
                    return _Lease(name, tag)
            if now >= deadline:
                location = self.location(name)
                raise LockedError(
                    f"Another writer holds {location}", remedy="Wait until it is done, then try again", path=location
                )
            time.sleep(poll)
            poll = min(2 * poll, _LAST_POLL_S)

    def _keep(self, lease: _Lease, over: threading.Event) -> None:
        """Renew a lease until it is over, or someone else's."""
        while not over.wait(RENEW_S):
            with lease.guard:
                if over.is_set():
                    return
                try:
                    tag = self._put(lease.name, uuid.uuid4().bytes, {"e_tag": lease.tag})
                except TruewindError:
                    continue  # it may work the next time; if not, the fence holds
                if tag is None:
                    lease.lost = True
                    return
                lease.tag = tag

    def _release(self, lease: _Lease) -> None:
        """Let go of a lock that is still ours; one that cannot be reached is waited out by whoever comes next."""
        try:
            found = self._get(lease.name)
            if found is not None and found[1] == lease.tag:
                self.remove(lease.name)
        except StorageError:
            pass

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _overtaken(self, name: str) -> LockedError:
        location = self.location(name)
        return LockedError(
            f"Another writer has changed {location}; what was there is not replaced", remedy="Try again", path=location
        )

    def _refused(self, what: str, name: str, error: Exception) -> StorageError:
        """An error of ours. Replies are quoted by their code only: they may repeat parts of the request."""
        code, location = _code(error), self.location(name)
        status = re.search(r"status code: (\d{3})", str(error))
        if code or status:
            reason = code or f"status {status[1] if status else ''}"
        else:
            reason = f"no usable answer from {_host(self._endpoint) or 'S3'}"
        return StorageError(
            f"Cannot {what} {location}: {reason}",
            remedy="Check bucket, keys and network, then try again; what was stored before is unchanged",
            path=location,
        )


def _parts(url: str) -> tuple[str, str]:
    """Bucket and prefix. Raises ConfigError without repeating what may be a key."""
    remedy = "Write s3://bucket/prefix, and put keys into the environment"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError("The lake's URL cannot be read", remedy=remedy) from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("The lake's URL has more than a bucket and a prefix", remedy=remedy)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", parts.netloc):
        raise ConfigError(f"'{parts.netloc}' is no name of a bucket", remedy=remedy)
    return parts.netloc, parts.path.strip("/")


def _code(error: Exception) -> str | None:
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found[1] if found else None


def _host(endpoint: str) -> str | None:
    return urlsplit(endpoint).hostname
