//! Which addresses messages may be sent to: those of the public Internet, and the networks and hosts that the setting
//! `webhook_allow` names. Whoever enters a receiver can otherwise let the server speak with what is inside its network.
//!
//! Names are resolved here, and the connection goes to the very addresses that were checked, so that a name which
//! changes its address in between leads nowhere else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Networks of IPv4 that are not public addresses of single machines, or are those of a cloud's metadata.
const CLOSED_V4: &[(Ipv4Addr, u8)] = &[
    // This network, and private ones.
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Shared by customers of a provider; also the metadata of Alibaba Cloud (100.100.100.200).
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local; also the metadata of most clouds (169.254.169.254).
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Of protocols; also the metadata of Oracle Cloud (192.0.0.192).
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // For documentation and measurements.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // The platform of Azure.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Multicast, reserved and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The public addresses of IPv6. Loopback, link-local, unique local, mapped (`::ffff:0:0/96`) and translated
/// (`64:ff9b::/96`) ones lie outside.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks of IPv6 within the public ones that are not.
const CLOSED_V6: &[(Ipv6Addr, u8)] = &[
    // Of protocols, such as Teredo, which contain an address of IPv4.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // For documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4, which contain an address of IPv4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Checks whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    let within =
        |(network, length): (IpAddr, u8)| IpNet::new(network, length).is_ok_and(|network| network.contains(&address));
    match address {
        IpAddr::V4(_) => !CLOSED_V4.iter().any(|(network, length)| within(((*network).into(), *length))),
        IpAddr::V6(_) => {
            within((PUBLIC_V6.0.into(), PUBLIC_V6.1))
                && !CLOSED_V6.iter().any(|(network, length)| within(((*network).into(), *length)))
        }
    }
}

/// The addresses that messages may be sent to.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    networks: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Guard {
    /// Reads the setting: networks, addresses and names of hosts. The error is the first entry that is none of these.
    pub(super) fn new(allowed: &[String]) -> Result<Self, String> {
        let mut guard = Self::default();
        for entry in allowed {
            let entry = entry.trim();
            if let Ok(network) = entry.parse::<IpNet>() {
                guard.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                guard.networks.push(address.into());
            } else if let Ok(Host::Domain(host)) = Host::parse(entry) {
                guard.hosts.push(host);
            } else {
                return Err(entry.to_owned());
            }
        }
        Ok(guard)
    }

    /// Checks whether the setting names an address, or the host that has it.
    fn names(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.hosts.iter().any(|named| named.eq_ignore_ascii_case(host))
            || self.networks.iter().any(|network| network.contains(&address))
    }

    /// Checks whether a message may go to an address of a host. Without encryption (`is_plain`) it may only go where
    /// the setting says.
    fn permits(&self, host: &str, address: IpAddr, is_plain: bool) -> bool {
        self.names(host, address) || (!is_plain && is_public(address))
    }

    /// Refuses a URL that contains an address which nothing may be sent to. Names are checked when they are resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), Refused> {
        let is_plain = url.scheme() != "https";
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refused { is_plain }),
        };
        if self.permits("", address, is_plain) { Ok(()) } else { Err(Refused { is_plain }) }
    }
}

/// The resolver of one HTTP client: it returns the permitted addresses of a name only.
pub(super) struct Resolver {
    pub(super) guard: Arc<Guard>,
    /// Whether the client speaks without encryption.
    pub(super) is_plain: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, is_plain) = (self.guard.clone(), self.is_plain);
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let permitted: Vec<SocketAddr> =
                found.filter(|address| guard.permits(host, address.ip(), is_plain)).collect();
            if permitted.is_empty() {
                return Err(Refused { is_plain }.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// The receiver's address is one that nothing may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    is_plain: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_plain {
            "地址未加密（http），只能用于设置 webhook_allow 列出的网络或主机；请改用 https"
        } else {
            "地址属于内部网络或保留网段，不能推送；确需推送的，在设置 webhook_allow 中列出该网络或主机"
        })
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, url: &str) -> bool {
        guard.check(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn what_is_inside_a_network_is_refused_however_it_is_spelt() {
        let guard = Guard::default();
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:8.8.8.8]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
        ] {
            assert!(!check(&guard, &format!("https://{host}/in")), "{host}");
        }
        for host in ["8.8.8.8", "172.32.0.1", "[2400:3200::1]", "[2606:4700::1111]"] {
            assert!(check(&guard, &format!("https://{host}/in")), "{host}");
            assert!(!check(&guard, &format!("http://{host}/in")), "unencrypted: {host}");
        }
    }

    #[test]
    fn the_setting_opens_networks_and_hosts() {
        let allowed = ["10.8.0.0/16", "127.0.0.1", "Robot.Example"].map(str::to_owned);
        let guard = Guard::new(&allowed).unwrap();
        assert!(check(&guard, "http://10.8.1.1/") && check(&guard, "http://127.0.0.1:9000/"));
        assert!(check(&guard, "https://[::ffff:127.0.0.1]/"), "the same address in another spelling");
        assert!(!check(&guard, "https://10.9.1.1/") && !check(&guard, "https://127.0.0.2/"));
        let private: IpAddr = "192.168.0.9".parse().unwrap();
        assert!(guard.permits("robot.example", private, true) && !guard.permits("other.example", private, false));
        assert_eq!(Guard::new(&["no host".to_owned()]).unwrap_err(), "no host");
    }
}
