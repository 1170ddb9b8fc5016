"""A real SMTP server for the stories. It requires STARTTLS and a login, and writes each accepted mail, decoded, as JSON.

Usage: smtp.py PORT FOLDER [OPTIONS]. Prints `ready` when it listens; FOLDER/ca.pem is the certificate to trust.
OPTIONS is a JSON object with these members, all optional:
  certificate  "plain" (default: not a certificate authority), "authority" (one, as `openssl req -x509` makes it) or
               "expired" (a certificate authority whose validity ended in 2021)
  name         host name in the certificate (default "localhost")
  implicit     true for TLS from the first byte instead of STARTTLS (default false)
  password     password of the login `ledger` (default "s@fe")
Prints a line for each mail that it has written. FOLDER/mode, if it exists, names what is wrong with the server:
  greeting     it greets with 554
  login        it refuses every login
  sender       it refuses every sender
  relay        it refuses to relay
  hang-up      it takes each message and hangs up without an answer
  alone        it accepts one connection at a time
  full         it accepts no connection, because it has too many
"""
import asyncio, email, email.header, email.policy, itertools, json, pathlib, ssl, subprocess, sys, threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
options = {"certificate": "plain", "name": "localhost", "implicit": False, "password": "s@fe"}
options |= json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
key, ca, name = folder / "key.pem", folder / "ca.pem", options["name"]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# Arguments of every certificate request: a new key, and the host name.
new = ["-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key]
if options["certificate"] == "plain":
    openssl("req", "-x509", *new, "-days", 2, "-addext", "basicConstraints=critical,CA:FALSE", "-out", ca)
elif options["certificate"] == "authority":
    openssl("req", "-x509", *new, "-out", ca)
else:
    request, settings = folder / "request.pem", folder / "openssl.cnf"
    openssl("req", *new, "-out", request)
    (folder / "index.txt").touch()
    settings.write_text(f"""
[ca]
default_ca = one
[one]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
basicConstraints = critical,CA:TRUE
subjectAltName = DNS:{name}
""")
    openssl("ca", "-batch", "-selfsign", "-config", settings, "-in", request, "-keyfile", key, "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-out", ca)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(ca, key)
count = itertools.count()
connections = 0


def mode():
    try:
        return (folder / "mode").read_text()
    except FileNotFoundError:
        return ""


class Server(SMTP):
    async def _handle_client(self):
        global connections
        if mode() in ("greeting", "full") or (mode() == "alone" and connections > 0):
            await self.push("554 5.3.2 no service" if mode() == "greeting" else "421 4.7.0 too many connections")
            self.transport.close()
            return
        connections += 1
        try:
            await super()._handle_client()
        finally:
            connections -= 1


class Control(Controller):
    def factory(self):
        return Server(self.handler, **self.SMTP_kwargs)


def allowed(server, session, envelope, mechanism, given):
    known = mode() != "login" and isinstance(given, LoginPassword) and (given.login, given.password) == (b"ledger", options["password"].encode())
    # With handled=False, aiosmtpd itself sends the refusal.
    return AuthResult(success=known, handled=known)


class Keep:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if mode() == "sender":
            return "550 5.7.1 sender not allowed"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode() == "relay":
            return "550 5.7.1 relaying denied"
        if address.startswith("closed"):
            return "550 5.7.1 only members may write here"
        if address.startswith("nobody"):
            return "550 no such mailbox"
        if address.startswith("busy"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        # The parser of the policy leaves a space between the parts of an encoded name.
        plain = email.message_from_bytes(envelope.content)
        calendars = [part.get_content() for part in mail.walk() if part.get_content_type() == "text/calendar"]
        kept = {
            "from": str(mail["from"]), "envelope_from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": str(mail["subject"]),
            "reply_to": str(email.header.make_header(email.header.decode_header(plain["reply-to"] or ""))),
            "message_id": str(mail["message-id"]), "auto_submitted": str(mail["auto-submitted"]),
            "tls": options["implicit"] or session.ssl is not None, "login": session.authenticated,
            "text": mail.get_body(("plain",)).get_content(), "html": mail.get_body(("html",)).get_content(),
            "calendars": calendars, "list_unsubscribe": mail["list-unsubscribe"] and str(mail["list-unsubscribe"]),
            "list_unsubscribe_post": mail["list-unsubscribe-post"] and str(mail["list-unsubscribe-post"]),
        }
        path = folder / f"{next(count):04}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(kept, ensure_ascii=False))
        part.rename(path)
        print(path.name, flush=True)
        if mode() == "hang-up":
            server.transport.abort()
            await asyncio.Event().wait()
        return "250 OK"


encryption = {"ssl_context": tls, "auth_require_tls": False} if options["implicit"] else {"tls_context": tls, "require_starttls": True}
Control(Keep(), hostname="127.0.0.1", port=port, auth_required=True, authenticator=allowed, **encryption).start()
print("ready", flush=True)
threading.Event().wait()
