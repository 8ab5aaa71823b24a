//! Says where a request comes from: the unit to which limits for strangers apply.
//!
//! Behind a proxy every connection comes from the proxy, so its word about the client counts. Only a proxy that whoever
//! runs the Hub has named is believed: a client can write what it likes into the same header.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// What proxies write the addresses of those before them into, each at the end.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The part of an IPv6 address that a provider gives to one household: the rest its owner chooses freely.
const IPV6_NETWORK: u128 = !0 << 64;

/// Where a request comes from: an IPv4 address or an IPv6 network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The unit that an address belongs to.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
            ipv4 @ IpAddr::V4(_) => ipv4,
        })
    }

    /// Where a request on a connection from `peer` comes from: the peer, or if that is a trusted proxy the last address
    /// in `X-Forwarded-For` that is not one. A header that does not read says nothing.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let told = trusted.contains(peer).then(|| forwarded_for(headers, trusted)).flatten();
        Self::new(told.unwrap_or(peer))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

/// The networks of the proxies in front of the Hub, whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether a proxy at this address is believed.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        // The common case costs nothing.
        !self.0.is_empty() && self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(networks: I) -> Self {
        Self(networks.into_iter().map(|TrustedProxy(network)| network).collect())
    }
}

/// One network of proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// A text that names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write an address or a network, like 127.0.0.1, 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork;

impl FromStr for TrustedProxy {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(|_| NoNetwork)
    }
}

/// The last address in the header that is no trusted proxy's, or the first if all are.
fn forwarded_for(headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut first = None;
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for part in line.to_str().ok()?.rsplit(',') {
            let address = address(part.trim())?;
            if !trusted.contains(address) {
                return Some(address);
            }
            first = Some(address);
        }
    }
    first
}

/// An address as proxies write it: some add the port, some put IPv6 in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|network| network.parse::<TrustedProxy>().unwrap()).collect()
    }

    fn of(peer: &str, lines: &[&str], networks: &[&str]) -> String {
        let lines = lines.iter().map(|line| (FORWARDED_FOR, HeaderValue::from_str(line).unwrap()));
        ClientAddress::of(peer.parse().unwrap(), &lines.collect(), &trusted(networks)).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_that_it_is_somebody_else() {
        assert_eq!(of("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(of("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
        let spoofed = "1.1.1.1, 198.51.100.1";
        assert_eq!(of("10.0.0.1", &[spoofed], &["10.0.0.0/8"]), "198.51.100.1", "the proxy wrote the last one");
    }

    #[test]
    fn proxies_in_a_row_are_passed_over() {
        let networks = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];
        for lines in [
            &["198.51.100.1, 10.1.2.3, fd00::7"][..],
            &["1.1.1.1,198.51.100.1", "10.1.2.3", " fd00::7 "],
            &["198.51.100.1:4711, [fd00::7]:80, [fd00::8]"],
            &["198.51.100.1, ::ffff:10.1.2.3"],
        ] {
            assert_eq!(of("127.0.0.1", lines, &networks), "198.51.100.1", "{lines:?}");
        }
        assert_eq!(of("::ffff:127.0.0.1", &["10.0.0.9, 10.0.0.2"], &networks), "10.0.0.9", "all are ours");
    }

    #[test]
    fn a_header_that_does_not_read_says_nothing() {
        for line in ["", "unknown", "_hidden", "198.51.100.1,", "198.51.100.1 10.0.0.1", "198.51.100.1, 999.1.1.1"] {
            assert_eq!(of("127.0.0.1", &[line], &["127.0.0.0/8"]), "127.0.0.1", "{line:?}");
        }
        assert_eq!(of("127.0.0.1", &[], &["127.0.0.0/8"]), "127.0.0.1");
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_so_is_a_mapped_address() {
        assert_eq!(of("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::1", &[], &[]), of("2001:db8:1:2:ffff::1", &[], &[]));
        assert_eq!(of("::ffff:203.0.113.9", &[], &[]), "203.0.113.9");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.0/8 "] {
            assert_eq!(wrong.parse::<TrustedProxy>(), Err(NoNetwork), "{wrong:?}");
        }
        assert_eq!("10.1.2.3/8".parse::<TrustedProxy>(), "10.0.0.0/8".parse());
    }

    proptest! {
        #[test]
        fn any_header_reads_in_some_way(line in "[0-9a-f:., \\[\\]]{0,60}") {
            let _ = of("127.0.0.1", &[&line], &["127.0.0.0/8", "0.0.0.0/1"]);
        }
    }
}
