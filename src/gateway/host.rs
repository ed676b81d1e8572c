//! Hosts that a base URL may not name: addresses of private networks, of this machine's neighbours, and of a cloud's metadata.
//!
//! In scope: addresses as they stand in a URL, also within IPv6 (mapped, translated, 6to4), and names that only a private
//! network resolves. Out of scope: loopback, which is for local models; what a public name resolves to: Cloudflare's network
//! looks that up, and it reaches no private one. Odd spellings (octal, hexadecimal, one number) never come this far.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Endings of names that belong to no public host.
const PRIVATE_ENDINGS: &[&str] =
    &["internal", "local", "localdomain", "localhost", "lan", "intranet", "corp", "home", "home.arpa"];

/// Whether a host (lower case, an IPv6 address in brackets) is one that the public internet does not have.
pub(super) fn is_private(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_private_v4(address),
        Ok(IpAddr::V6(address)) => is_private_v6(address),
        // A single label is looked up in the network's own domain.
        Err(_) => {
            let is_under = |ending: &str| host.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.'));
            !host.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| is_under(ending))
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        // Metadata services are at 169.254.169.254.
        || address.is_link_local()
        || address.is_documentation()
        // "This network", shared addresses of carriers, protocol assignments, benchmarks, multicast and reserved.
        || first == 0
        || first == 100 && (64..128).contains(&second)
        || first == 192 && second == 0 && third == 0
        || first == 198 && (18..20).contains(&second)
        || first >= 224
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, seventh, eighth] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    let begins_with_zeros = [first, second, third, fourth] == [0; 4];
    match first {
        // `::`, `::1`, compatible, mapped and translated addresses.
        0 if begins_with_zeros && fifth == 0 && matches!(sixth, 0 | 0xffff) => v4(seventh, eighth),
        0 if begins_with_zeros && fifth == 0xffff => v4(seventh, eighth),
        // NAT64, of which the local prefix is private by its nature.
        0x64 => third != 0 || v4(seventh, eighth),
        // 6to4.
        0x2002 => v4(second, third),
        0x2001 if second == 0x0db8 => true,
        // Only 2000::/3 is given out to public hosts.
        _ => !(0x2000..0x4000).contains(&first),
    }
}
