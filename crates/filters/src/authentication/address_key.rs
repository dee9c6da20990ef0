//! By what an address is counted.

use std::net::IpAddr;

/// An address as it is counted.
pub(super) type AddressKey = [u8; 8];

/// IPv6 clients usually have a whole /64 to themselves: it counts as one.
pub(super) fn address_key(address: IpAddr) -> AddressKey {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}
