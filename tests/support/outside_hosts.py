"""External hosts, replaced by a proxy on loopback with real TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.intake.outbound_http import FETCH_BYTES


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} As it is", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class FakeHosts:
    """Answers requests to any host with the next of its answers, or the last one. None means no answer."""

    def __init__(self, host: str, directory: Path) -> None:
        self.answers: list[bytes | None] = []
        self.requested: list[str] = []
        self.connected: list[str] = []
        self.open = asyncio.Event()
        """Requests wait until it is set."""
        self.open.set()
        self._host, self._directory = host, directory

    @asynccontextmanager
    async def client(self) -> AsyncIterator[LimitedClient]:
        """Yield a client that uses this proxy."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self._certificate()
        context.load_cert_chain(certificate)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer, context)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            trusted = ssl.create_default_context(cafile=str(certificate))
            async with LimitedClient(max_bytes=FETCH_BYTES, seconds=5, proxy=proxy, verify=trusted, timeout=5) as http:
                yield http

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        await self.open.wait()
        line = (await reader.readuntil(b"\r\n\r\n")).decode().split()
        self.connected.append(line[1])
        assert line[0] == "CONNECT"
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await writer.start_tls(context)
        self.requested.append((await reader.readuntil(b"\r\n\r\n")).decode().split()[1])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()

    def _certificate(self) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hosts")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1)
        )
        names = x509.SubjectAlternativeName([x509.DNSName(self._host)])
        made = builder.add_extension(names, critical=False).sign(key, SHA256())
        path = self._directory / "hosts.pem"
        encoding = serialization.Encoding.PEM
        private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(made.public_bytes(encoding) + private)
        return path
