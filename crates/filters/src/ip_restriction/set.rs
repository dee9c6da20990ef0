//! A set of networks as disjoint ranges in order: a look-up is a binary search.

use std::net::IpAddr;
use torana_types::Network;

/// A set of networks. IPv4 addresses and networks that are written in IPv6 (RFC 4291 section 2.5.5.2) are
/// the IPv4 ones that they stand for.
#[derive(Debug, Default)]
pub(super) struct NetworkSet {
    networks: usize,
    four: Vec<(u32, u32)>,
    six: Vec<(u128, u128)>,
}

impl NetworkSet {
    /// The union of the networks.
    pub(super) fn new(networks: &[Network]) -> Self {
        let mut set = Self { networks: networks.len(), ..Self::default() };
        for network in networks {
            match network.bounds() {
                (IpAddr::V4(first), IpAddr::V4(last)) => set.four.push((first.into(), last.into())),
                (IpAddr::V6(first), IpAddr::V6(last)) => set.six.push((first.into(), last.into())),
                // The bounds of a network are of one family.
                _ => {}
            }
        }
        set.four = joined(std::mem::take(&mut set.four));
        set.six = joined(std::mem::take(&mut set.six));
        set
    }

    /// How many networks it was made of.
    pub(super) const fn networks(&self) -> usize {
        self.networks
    }

    /// Whether one of the networks contains the address.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => lies_in(&self.four, address.into()),
            IpAddr::V6(address) => lies_in(&self.six, address.into()),
        }
    }
}

/// Joins what overlaps.
fn joined<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut joined: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if *end >= first => *end = (*end).max(last),
            _ => joined.push((first, last)),
        }
    }
    joined.shrink_to_fit();
    joined
}

fn lies_in<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|place| ranges.get(place)).is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn networks(list: &[&str]) -> NetworkSet {
        NetworkSet::new(&list.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_address_in_either_notation_is_the_same_address() {
        let set = networks(&["10.0.0.0/8", "::ffff:192.168.0.0/112", "2001:db8::/32"]);
        for (address, inside) in [
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("::ffff:10.0.0.1", true),
            ("192.168.255.1", true),
            ("192.169.0.0", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(set.contains(address.parse().unwrap()), inside, "{address}");
        }
        let everything = networks(&["::/0"]);
        assert!(!everything.contains("10.0.0.1".parse().unwrap()), "an IPv6 range holds no IPv4 address");
        assert!(networks(&["0.0.0.0/0"]).contains("::ffff:1.2.3.4".parse().unwrap()));
        assert!(!networks(&[]).contains("::".parse().unwrap()));
    }

    fn network() -> impl Strategy<Value = Network> {
        let four = (any::<u32>(), 0..=32_u8)
            .prop_map(|(bits, length)| format!("{}/{length}", Ipv4Addr::from(bits & 0x0F0F_FFFF)));
        let six = (any::<u128>(), 0..=128_u8)
            .prop_map(|(bits, length)| format!("{}/{length}", Ipv6Addr::from(bits & !(0xFF_u128 << 100))));
        prop_oneof![four, six].prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn the_set_agrees_with_asking_every_network(
            all in prop::collection::vec(network(), 0..40), four in any::<u32>(), six in any::<u128>()
        ) {
            let set = NetworkSet::new(&all);
            let edges = all.iter().flat_map(|network| <[IpAddr; 2]>::from(network.bounds()));
            let random = [Ipv4Addr::from(four).into(), Ipv6Addr::from(six).into()];
            for address in edges.chain(random) {
                let asked = all.iter().any(|network| network.contains(address));
                prop_assert_eq!(set.contains(address), asked, "{}", address);
            }
        }
    }
}
