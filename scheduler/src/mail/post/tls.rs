//! Encryption of connections to mail servers. lettre lets nobody else check certificates, and has no way to take a
//! certificate that is its own authority; so connections are encrypted here, and lettre speaks over them.

use std::fmt;
use std::io::{Error, Result as IoResult};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::ClientId;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most bytes of a line that a server says (RFC 5321, 4.5.3.1.5, allows 512), and of a reply.
const LINE: u64 = 1_000;
const REPLY: usize = 100_000;

/// Encryption to one server.
pub(super) struct Tls {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Encryption to a host that is believed by the certificates of a file alone, or by those of the system.
    pub(super) fn to(host: &str, file: Option<&str>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "邮件服务器的主机名无效".to_owned())?;
        let given = match file {
            Some(file) => read(file)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut roots = RootCertStore::empty();
        match file {
            Some(file) => {
                for certificate in given.iter().cloned() {
                    roots.add(certificate).map_err(|error| format!("证书文件 {file} 无效：{error}"))?;
                }
            }
            // The system's may be many, and one that is odd must not stop the others.
            None => _ = roots.add_parsable_certificates(given.iter().cloned()),
        }
        let unable = |error: &dyn fmt::Display| format!("TLS 无法启用：{error}");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let by_chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| unable(&error))?;
        let own = if file.is_some() { given } else { Vec::new() };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { by_chain, own }))
            .with_no_client_auth();
        Ok(Self { name, config: Arc::new(config) })
    }

    /// Encrypts a connection; `greeting` is what the server said last in the clear, for lettre to begin with.
    pub(super) async fn over(&self, stream: TcpStream, greeting: Vec<u8>) -> Result<Encrypted, String> {
        let connector = TlsConnector::from(self.config.clone());
        match connector.connect(self.name.clone(), stream).await {
            Ok(stream) => Ok(Encrypted { greeting, stream }),
            Err(error) => Err(format!("与邮件服务器无法建立加密连接：{error}")),
        }
    }
}

/// The certificates of a file.
fn read(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(file).map_err(|error| format!("证书文件 {file} 无法读取：{error}"))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("证书文件 {file} 中没有证书（应为 PEM）")),
        Err(error) => Err(format!("证书文件 {file} 无效：{error}")),
    }
}

/// Verifies a server by a chain to an authority; or, where its certificate is one of those given, by that.
#[derive(Debug)]
struct Verifier {
    by_chain: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.by_chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // `openssl req -x509` marks what it makes as an authority, which no server's certificate should be. Given
            // by name, byte for byte, it is one all the same. webpki looks at the time before it complains of this, so
            // that what has expired never comes here; the name it would look at later.
            Err(error) if is_authority(&error) && self.own.iter().any(|own| own == end_entity) => {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

/// Whether all that is wrong with a server's certificate so far is that it is marked as an authority.
fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Asks a server in the clear to encrypt the connection (RFC 3207); what it said to that.
pub(super) async fn ask_for_it(stream: TcpStream, hello: &ClientId) -> Result<(TcpStream, Vec<u8>), String> {
    let cannot = |error: Error| format!("与邮件服务器的连接中断：{error}");
    let mut talk = BufReader::new(stream);
    reply(&mut talk, "220").await?;
    talk.get_mut().write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(cannot)?;
    let offers = reply(&mut talk, "250").await?;
    let offers = String::from_utf8_lossy(&offers);
    if !offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
        return Err("邮件服务器不提供 STARTTLS".to_owned());
    }
    talk.get_mut().write_all(b"STARTTLS\r\n").await.map_err(cannot)?;
    let ready = reply(&mut talk, "220").await?;
    // Whatever came in the clear after that might be taken for an answer within the encryption.
    if !talk.buffer().is_empty() {
        return Err("邮件服务器在加密之前多发了数据".to_owned());
    }
    Ok((talk.into_inner(), ready))
}

/// A server's reply, which has to begin with a code.
async fn reply(talk: &mut BufReader<TcpStream>, code: &str) -> Result<Vec<u8>, String> {
    let mut reply = Vec::new();
    loop {
        let start = reply.len();
        let read = (&mut *talk).take(LINE).read_until(b'\n', &mut reply).await;
        read.map_err(|error| format!("与邮件服务器的连接中断：{error}"))?;
        let line = reply.get(start..).unwrap_or_default();
        if line.last() != Some(&b'\n') || reply.len() > REPLY {
            return Err("邮件服务器没有按 SMTP 应答".to_owned());
        }
        if line.get(3) != Some(&b'-') {
            break;
        }
    }
    if reply.starts_with(code.as_bytes()) {
        Ok(reply)
    } else {
        Err(format!("邮件服务器答复：{}", String::from_utf8_lossy(&reply).trim()))
    }
}

/// An encrypted connection that begins with a greeting of the time before.
#[derive(Debug)]
pub(super) struct Encrypted {
    greeting: Vec<u8>,
    stream: TlsStream<TcpStream>,
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<IoResult<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let some = self.greeting.len().min(buffer.remaining());
        for byte in self.greeting.drain(..some) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> IoResult<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}
