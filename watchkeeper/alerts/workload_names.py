"""Names of services inside the names of pods, hosts and objects in a namespace.

A Deployment's pod is ``NAME-HASH-SUFFIX``, a DaemonSet's or a Job's ``NAME-SUFFIX``, a CronJob's ``NAME-MINUTE-SUFFIX``
and a StatefulSet's ``NAME-NUMBER`` (https://kubernetes.io/docs/concepts/workloads/controllers/). Kubernetes generates
suffixes from ``bcdfghjklmnpqrstvwxz2456789`` (``k8s.io/apimachinery/pkg/util/rand``). A service's host is
``NAME.NAMESPACE.svc.cluster.local`` (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_GENERATED = (
    re.compile(r"(?P<name>.+)-(?=[a-z]*\d)[a-z0-9]{6,10}-[a-z0-9]{5}"),  # a Deployment's or a CronJob's pod
    re.compile(rf"(?P<name>.+)-{_SAFE}{{8,10}}-{_SAFE}{{5}}"),
    re.compile(rf"(?P<name>.+)-{_SAFE}{{8,10}}"),  # a ReplicaSet
)
_OF_POD = (
    re.compile(rf"(?P<name>.+)-{_SAFE}{{5}}"),  # a pod of a DaemonSet or a Job
    re.compile(r"(?P<name>.+)-\d{1,10}"),  # a pod of a StatefulSet, or a Job of a CronJob
)
_MAX_CHARS = 300


def service_names(value: str, of_pod: bool) -> Iterator[str]:
    """Yield the names of services that a name may contain, the most specific first.

    ``of_pod``: the value names one pod or host, so that a number or a short suffix at its end is not part of the name.
    """
    text = value.strip().lower()[:_MAX_CHARS]
    for name in dict.fromkeys(part for part in _last_parts(text) if part):
        yield name
        for pattern in (*_GENERATED, *(_OF_POD if of_pod else ())):
            if found := pattern.fullmatch(name):
                yield found["name"]


def _last_parts(text: str) -> Iterator[str]:
    """Yield the object of ``namespace/object``, and the first label of a host, also inside a URL."""
    _, is_url, rest = text.partition("://")
    path = rest.partition("/")[0] if is_url else text.rpartition("/")[2] or text.rstrip("/").rpartition("/")[2]
    host = path.rpartition("@")[2]
    if not host.startswith("["):
        host = host.partition(":")[0]
    if not is_url and path != text:
        yield path
    if not _is_address(host):
        yield host
        labels = host.removeprefix("www.").split(".")
        if not labels[0].isdigit():
            yield labels[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("]")[0])
    except ValueError:
        return False
    return True
