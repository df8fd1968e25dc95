//! Where a request comes from, as far as it can be known.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is kept of a browser's own name, in characters.
const MAX_DEVICE: usize = 120;

/// Whoever asks: an address, and what the browser calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The address of the network's other end; behind trusted proxies, what the last of them was asked from.
    pub address: IpAddr,
    /// The `User-Agent`, cut.
    pub device: Option<String>,
}

impl Visitor {
    /// Who sent this request.
    pub fn of(parts: &Parts, trusted: &[IpNet]) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let device = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            address: original(peer, &parts.headers, trusted),
            device: device.map(|agent| agent.chars().take(MAX_DEVICE).collect()),
        }
    }

    /// What is counted: an IPv4 address, or the 64 bits of an IPv6 network, which one household or machine has whole.
    pub(super) fn network(&self) -> IpAddr {
        network(self.address)
    }
}

/// An IPv4 address, or the 64 bits of an IPv6 network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

/// The nearest address that is no trusted proxy. Each proxy adds the one that it was asked from at the end of
/// `X-Forwarded-For`; what stands before an address that is not trusted may be anyone's invention.
fn original(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let mut nearest = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    for entry in entries.into_iter().rev() {
        if !is_trusted(nearest) {
            break;
        }
        let Some(address) = forwarded(entry.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// An entry's address; some proxies add the port.
fn forwarded(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn seen(peer: &str, lines: &[&str]) -> String {
        let mut request = Request::new(());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
        for line in lines {
            request.headers_mut().append(FORWARDED_FOR, line.parse().expect("a value"));
        }
        let trusted: [IpNet; 2] = ["127.0.0.1/32", "10.0.0.0/8"].map(|net| net.parse().expect("a network"));
        Visitor::of(&request.into_parts().0, &trusted).address.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4, 198.51.100.1"]), "198.51.100.1", "the first is the visitor's word");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4", "198.51.100.1, 10.1.1.1"]), "198.51.100.1");
        assert_eq!(seen("::ffff:127.0.0.1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1:5555"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1, unknown"]), "127.0.0.1", "what cannot be read ends the chain");
    }

    #[test]
    fn one_household_counts_once() {
        let of = |address: &str| network(address.parse().expect("an address")).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
