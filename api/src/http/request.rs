//! What the head of a request says about the caller (host, origin, address, request id), and reading its body within
//! limits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use futures_util::StreamExt;
use ipnet::IpNet;

use crate::error::{Code, Refused};

/// The common header in which proxies write the address of the client.
#[cfg(test)]
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The standard header in which proxies write the address of the client (RFC 7239).
const FORWARDED: &str = "forwarded";

/// Reads a JSON body of at most `most` bytes, within `time`.
pub(crate) async fn body(
    headers: &HeaderMap,
    payload: actix_web::web::Payload,
    most: usize,
    time: Duration,
) -> Result<Vec<u8>, Refused> {
    tokio::time::timeout(time, read_body(headers, payload, most)).await.map_err(|_| {
        let seconds = time.as_secs();
        Refused::new(
            Code::RequestTimeout,
            format!("请求体在 {seconds} 秒内没有传完"),
            format!("the body did not arrive within {seconds} seconds"),
        )
    })?
}

async fn read_body(headers: &HeaderMap, mut payload: actix_web::web::Payload, most: usize) -> Result<Vec<u8>, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    if !is_json || charset.is_some_and(|charset| charset.trim_matches('"') != "utf-8") {
        return Err(Refused::new(
            Code::UnsupportedMediaType,
            "Content-Type 应为 application/json，编码为 UTF-8",
            "send JSON in UTF-8 as application/json",
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refused::new(Code::BadRequest, "请求体没有传完", "the body is incomplete"))?;
        if body.len() + chunk.len() > most {
            return Err(Refused::new(
                Code::PayloadTooLarge,
                format!("请求体超过 {most} 字节"),
                format!("the body is larger than {most} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns the id of a request: the value of `x-request-id` if it has 1 to 64 characters, each of them an ASCII letter
/// or digit, `-`, `_` or `.`; otherwise a new one.
pub(crate) fn id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(plain).map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Refuses a request for an unknown host. Otherwise a page elsewhere could reach this program by a host name of its own
/// that it resolves to this machine (DNS rebinding). Loopback names are accepted if the connection itself comes from
/// this machine; forwarding headers do not count, because callers can write them. Passing this check gives no rights.
pub(crate) fn of_known_host(request: &HttpRequest, hosts: &[String]) -> Result<(), Refused> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let is_from_here = || request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    if hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) || (is_loopback(name) && is_from_here()) {
        return Ok(());
    }
    Err(Refused::new(
        Code::Forbidden,
        "本程序不接受发往此主机名的请求：请使用 public_url 的地址，或请管理员在 hosts 中列出此主机名",
        "requests for this host are not served: use the address in public_url, or have the host added to `hosts`",
    ))
}

/// Returns whether a host, as written in a URL, is this machine itself: `localhost` or a loopback address.
pub fn is_loopback(name: &str) -> bool {
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || plain.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Returns whether a header says that a proxy has forwarded the request, whoever wrote it. Such a request is not
/// treated as a local one.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    let said = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    said.iter().any(|name| headers.contains_key(*name))
}

/// Refuses a request from a page of another origin, unless the origin is one of `origins`.
pub(crate) fn of_known_origin(request: &HttpRequest, origins: &[String]) -> Result<(), Refused> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    if own || origins.iter().any(|known| known == origin) {
        return Ok(());
    }
    Err(Refused::new(Code::Forbidden, "不接受其他网站的页面发起的连接", "pages of this origin may not send requests"))
}

/// Returns whether an address belongs to a trusted proxy.
pub(crate) fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// Returns the address of the client: the peer of the connection or, if the peer is a trusted proxy, the address that
/// the proxies give in their header.
pub(crate) fn address(request: &HttpRequest, proxies: &[IpNet], header: &str) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    if !is_proxy(peer, proxies) {
        return Some(peer);
    }
    let lines: Vec<String> =
        request.headers().get_all(header).map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    let line = lines.join(",");
    let hops: Vec<Option<IpAddr>> = if header.eq_ignore_ascii_case(FORWARDED) {
        // Pair quotes from the right, where trusted proxies write, so that a quote that a caller leaves open hides
        // nothing.
        let mut is_quoted = false;
        let ends = |letter| {
            is_quoted ^= letter == '"';
            letter == ',' && !is_quoted
        };
        line.rsplit(ends).map(forwarded_for).collect()
    } else {
        line.rsplit(',').map(hop).collect()
    };
    Some(nearest(peer, hops, proxies))
}

/// Returns the nearest hop that is not a trusted proxy. If a hop cannot be read, returns the last trusted proxy before
/// it, because everything further to the left may have been written by the caller.
fn nearest(peer: IpAddr, hops: Vec<Option<IpAddr>>, proxies: &[IpNet]) -> IpAddr {
    let mut last = peer;
    for hop in hops {
        match hop {
            Some(address) if is_proxy(address, proxies) => last = address,
            Some(address) => return address,
            None => return last,
        }
    }
    last
}

/// Reads an address as proxies write it: alone or with a port, and an IPv6 address also in brackets.
fn hop(words: &str) -> Option<IpAddr> {
    let words = words.trim();
    let bare = words.strip_prefix('[').and_then(|words| words.strip_suffix(']')).unwrap_or(words);
    let address = bare.parse::<IpAddr>().or_else(|_| words.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Reads the address in an element of `Forwarded` (RFC 7239): none if it has no `for`, or an obfuscated one.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut is_quoted = false;
    let ends = |letter| {
        is_quoted ^= letter == '"';
        letter == ';' && !is_quoted
    };
    let mut pairs = element.split(ends).filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim();
    hop(node.strip_prefix('"').and_then(|node| node.strip_suffix('"')).unwrap_or(node))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use actix_web::test::TestRequest;
    use ipnet::IpNet;

    use super::{FORWARDED, FORWARDED_FOR, address};

    const PROXIES: &[&str] = &["10.0.0.2/32", "192.168.0.0/16", "fd00::/8"];

    fn from(peer: &str, header: &str, lines: &[&str]) -> String {
        let proxies: Vec<IpNet> = PROXIES.iter().map(|network| network.parse().unwrap()).collect();
        let peer = (peer.parse::<IpAddr>().unwrap(), 4_711).into();
        let request = lines.iter().fold(TestRequest::default().peer_addr(peer), |request, line| {
            request.append_header((header, line.as_bytes()))
        });
        address(&request.to_http_request(), &proxies, header).unwrap().to_string()
    }

    #[test]
    fn a_caller_is_where_the_last_trusted_proxy_saw_it() {
        let through = |lines: &[&str]| from("10.0.0.2", FORWARDED_FOR, lines);
        for (lines, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["junk, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9, 192.168.3.4"], "203.0.113.9"),
            (&["198.51.100.1", "203.0.113.9, 192.168.3.4"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, ::ffff:192.168.3.4, fd00::7"], "203.0.113.9"),
            // A hop that cannot be read, where a proxy should have written one, hides everything to its left.
            (&["198.51.100.1, junk"], "10.0.0.2"),
            (&["198.51.100.1, unknown, 192.168.3.4"], "192.168.3.4"),
            (&["198.51.100.1,"], "10.0.0.2"),
            (&["198.51.100.1, \u{ff}"], "10.0.0.2"),
            (&["192.168.3.4"], "192.168.3.4"),
            (&[""], "10.0.0.2"),
            (&[], "10.0.0.2"),
        ] {
            assert_eq!(through(lines), expected, "{lines:?}");
        }
        assert_eq!(from("::ffff:10.0.0.2", FORWARDED_FOR, &["203.0.113.9"]), "203.0.113.9", "an IPv4-mapped peer");
        assert_eq!(from("203.0.113.7", FORWARDED_FOR, &["203.0.113.9"]), "203.0.113.7", "an untrusted peer's header");
    }

    #[test]
    fn the_header_of_the_standard_is_read_from_the_right_as_well() {
        let through = |lines: &[&str]| from("10.0.0.2", FORWARDED, lines);
        for (lines, expected) in [
            (&["for=203.0.113.9"][..], "203.0.113.9"),
            (&["For=\"[2001:db8::1]:4711\";proto=https;by=10.0.0.2"], "2001:db8::1"),
            (&["for=198.51.100.1, for=\"203.0.113.9:80\";host=\"a,b;c\", by=10.0.0.2;for=192.168.3.4"], "203.0.113.9"),
            (&["for=198.51.100.1, for=_hidden"], "10.0.0.2"),
            (&["for=198.51.100.1, for=unknown, for=192.168.3.4"], "192.168.3.4"),
            (&["for=198.51.100.1, proto=https"], "10.0.0.2"),
            // A quote that the caller leaves open.
            (&["for=\"198.51.100.1, for=203.0.113.9"], "203.0.113.9"),
            (&["for=198.51.100.1", "for=203.0.113.9"], "203.0.113.9"),
        ] {
            assert_eq!(through(lines), expected, "{lines:?}");
        }
        let request = TestRequest::default()
            .peer_addr(([10, 0, 0, 2], 1).into())
            .append_header((FORWARDED, "for=203.0.113.9"))
            .to_http_request();
        let proxies = [PROXIES[0].parse().unwrap()];
        let found = address(&request, &proxies, FORWARDED_FOR).unwrap();
        assert_eq!(found.to_string(), "10.0.0.2", "only the header that the proxies write is read");
    }
}
