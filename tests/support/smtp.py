"""A real SMTP server for the stories: STARTTLS and a login are required; each mail is kept, decoded, as JSON.

Usage: smtp.py PORT FOLDER. Prints `ready` when it listens; FOLDER/ca.pem is the authority of its certificate.
"""
import email, email.policy, itertools, json, pathlib, ssl, subprocess, sys, threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
key, ca = folder / "key.pem", folder / "ca.pem"
subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
     "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", ca],
    check=True, stderr=subprocess.DEVNULL,
)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(ca, key)
count = itertools.count()


def allowed(server, session, envelope, mechanism, given):
    known = isinstance(given, LoginPassword) and (given.login, given.password) == (b"ledger", b"s@fe")
    return AuthResult(success=known)


class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 no such mailbox"
        if address.startswith("busy"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": str(mail["from"]), "to": envelope.rcpt_tos, "subject": str(mail["subject"]),
            "message_id": str(mail["message-id"]), "auto_submitted": str(mail["auto-submitted"]),
            "tls": session.ssl is not None, "login": session.authenticated,
            "text": mail.get_body(("plain",)).get_content(), "html": mail.get_body(("html",)).get_content(),
        }
        path = folder / f"{next(count):04}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(kept, ensure_ascii=False))
        part.rename(path)
        return "250 OK"


Controller(Keep(), hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=True, auth_required=True,
           authenticator=allowed).start()
print("ready", flush=True)
threading.Event().wait()
